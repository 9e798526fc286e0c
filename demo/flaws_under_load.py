"""The two flaws that show only under load; a healthy application passes through here untouched."""

import asyncio
import time
from collections import deque

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from . import errors, flaws

_LOCK_SECONDS = 0.06
_MANY_PER_SECOND = 30
_PUBLIC_API = ("/api/health", "/api/auth/tiers")


class LoadFlawsMiddleware:
    """Slows down, or fails, pages and the public API when many requests come at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._arrivals: deque[float] = deque()
        self._crowded = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_public(scope["path"]):
            request = HTTPConnection(scope)
            if flaws.active(request, "slow-under-load"):
                async with self._lock:
                    await asyncio.sleep(_LOCK_SECONDS)
            if flaws.active(request, "errors-under-load") and self._is_tenth_of_a_crowd():
                failure = errors.answer(Request(scope), 500, "internal_error", "Something went wrong on our side.")
                await failure(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_tenth_of_a_crowd(self) -> bool:
        now = time.monotonic()
        self._arrivals.append(now)
        while self._arrivals[0] < now - 1:
            self._arrivals.popleft()
        if len(self._arrivals) <= _MANY_PER_SECOND:
            return False
        self._crowded += 1
        return self._crowded % 10 == 0


def _is_public(path: str) -> bool:
    return path in _PUBLIC_API or not path.startswith(("/api/", "/static/"))
