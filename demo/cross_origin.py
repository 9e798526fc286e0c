"""Which other sites may read what the API answers (WHATWG Fetch, the CORS protocol)."""

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from . import flaws


class CrossOriginMiddleware(CORSMiddleware):
    """Starlette's own, and what the flaws make of its answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "origin" not in (request := HTTPConnection(scope)).headers:
            await super().__call__(scope, receive, send)
            return
        preflight = scope["method"] == "OPTIONS"

        async def send_weakened(message: Message) -> None:
            if message["type"] == "http.response.start" and (allowed := _allowed(request, preflight=preflight)):
                headers = MutableHeaders(scope=message)
                headers["access-control-allow-origin"] = allowed
                if allowed != "*":
                    headers["access-control-allow-credentials"] = "true"
                if preflight:
                    message["status"] = 200
            await send(message)

        await super().__call__(scope, receive, send_weakened)


def _allowed(request: HTTPConnection, *, preflight: bool) -> str | None:
    """The origin that a flaw allows although nobody has configured it."""
    origin = request.headers["origin"]
    if preflight:
        return origin if flaws.active(request, "cors-preflight") else None
    if origin == "null" and flaws.active(request, "cors-null"):
        return origin
    if origin != "null" and flaws.active(request, "cors-reflects"):
        return origin
    return "*" if flaws.active(request, "cors-wildcard") else None
