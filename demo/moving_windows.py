"""Moving windows in memory, at a price that does not rise with the number of clients."""

import time
from collections import deque
from collections.abc import Callable

from limits.aio.storage import MemoryStorage

_SWEEP_SECONDS = 60.0


class MovingWindows(MemoryStorage):
    """When each key was hit, the oldest first.

    The library's own storage looks through the windows of *all* keys, in a thread, at every single hit: whoever has
    had many visitors answers everybody later. Here a hit looks at its own key, and once a minute at the others.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._hits: dict[str, deque[float]] = {}
        self._longest_expiry = 0
        self._swept_at = clock()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._hits)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count ``amount`` hits, unless they are more than the window of ``expiry`` seconds has room for."""
        now = self._clock()
        self._longest_expiry = max(self._longest_expiry, expiry)
        if now >= self._swept_at + _SWEEP_SECONDS:
            self._sweep(now)
        hits = self._within(key, now - expiry)
        if len(hits) + amount > limit:
            return False
        self._hits.setdefault(key, hits).extend([now] * amount)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit of the window came, and how many there are."""
        now = self._clock()
        hits = self._within(key, now - expiry)
        return (hits[0], len(hits)) if hits else (now, 0)

    def _within(self, key: str, since: float) -> deque[float]:
        hits = self._hits.get(key) or deque()
        while hits and hits[0] < since:
            hits.popleft()
        return hits

    def _sweep(self, now: float) -> None:
        """Forget whoever has not come for longer than any window lasts."""
        since = now - self._longest_expiry
        self._hits = {key: hits for key, hits in self._hits.items() if hits and hits[-1] >= since}
        self._swept_at = now
