"""Rate limits by client address, by user and by endpoint, told in the RateLimit header fields.

The fields follow the IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers).
"""

import math
import time
from dataclasses import dataclass, replace

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import context, errors, flaws
from .moving_windows import MovingWindows
from .settings import Settings

EXCLUDED = (
    "/auth/callback",
    "/api/storage/google/callback",
    "/api/storage/microsoft/callback",
    "/api/billing/webhook",
    "/static",
)
"""Paths that others call on their own schedule (and files): these and what lies below them are not limited."""

_LOGIN = "/api/auth/login"
_REPORT = "/api/errors/log"
_WEBHOOK = "/api/billing/webhook"
_REDIS_REST_SECONDS = 5.0
_STANDINGS_KEY = "demo.rate_limit.standings"
_ENDPOINT_KEY = "demo.rate_limit.endpoint"
_log = structlog.get_logger("demo.rate_limit")


@dataclass(frozen=True, slots=True)
class _Standing:
    """How one limit stands after a request."""

    name: str
    quota: int
    window_seconds: int
    remaining: int
    reset_seconds: int

    @property
    def policy(self) -> str:
        """This limit's item of the RateLimit-Policy field."""
        return f'"{self.name}";q={self.quota};w={self.window_seconds}'

    @property
    def state(self) -> str:
        """This limit's item of the RateLimit field."""
        return f'"{self.name}";r={max(0, self.remaining)};t={self.reset_seconds}'


class RateLimiter:
    """Counts requests in Redis when there is one, else in memory; an unreachable Redis limits nobody less."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.rate_limit_enabled
        self._default = RateLimitItemPerMinute(settings.rate_limit_per_minute)
        self._special = {
            _LOGIN: RateLimitItemPerMinute(settings.login_rate_limit_per_minute, namespace="LOGIN"),
            _REPORT: RateLimitItemPerSecond(
                settings.report_rate_limit, settings.report_rate_limit_window_seconds, namespace="REPORT"
            ),
            _WEBHOOK: RateLimitItemPerMinute(settings.report_rate_limit, namespace="WEBHOOK"),
        }
        self._banished: set[tuple[str, ...]] = set()
        self._memory = MovingWindowRateLimiter(MovingWindows())
        self._redis = _in_redis(settings.redis_url.get_secret_value()) if settings.redis_url else None
        self._redis_rests_until = 0.0

    async def spend(self, request: Request, dimension: str, who: str) -> None:
        """Count the request against ``who`` at this endpoint; raises a 429 ``ApiError`` when the quota is used up."""
        if not self.enabled or flaws.active(request, "limit-off"):
            return
        item = self._special.get(request.scope[_ENDPOINT_KEY], self._default)
        key = (dimension, who, request.scope[_ENDPOINT_KEY])
        standing = await self._count(item, dimension, key)
        if flaws.active(request, "limit-forever"):
            standing = self._for_ever(standing, key)
        request.scope[_STANDINGS_KEY].append(standing)
        if standing.remaining < 0:
            wait = str(standing.reset_seconds)
            message = f"Too many requests. Try again in {wait} seconds."
            pause = {} if flaws.active(request, "no-retry-after") else {"retry-after": wait}
            raise errors.ApiError(429, "rate_limited", message, pause)

    def _for_ever(self, standing: _Standing, key: tuple[str, ...]) -> _Standing:
        if standing.remaining < 0:
            self._banished.add(key)
        return replace(standing, remaining=-1) if key in self._banished else standing

    async def _count(self, item: RateLimitItem, dimension: str, key: tuple[str, ...]) -> _Standing:
        if self._redis and time.monotonic() >= self._redis_rests_until:
            try:
                return await _hit(self._redis, item, dimension, key)
            except Exception as error:  # whatever is wrong with it, requests are to be counted
                self._redis_rests_until = time.monotonic() + _REDIS_REST_SECONDS
                _log.warning("redis fails, counting in memory", reason=type(error).__name__)
        return await _hit(self._memory, item, dimension, key)


async def _hit(
    limiter: MovingWindowRateLimiter, item: RateLimitItem, dimension: str, key: tuple[str, ...]
) -> _Standing:
    """Count one request; ``remaining`` is -1 when it came above the quota."""
    allowed = await limiter.hit(item, *key)
    window = await limiter.get_window_stats(item, *key)
    reset = max(1, math.ceil(window.reset_time - time.time()))
    seconds = item.get_expiry()
    return _Standing(dimension, item.amount, seconds, window.remaining if allowed else -1, min(reset, seconds))


def _in_redis(url: str) -> MovingWindowRateLimiter:
    storage = RedisStorage(f"async+{url}", implementation="redispy", socket_connect_timeout=1, socket_timeout=1)
    return MovingWindowRateLimiter(storage)


class RateLimitMiddleware:
    """Limits every client address, and tells the standing of all limits that a request met."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter, endpoints: frozenset[str]) -> None:
        self._app = app
        self._limiter = limiter
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._limiter.enabled or _excluded(Request(scope)):
            await self._app(scope, receive, send)
            return
        standings: list[_Standing] = []
        scope[_STANDINGS_KEY] = standings
        # Made-up paths share one counter, so that they can neither dodge the limit nor fill the memory.
        scope[_ENDPOINT_KEY] = scope["path"] if scope["path"] in self._endpoints else "elsewhere"

        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["ratelimit-policy"] = ", ".join(standing.policy for standing in standings)
                headers["ratelimit"] = ", ".join(standing.state for standing in standings)
            await send(message)

        request = Request(scope)
        try:
            await self._limiter.spend(request, "ip", _client_of(request))
        except errors.ApiError as refused:
            await errors.from_api_error(request, refused)(scope, receive, send_with_standing)
            return
        await self._app(scope, receive, send_with_standing)


def _client_of(request: Request) -> str:
    """The address that the edge vouches for; whatever the client says of itself is not asked."""
    if flaws.active(request, "limit-spoofable") and (claimed := request.headers.get("x-client-ip")):
        return claimed
    return context.of(request).client_ip


def _excluded(request: Request) -> bool:
    path = request.scope["path"]
    if path == _WEBHOOK and flaws.active(request, "webhook-limited"):
        return False
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in EXCLUDED)
