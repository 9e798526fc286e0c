"""The edge: TLS listeners whose requests go to the backend of the deployment that a domain points at *now*.

The route is looked up once per request, so a switch needs no coordination: requests under way end on the old
deployment, and the next request of a kept-alive connection goes to the new one.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from ci.rehearsal.authority import Authority, TransportFault
from ci.rehearsal.protection import BYPASS, SET_COOKIE, TRUSTED, Protection

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 60.0
BACKLOG = 1024
# Below uvicorn's and aiohttp's keep-alive, so that an idle connection is dropped here before the backend drops it.
BACKEND_KEEP_ALIVE = 3.0
CLIENT_KEEP_ALIVE = 75.0
SHUTDOWN_TIMEOUT = 2.0

# RFC 9110, 7.6.1: meant for the next hop alone.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
_EDGE_OWNS = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "x-vercel-id"})
_NOT_FORWARDED = (
    _HOP_BY_HOP | _EDGE_OWNS | {"expect", "forwarded", "x-vercel-forwarded-for", BYPASS, SET_COOKIE, TRUSTED}
)
_NOT_RETURNED = _HOP_BY_HOP | {"server", "x-vercel-id", "x-vercel-cache"}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes: a deployment and its backend's URL. `error` says, in Vercel's codes, why there is none."""

    deployment_id: str | None = None
    backend: str | None = None
    error: str = "DEPLOYMENT_NOT_FOUND"


Routing = Callable[[], Route]


@dataclass(frozen=True, slots=True)
class Listener:
    """One domain of the edge."""

    domain: str
    url: str
    runners: tuple[web.ServerRunner, ...]
    plain_port: int | None = None
    """Where plain HTTP is answered for this domain; the edge has one port for each, as it has for HTTPS."""


class Verbatim(web.StreamResponse):
    """An answer that keeps its backend's silence: aiohttp would declare a type where the application declared none."""

    async def _prepare_headers(self) -> None:
        typed = hdrs.CONTENT_TYPE in self.headers
        await super()._prepare_headers()
        if not typed:
            self.headers.popall(hdrs.CONTENT_TYPE, None)


class Edge:
    """All listeners, over one pool of connections to the backends."""

    def __init__(self, protection: Protection, authority: Authority | None) -> None:
        self.protection = protection
        self._authority = authority
        self._scheme = "https" if authority else "http"
        self._listeners: list[Listener] = []
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Edge:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=BACKEND_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=ANSWER_TIMEOUT),
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            for listener in self._listeners:
                for runner in listener.runners:
                    await runner.cleanup()
        finally:
            if self._client:
                await self._client.close()

    async def listen(self, routing: Routing, production: bool, faults: Collection[TransportFault] = ()) -> Listener:
        """Open ports of its own for one domain: HTTPS, and plain HTTP that leads there."""
        listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        domain = f"localhost:{listening.getsockname()[1]}"

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, domain, production, routing)

        async def handle_plain(request: web.BaseRequest) -> web.StreamResponse:
            if TransportFault.PLAIN_HTTP in faults:
                return await self._handle(request, domain, True, routing)
            return web.Response(status=308, headers={"Location": f"https://{domain}{request.raw_path}"})

        tls = self._authority.server_context(faults) if self._authority else None
        runners, plain_port = [await _serve(handle, listening, tls)], None
        if tls:
            plain = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
            plain_port = plain.getsockname()[1]
            runners.append(await _serve(handle_plain, plain, None))
        listener = Listener(domain, f"{self._scheme}://{domain}", tuple(runners), plain_port)
        self._listeners.append(listener)
        return listener

    async def _handle(
        self, request: web.BaseRequest, domain: str, production: bool, routing: Routing
    ) -> web.StreamResponse:
        request_id = f"iad1::{secrets.token_hex(3)}-{time.time_ns() // 1_000_000}-{secrets.token_hex(6)}"
        if self.protection.covers(production):
            wall = self.protection.answer(request, domain)
            if wall is not None:
                _stamp(wall.headers, request_id)
                return wall
        route = routing()
        if route.backend is None:
            return _error_page(404, route.error, request_id)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        answer: web.StreamResponse | None = None
        try:
            async with self._ask(request, route.backend, request_id) as backend_answer:
                answer = _answer_head(request, backend_answer, request_id)
                await answer.prepare(request)
                if request.method != hdrs.METH_HEAD:
                    async for chunk in backend_answer.content.iter_any():
                        await answer.write(chunk)
                await answer.write_eof()
                return answer
        except (aiohttp.ClientError, TimeoutError) as problem:
            if answer is not None and answer.prepared:
                # Half an answer is out: only a broken connection tells the client that the rest is missing.
                if request.transport:
                    request.transport.abort()
                return answer
            if isinstance(problem, TimeoutError):
                return _error_page(504, "FUNCTION_INVOCATION_TIMEOUT", request_id)
            return _error_page(502, "NO_RESPONSE_FROM_FUNCTION", request_id)

    def _ask(
        self, request: web.BaseRequest, backend: str, request_id: str
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._client is not None, "the edge is used as `async with Edge(...)`"
        # aiohttp repeats an idempotent request without a body on a fresh connection when a kept-alive one proves stale.
        return self._client.request(
            request.method,
            URL(backend + request.raw_path, encoded=True),
            headers=self._forwarded_headers(request, request_id),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        )

    def _forwarded_headers(self, request: web.BaseRequest, request_id: str) -> CIMultiDict[str]:
        headers = _without(request.headers, _NOT_FORWARDED)
        address = request.remote or "127.0.0.1"
        headers["X-Forwarded-For"] = headers["X-Real-Ip"] = headers["X-Vercel-Forwarded-For"] = address
        headers["X-Forwarded-Proto"] = self._scheme
        headers["X-Forwarded-Host"] = request.headers.get(hdrs.HOST, "")
        headers["X-Vercel-Id"] = request_id
        return headers


async def _serve(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    listening: socket.socket,
    tls: ssl.SSLContext | None,
) -> web.ServerRunner:
    server = web.Server(handle, access_log=None, keepalive_timeout=CLIENT_KEEP_ALIVE, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT)
    await runner.setup()
    await web.SockSite(runner, listening, ssl_context=tls, backlog=BACKLOG).start()
    return runner


def _without(headers: Mapping[str, str], dropped: frozenset[str]) -> CIMultiDict[str]:
    connection = headers.get(hdrs.CONNECTION, "")
    named = {name.strip().lower() for name in connection.split(",")} if connection else dropped
    return CIMultiDict(
        (name, value) for name, value in headers.items() if (low := name.lower()) not in dropped and low not in named
    )


def _answer_head(request: web.BaseRequest, backend: aiohttp.ClientResponse, request_id: str) -> web.StreamResponse:
    headers = _without(backend.headers, _NOT_RETURNED)
    _stamp(headers, request_id)
    return Verbatim(status=backend.status, reason=backend.reason, headers=headers)


def _stamp(headers: CIMultiDict[str], request_id: str) -> None:
    headers["Server"] = "Vercel"
    headers["X-Vercel-Id"] = request_id
    headers["X-Vercel-Cache"] = "MISS"


def _error_page(status: int, code: str, request_id: str) -> web.Response:
    text = f"The deployment could not be reached.\n\n{code}\n\n{request_id}\n"
    answer = web.Response(status=status, text=text, headers={"X-Vercel-Error": code, "Cache-Control": "no-store"})
    _stamp(answer.headers, request_id)
    return answer
