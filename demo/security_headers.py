"""Response headers that keep browsers from being used against the people who use this application."""

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import context, flaws

_ALWAYS = {
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
_ONE_YEAR = "max-age=31536000; includeSubDomains; preload"
_POLICY_FOR_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'"


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
    headers.update(_ALWAYS)
    headers.setdefault("cache-control", "no-store")
    # RFC 6797, section 7.2: the header must not be sent over plain HTTP.
    if context.of(request).scheme == "https" and not flaws.active(request, "no-hsts"):
        headers["strict-transport-security"] = _ONE_YEAR
    if not flaws.active(request, "no-nosniff"):
        headers["x-content-type-options"] = "nosniff"
    if not flaws.active(request, "no-referrer-policy"):
        headers["referrer-policy"] = "strict-origin-when-cross-origin"
    if not flaws.active(request, "frameable"):
        headers["x-frame-options"] = "DENY"
    if not flaws.active(request, "no-csp"):
        is_page = headers.get("content-type", "").startswith("text/html")
        headers["content-security-policy"] = _page_policy(request) if is_page else _data_policy(request)


def _page_policy(request: HTTPConnection) -> str:
    """Scripts and styles run only with this answer's nonce (CSP Level 3, "strict" policy)."""
    nonce = f"'nonce-{context.of(request).nonce}'"
    directives = [
        "default-src 'self'",
        f"script-src {nonce} 'strict-dynamic'",
        f"style-src {nonce}",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "upgrade-insecure-requests",
    ]
    if flaws.active(request, "mixed-content"):
        directives.remove("upgrade-insecure-requests")
        directives[directives.index("img-src 'self'")] = "img-src 'self' http:"
    if flaws.active(request, "frameable"):
        directives.remove("frame-ancestors 'none'")
    return "; ".join(directives)


def _data_policy(request: HTTPConnection) -> str:
    return _POLICY_FOR_DATA if flaws.active(request, "frameable") else f"{_POLICY_FOR_DATA}; frame-ancestors 'none'"
