"""HTTP clients for touching a target: bounded, honest about who asks, and careful with the bypass secret."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpx
import stamina

from ci import __version__
from ci.engine.answers import is_usable
from ci.engine.bodies import ACCEPTED, AsyncCapped, Capped, coding_to_watch
from ci.engine.inert import one_line
from ci.engine.redaction import in_a_header
from ci.engine.trusted import AUDIENCE_VARIABLE, TrustedToken
from ci.engine.walls import may_be_wall, page_of, shows_wall
from ci.errors import CannotRun
from ci.model import ErrorKind

USER_AGENT = f"gonogo/{__version__} (release checks on behalf of this site's owner)"
BYPASS_HEADER = "x-vercel-protection-bypass"
BYPASS_VARIABLE = "VERCEL_AUTOMATION_BYPASS_SECRET"

TIMEOUT_S = 10.0
"""Seconds for each of connecting, writing, reading and waiting for a connection."""
TRIES = 2
"""How often a request is sent when the transport fails before any answer came."""

# Results tell of retries. Stamina's own hooks would write to standard output wherever structlog is installed.
stamina.instrumentation.set_on_retry_hooks([])

_RETRIED = (httpx.ConnectError, httpx.ConnectTimeout)
_RETRIED_WHEN_SAFE = (*_RETRIED, httpx.ReadError, httpx.RemoteProtocolError)
_FIREWALLS = {"x-vercel-mitigated": "Vercel", "cf-mitigated": "Cloudflare"}
"""Headers by which a firewall says that it answered itself, and whose firewall that is."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def origin(url: str | httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454)."""
    parts = urlsplit(str(url))
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


Origin = tuple[str, str, int]


class Budget:
    """How many requests a run may still make: the target must not be harmed by being checked."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.spent = 0

    def spend(self, request: httpx.Request) -> None:
        """Count one request. Raises CannotRun(BUDGET) when none is left."""
        if self.spent >= self.total:
            raise CannotRun(
                ErrorKind.BUDGET,
                f"the run's budget of {self.total} requests is used up before {request.method} {request.url.path}; "
                "raise target.request_budget if the target can bear more",
            )
        self.spent += 1


class _Guard:
    """The rules that hold for every request, whichever kind of client sends it."""

    def __init__(self, factory: HttpFactory, *, expects_429: bool) -> None:
        self._factory = factory
        self._budget = factory.budget
        self._expects_429 = expects_429
        self.retries = 0

    def before(self, request: httpx.Request) -> httpx.Request:
        """The request as it is sent: a copy, because a redirect would carry the original's headers elsewhere."""
        self._budget.spend(request)
        key = self._factory.key(request.url)
        if not key:
            return request
        headers = request.headers.copy()
        headers.update(key)
        return httpx.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )

    async def before_async(self, request: httpx.Request) -> httpx.Request:
        """As `before`, without holding up the loop where a token has to be fetched first."""
        token = self._factory.trusted.get(origin(request.url))
        if token and not token.fresh:
            await asyncio.to_thread(token)
        return self.before(request)

    def again(self, request: httpx.Request) -> Iterator[stamina.Attempt]:
        return iter(self._context(request))

    def again_async(self, request: httpx.Request) -> AsyncIterator[stamina.Attempt]:
        return aiter(self._context(request))

    def _context(self, request: httpx.Request) -> Any:
        retried = _RETRIED_WHEN_SAFE if request.method in _SAFE_METHODS else _RETRIED
        return stamina.retry_context(on=retried, attempts=TRIES, timeout=None, wait_initial=0.1, wait_jitter=0.3)

    def after(self, response: httpx.Response, url: httpx.URL) -> None:
        """Refuse answers that are not the application's own."""
        for header, whose in _FIREWALLS.items():
            if mitigation := response.headers.get(header):
                raise CannotRun(
                    ErrorKind.CHALLENGED,
                    f"{whose}'s firewall answered {url} with `{mitigation}` in the application's place; "
                    "let the checks pass by a firewall bypass rule for their user agent and address",
                )
        if response.status_code == 429 and not self._expects_429:
            pause = response.headers.get("retry-after")
            wait = f" (Retry-After: {pause})" if pause else ""
            raise CannotRun(
                ErrorKind.RATE_LIMITED,
                f"{url} limits our requests: 429{wait}; the checks stop rather than press on",
            )
        location = response.headers.get("location", "")
        if response.has_redirect_location and not is_usable(location):
            told = one_line(location, 100)
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} redirects to `{told}`, which is no usable address")
        to_vercel = urlsplit(location)
        if response.is_redirect and to_vercel.hostname == "vercel.com" and to_vercel.path.startswith("/sso-api"):
            raise login_wall(url)


def login_wall(url: httpx.URL | str) -> CannotRun:
    """A deployment-protection page answered in the application's place."""
    return CannotRun(
        ErrorKind.LOGIN_WALL,
        f"Vercel's deployment protection answered {url} in the application's place; "
        f"set {BYPASS_VARIABLE} to the project's protection bypass secret, or {AUDIENCE_VARIABLE} for Trusted Sources",
    )


