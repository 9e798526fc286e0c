"""Bodies larger than any honest request are refused, whether their length is announced or not."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import errors, flaws

MAX_BODY_BYTES = 64 * 1024


class BodyLimitMiddleware:
    """Answers 413 above ``MAX_BODY_BYTES``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            request = Request(scope)
            if flaws.active(request, "oversize-500"):
                raise RuntimeError("flaw: oversize-500")
            await errors.from_api_error(request, _too_large())(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise _too_large()
            return message

        await self._app(scope, receive_counted, send)


def _too_large() -> errors.ApiError:
    return errors.ApiError(413, "body_too_large", f"The body may have at most {MAX_BODY_BYTES // 1024} KiB.")
