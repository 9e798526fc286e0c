"""Looking back over the last seconds of a load: how it goes, and whether somebody is still there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ci.load.recording import SAMPLE, Arm, Failure, Sample

DEAD_S = 3.0
"""Seconds over which a target that answers hardly anything is called dead."""
DEAD_SHARE = 0.5
DEAD_MINIMUM = 10
"""Requests that must have ended within `DEAD_S` before it can be called dead."""

LATENCY, ARM, FAILURE = (Sample._fields.index(name) for name in ("latency_ms", "arm", "failure"))
TRANSPORT = frozenset(failure for failure in Failure if failure.is_transport)


class Tally:
    """Counts what has ended, by arm, in ticks of `tick_s` seconds."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._length = round(DEAD_S / tick_s)
        self._ticks = {arm: deque[tuple[int, int]](maxlen=self._length) for arm in Arm}
        self._ended = dict.fromkeys(Arm, 0)
        self._dead = dict.fromkeys(Arm, 0)
        self._latencies: list[float] = []

    def add(self, rows: bytes) -> None:
        """Count some samples."""
        # Every sample of the load comes by here, so no objects are made of them.
        for sample in SAMPLE.iter_unpack(rows):
            arm, failure = sample[ARM], sample[FAILURE]
            if failure == Failure.UNSENT:
                continue
            self._ended[arm] += 1
            if failure in TRANSPORT:
                self._dead[arm] += 1
            elif arm == Arm.CANDIDATE:
                self._latencies.append(sample[LATENCY])

    def tick(self) -> None:
        """A tick is over."""
        for arm in Arm:
            self._ticks[arm].append((self._ended[arm], self._dead[arm]))
            self._ended[arm] = self._dead[arm] = 0

    def dead(self, arms: Iterable[Arm]) -> dict[Arm, str]:
        """Which of these arms have gone, and what was seen of them."""
        gone = {}
        for arm in arms:
            ended, dead = (sum(tick[i] for tick in self._ticks[arm]) for i in (0, 1))
            full = len(self._ticks[arm]) == self._length
            if full and ended >= DEAD_MINIMUM and dead > DEAD_SHARE * ended:
                gone[arm] = f"{dead} of the last {ended} requests got no answer"
        return gone

    def last_second(self) -> tuple[float, float | None]:
        """The candidate's requests per second, and the p95 of its latencies in ms; none when nothing was answered."""
        recent, self._latencies = sorted(self._latencies), []
        ticks = list(self._ticks[Arm.CANDIDATE])[-round(1 / self._tick_s) :]
        rate = sum(ended for ended, _ in ticks) / (len(ticks) * self._tick_s) if ticks else 0.0
        return rate, recent[int(0.95 * (len(recent) - 1))] if recent else None
