"""Response headers that keep browsers from being used against the people who use this application."""

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import context, flaws
from .content_policy import data_policy, page_policy

_FEATURES = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
_ONE_YEAR = "max-age=31536000"


class SecurityHeadersMiddleware:
    """Adds the headers to every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _secure(HTTPConnection(scope), MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_secured)


def _secure(request: HTTPConnection, headers: MutableHeaders) -> None:
    headers.setdefault("cache-control", "no-store")
    if flaws.active(request, "server-banner"):
        headers["x-powered-by"] = "Harbour/1.0.0"
    if flaws.active(request, "internal-address"):
        headers["x-backend"] = "10.0.3.7:8000"
    if flaws.active(request, "headers-forgotten"):
        return
    _isolate(request, headers)
    # RFC 6797, section 7.2: the header must not be sent over plain HTTP.
    if context.of(request).scheme == "https" and not flaws.active(request, "no-hsts"):
        everything = "" if flaws.active(request, "hsts-narrow") else "; includeSubDomains; preload"
        headers["strict-transport-security"] = _ONE_YEAR + everything
    if not flaws.active(request, "no-nosniff"):
        headers["x-content-type-options"] = "nosniff"
    if not flaws.active(request, "no-referrer-policy"):
        headers["referrer-policy"] = "strict-origin-when-cross-origin"
    if not flaws.active(request, "frameable"):
        headers["x-frame-options"] = "DENY"
    if not flaws.active(request, "no-csp"):
        name = "content-security-policy"
        if flaws.active(request, "csp-only-reports"):
            name += "-report-only"
        is_page = headers.get("content-type", "").startswith("text/html")
        headers[name] = page_policy(request) if is_page else data_policy(request)


def _isolate(request: HTTPConnection, headers: MutableHeaders) -> None:
    """Keep other sites' windows, frames and processes away, and give up what no page here uses."""
    if not flaws.active(request, "no-permissions-policy"):
        headers["permissions-policy"] = _FEATURES
    if not flaws.active(request, "no-opener-policy"):
        headers["cross-origin-opener-policy"] = "same-origin"
    if not flaws.active(request, "no-resource-policy"):
        headers["cross-origin-resource-policy"] = "same-origin"
    if not flaws.active(request, "no-embedder-policy"):
        headers["cross-origin-embedder-policy"] = "require-corp"
