"""Error answers: JSON for the API, a page for people, never anything about the inside."""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import context, error_reporting, flaws, templates
from .left_lying import left_lying

_log = structlog.get_logger("demo.errors")


class FieldProblem(BaseModel):
    """One field of a request that is not acceptable."""

    field: str
    message: str


class ErrorBody(BaseModel):
    """The body of every error answer of the API."""

    error: str
    message: str
    request_id: str
    fields: list[FieldProblem] | None = None


class ApiError(HTTPException):
    """Ends the handling of a request with this status, a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code = code


_MEANING = {
    400: "The request is malformed or not valid.",
    401: "Nobody is signed in, or the credentials are not valid.",
    403: "The CSRF token is missing or wrong.",
    413: "The body of the request is too large.",
    429: "Too many requests; Retry-After says when to come back.",
    501: "This is not configured here.",
    503: "A service this needs is not available.",
}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an endpoint, for its entry in the OpenAPI document; 429 is added to all."""
    return {status: {"model": ErrorBody, "description": _MEANING[status]} for status in (*statuses, 429)}


def answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    fields: list[FieldProblem] | None = None,
) -> Response:
    """The error answer in the form that suits who asked."""
    request_id = context.of(request).request_id
    if request.url.path.startswith("/api/"):
        body = ErrorBody(error=code, message=message, request_id=request_id, fields=fields)
        return JSONResponse(body.model_dump(exclude_none=True), status, dict(headers or {}))
    page = templates.render(
        request, "error.html", title=HTTPStatus(status).phrase, message=message, path=request.url.path
    )
    return HTMLResponse(page, status, dict(headers or {}))


def install(app: FastAPI) -> None:
    """Have the application answer its exceptions this way."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(AnyHTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _invalid_request)


def from_api_error(request: Request, error: ApiError) -> Response:
    """The answer that an ``ApiError`` asks for."""
    return answer(request, error.status_code, error.code, error.detail, error.headers)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return from_api_error(request, error)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _not_found(request)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and flaws.active(request, "method-trace"):
        return PlainTextResponse("".join(traceback.format_exception(error)), 405)
    status = HTTPStatus(error.status_code)
    return answer(request, status, status.name.lower(), f"{status.phrase}.", error.headers)


def _not_found(request: Request) -> Response:
    if flaws.active(request, "soft-404"):
        return HTMLResponse(templates.render(request, "index.html"))
    if exposed := left_lying(request):
        return exposed
    return answer(request, 404, "not_found", "There is nothing at this address.")


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["loc"][0] == "path" for problem in problems):
        return _not_found(request)
    if any(problem["type"] == "json_invalid" for problem in problems):
        if flaws.active(request, "stack-trace"):
            return PlainTextResponse("".join(traceback.format_exception(error)), 500)
        return answer(request, 400, "malformed_json", "The body is not valid JSON.")
    if flaws.active(request, "wrong-types-500"):
        return answer(request, 500, "internal_error", "Something went wrong on our side; it has been logged.")
    # The messages say what was wanted; what was sent is not repeated.
    fields = [FieldProblem(field=_field(problem["loc"]), message=problem["msg"]) for problem in problems]
    return answer(request, 400, "invalid_request", "The request is not valid; see fields.", fields=fields)


def _field(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


class ErrorBoundaryMiddleware:
    """Turns an unexpected exception into an answer that gives nothing away, and a log line that says everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except Exception as error:
            _log.exception("unhandled", path=scope.get("path"))
            if started or scope["type"] != "http":
                raise
            request = Request(scope)
            error_reporting.report(request, error)
            unexpected = answer(request, 500, "internal_error", "Something went wrong on our side; it has been logged.")
            await unexpected(scope, receive, send)