class _Transport(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, guard: _Guard) -> None:
        self._inner = inner
        self._guard = guard

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for attempt in self._guard.again(request):
            with attempt:
                self._guard.retries += attempt.num > 1
                response = self._inner.handle_request(self._guard.before(request))
        self._guard.after(response, request.url)
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = Capped(response.stream, coding_to_watch(request, response), request.url)
        if may_be_wall(response):
            body = b"".join(response.stream)
            response.stream = httpx.ByteStream(body)
            if shows_wall(response.headers.get("set-cookie", ""), page_of(response, body)):
                raise login_wall(request.url)
        return response

    def close(self) -> None:
        self._inner.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, guard: _Guard) -> None:
        self._inner = inner
        self._guard = guard

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async for attempt in self._guard.again_async(request):
            with attempt:
                self._guard.retries += attempt.num > 1
                response = await self._inner.handle_async_request(await self._guard.before_async(request))
        self._guard.after(response, request.url)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = AsyncCapped(response.stream, coding_to_watch(request, response), request.url)
        if may_be_wall(response):
            body = b"".join([part async for part in response.stream])
            response.stream = httpx.ByteStream(body)
            if shows_wall(response.headers.get("set-cookie", ""), page_of(response, body)):
                raise login_wall(request.url)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Client(httpx.Client):
    """A blocking client under the guard."""

    guard: _Guard

    @property
    def retries(self) -> int:
        """How many requests were sent again because the transport had failed."""
        return self.guard.retries


class AsyncClient(httpx.AsyncClient):
    """An asynchronous client under the guard."""

    guard: _Guard

    @property
    def retries(self) -> int:
        """How many requests were sent again because the transport had failed."""
        return self.guard.retries


@dataclass(frozen=True, slots=True)
class HttpFactory:
    """Makes the clients of one run; they share its budget, authorities and way past deployment protection.

    No client follows redirects by itself: a probe that wants to sees every hop.
    """

    target: str
    budget: Budget
    tls: ssl.SSLContext
    bypass: dict[Origin, str]
    """The bypass secret, by the origin that it may go to."""
    trusted: dict[Origin, TrustedToken] = field(default_factory=dict)
    """Where there is no bypass secret: GitHub's token for Vercel, by the origin that it may go to."""

    @classmethod
    def for_target(cls, target: str, *, budget: int, environ: Mapping[str, str]) -> HttpFactory:
        """Clients for `target`, to whose origin alone the secret or the token of the environment may go."""
        secret = environ.get(BYPASS_VARIABLE)
        tls = tls_context(environ)
        token = TrustedToken(environ, tls)
        return cls(
            target=target,
            budget=Budget(budget),
            tls=tls,
            bypass={origin(target): secret} if secret else {},
            trusted={origin(target): token} if token.wanted and not secret else {},
        )

    @property
    def protected(self) -> bool:
        """Whether there is a way past deployment protection that nobody else may see."""
        return bool(self.bypass or self.trusted)

    def key(self, url: str | httpx.URL) -> dict[str, str]:
        """The header that opens deployment protection at this URL; nothing at any other origin than the target's.

        May block for as long as fetching a token takes. Raises CannotRun when there is none to be had.
        """
        place = origin(url)
        if secret := self.bypass.get(place):
            return {BYPASS_HEADER: in_a_header(secret)}
        if token := self.trusted.get(place):
            return dict([token()])
        return {}

    def client(self, *, timeout_s: float = TIMEOUT_S, fresh: bool = False, expects_429: bool = False) -> Client:
        """A blocking client; `fresh` opens a new connection for each request."""
        guard = _Guard(self, expects_429=expects_429)
        inner = httpx.HTTPTransport(verify=self.tls, limits=_limits(fresh))
        client = Client(transport=_Transport(inner, guard), **self._settings(timeout_s))
        client.guard = guard
        return client

    def async_client(
        self, *, timeout_s: float = TIMEOUT_S, fresh: bool = False, expects_429: bool = False
    ) -> AsyncClient:
        """An asynchronous client; `fresh` opens a new connection for each request."""
        guard = _Guard(self, expects_429=expects_429)
        inner = httpx.AsyncHTTPTransport(verify=self.tls, limits=_limits(fresh))
        client = AsyncClient(transport=_AsyncTransport(inner, guard), **self._settings(timeout_s))
        client.guard = guard
        return client

    def _settings(self, timeout_s: float) -> dict[str, Any]:
        return {
            "base_url": self.target,
            "timeout": httpx.Timeout(timeout_s),
            "headers": {"user-agent": USER_AGENT, "accept-encoding": ACCEPTED},
            "follow_redirects": False,
            "trust_env": False,
        }


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Trusts the public authorities, and the private ones in SSL_CERT_FILE."""
    context = ssl.create_default_context(cafile=certifi.where())
    if private := environ.get("SSL_CERT_FILE"):
        try:
            context.load_verify_locations(cafile=private)
        except (OSError, ssl.SSLError) as error:
            raise CannotRun(ErrorKind.MISCONFIGURED, f"SSL_CERT_FILE={private} cannot be read: {error}") from error
    return context


def _limits(fresh: bool) -> httpx.Limits:
    return httpx.Limits(max_connections=20, max_keepalive_connections=0 if fresh else 20)
