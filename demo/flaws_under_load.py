"""The flaws that show only under load; a healthy application passes through here untouched."""

import asyncio
import time
from collections import deque

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import errors, flaws

_LOCK_SECONDS = 0.06
_MANY_PER_SECOND = 30
_LONGER_BY = 0.5
_LONGER_SECONDS = 0.005
_TAIL_SECONDS = 0.06
_ONE_ERROR_IN = 125
_LEFT_BEHIND_SECONDS = 0.000_05
_PUBLIC_API = ("/api/health", "/api/auth/tiers")


class LoadFlawsMiddleware:
    """Slows down, or fails, pages and the public API when many requests come at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._arrivals: deque[float] = deque()
        self._crowded = 0
        self._seen = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_public(scope["path"]):
            request = HTTPConnection(scope)
            self._seen += 1
            await self._hold_up(request)
            if self._fails(request):
                failure = errors.answer(Request(scope), 500, "internal_error", "Something went wrong on our side.")
                await failure(scope, receive, send)
                return
            if flaws.active(request, "slower-than-before"):
                send = _later(send)
        await self._app(scope, receive, send)

    async def _hold_up(self, request: HTTPConnection) -> None:
        if flaws.active(request, "slow-under-load"):
            async with self._lock:
                await asyncio.sleep(_LOCK_SECONDS)
        if flaws.active(request, "slows-with-time"):
            await asyncio.sleep(self._seen * _LEFT_BEHIND_SECONDS)
        if flaws.active(request, "slow-tail") and self._seen % 10 == 0:
            await asyncio.sleep(_TAIL_SECONDS)

    def _fails(self, request: HTTPConnection) -> bool:
        if flaws.active(request, "few-errors") and self._seen % _ONE_ERROR_IN == 0:
            return True
        return flaws.active(request, "errors-under-load") and self._is_tenth_of_a_crowd()

    def _is_tenth_of_a_crowd(self) -> bool:
        now = time.monotonic()
        self._arrivals.append(now)
        while self._arrivals[0] < now - 1:
            self._arrivals.popleft()
        if len(self._arrivals) <= _MANY_PER_SECOND:
            return False
        self._crowded += 1
        return self._crowded % 10 == 0


def _later(send: Send) -> Send:
    """Begin the answer later by half of the time that it took until then, and by some milliseconds at least."""
    asked = time.perf_counter()

    async def send_later(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(max(_LONGER_SECONDS, _LONGER_BY * (time.perf_counter() - asked)))
        await send(message)

    return send_later


def _is_public(path: str) -> bool:
    return path in _PUBLIC_API or not path.startswith(("/api/", "/static/"))
