"""What is known about a request before it is handled: who asks, by which host, under which id, with which flaws."""

import re
import secrets
import time
from dataclasses import dataclass, replace
from ipaddress import ip_address
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import flaws
from .settings import Settings

_SCOPE_KEY = "demo.context"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_ONE_NONCE_FOR_ALL = secrets.token_urlsafe(16)
_log = structlog.get_logger("demo.requests")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Facts about one request, taken from the edge's headers only when the edge sent them."""

    request_id: str
    client_ip: str
    scheme: str
    host: str
    nonce: str


def of(connection: HTTPConnection) -> RequestContext:
    """The context of the request being handled."""
    context = connection.scope[_SCOPE_KEY]
    assert isinstance(context, RequestContext)
    return context


class RequestContextMiddleware:
    """Works out the context and the active flaws, gives every answer its request id and every request a log line."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = _read(scope, trust_any_peer=self._settings.vercel)
        inner = {**scope, _SCOPE_KEY: context, flaws.SCOPE_KEY: self._flaws_for(context.host)}
        request = HTTPConnection(inner)
        if flaws.active(request, "nonce-repeated"):
            inner[_SCOPE_KEY] = replace(context, nonce=_ONE_NONCE_FOR_ALL)
        if scope["method"] == "HEAD":  # RFC 9110, section 9.3.2: as GET, and the server leaves out the content
            inner["method"] = "GET"
        status, started = 0, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = context.request_id
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=context.request_id)
        try:
            await self._app(inner, receive, send_with_id)
        finally:
            took = round((time.perf_counter() - started) * 1000, 1)
            _log.info("request", method=scope["method"], path=scope["path"], status=status, ms=took)
            structlog.contextvars.unbind_contextvars("request_id")

    def _flaws_for(self, host: str) -> frozenset[str]:
        if _same_host(host, self._settings.vercel_project_production_url):
            return self._settings.demo_flaws | self._settings.demo_flaws_in_production
        return self._settings.demo_flaws


def _read(scope: Scope, *, trust_any_peer: bool) -> RequestContext:
    headers = Headers(scope=scope)
    peer = scope["client"][0] if scope.get("client") else "127.0.0.1"
    edge = headers if trust_any_peer or _is_near(peer) else Headers()
    request_id = edge.get("x-request-id", "")
    return RequestContext(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else uuid4().hex,
        client_ip=_last_address(edge.get("x-forwarded-for", "")) or peer,
        scheme="https" if edge.get("x-forwarded-proto", scope["scheme"]) == "https" else "http",
        host=_host(edge.get("x-forwarded-host") or headers.get("host", "")),
        nonce=secrets.token_urlsafe(16),
    )


def _is_near(peer: str) -> bool:
    """Whether the peer can only be our own edge: it has a loopback or private address."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return address.is_loopback or address.is_private


def _last_address(forwarded_for: str) -> str | None:
    """The address that the nearest proxy added; what stands before it may be the client's invention."""
    try:
        return str(ip_address(forwarded_for.rsplit(",", 1)[-1].strip()))
    except ValueError:
        return None


def _host(value: str) -> str:
    return value.lower() if _HOST.fullmatch(value) else ""


def _same_host(host: str, other: str | None) -> bool:
    return other is not None and host.removesuffix(":443") == other.removesuffix(":443")
