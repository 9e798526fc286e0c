"""The course of one load inside Locust's process: its clock, its tallies, and when it stops."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from gevent.event import Event

from ci.load.plan import Plan
from ci.load.recording import Ending, Failure, Pulse, Recorder
from ci.model import ErrorKind

TICK_S = 0.25
"""Seconds between two looks at how it goes."""
DEAD_S = 3.0
"""Seconds over which a target that answers hardly anything is called dead."""
DEAD_SHARE = 0.5
DEAD_MINIMUM = 10
"""Requests that must have ended within `DEAD_S` before it can be called dead."""


class Due(NamedTuple):
    """When a request's time begins to count: at its intended start.

    Only when the load generator itself was late does it count from when that came to it, because the target
    has no part in this.
    """

    start_s: float
    late_s: float


class Course:
    """Shared by all users of the load; times are seconds since `begin`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begun = Event()
        self.stopped = Event()
        self._recorder = Recorder(Path(plan.samples_path))
        self._started = 0.0
        self._users_left = plan.users
        self._reason: ErrorKind | None = None
        self._detail = ""
        self.examples: dict[int, str] = {}
        """For each kind of failure the words of its first."""
        self._latencies: list[float] = []
        self._ended = self._dead = 0
        self._ticks: deque[tuple[int, int]] = deque(maxlen=round(DEAD_S / TICK_S))

    def begin(self) -> None:
        self._started = time.perf_counter()
        self.begun.set()

    def now(self) -> float:
        return time.perf_counter() - self._started

    def record(self, due: Due, *, sent_s: float, size: int, endpoint: int, status: int, failure: Failure) -> None:
        """One request has just ended."""
        start_s, late_s = due
        latency_ms = (self.now() - start_s) * 1e3
        self._recorder.add(
            start_s=start_s,
            late_ms=late_s * 1e3,
            lag_ms=(sent_s - start_s) * 1e3,
            latency_ms=latency_ms,
            size=size,
            endpoint=endpoint,
            status=status,
            failure=failure,
        )
        self._ended += 1
        if failure.is_transport:
            self._dead += 1
        else:
            self._latencies.append(latency_ms)

    def never_sent(self, due: Due, *, endpoint: int) -> None:
        """A request is overdue and will not be sent any more: had it been, its latency would be longer still."""
        start_s, late_s = due
        waited_ms = (self.now() - start_s) * 1e3
        self._recorder.add(
            start_s=start_s,
            late_ms=late_s * 1e3,
            lag_ms=waited_ms,
            latency_ms=waited_ms,
            size=0,
            endpoint=endpoint,
            status=0,
            failure=Failure.UNSENT,
        )

    def user_done(self) -> None:
        self._users_left -= 1
        if not self._users_left:
            self.stopped.set()

    def stop(self, reason: ErrorKind, detail: str) -> None:
        """Stop before the planned end; the first reason counts."""
        if self._reason is None:
            self._reason, self._detail = reason, detail
        self.stopped.set()

    def tick(self) -> None:
        """Look back over the last seconds; a target that has gone is not pressed any further."""
        self._ticks.append((self._ended, self._dead))
        self._ended = self._dead = 0
        ended, dead = (sum(column) for column in zip(*self._ticks, strict=True))
        full = len(self._ticks) == self._ticks.maxlen
        if full and ended >= DEAD_MINIMUM and dead > DEAD_SHARE * ended:
            self.stop(ErrorKind.UNREACHABLE, f"{dead} of the last {ended} requests got no answer")

    def pulse(self) -> Pulse:
        """How the last second went; samples so far are on disk afterwards."""
        self._recorder.flush()
        recent, self._latencies = sorted(self._latencies), []
        ticks = list(self._ticks)[-round(1 / TICK_S) :]
        return Pulse(
            at_s=self.now(),
            rate=sum(ended for ended, _ in ticks) / (len(ticks) * TICK_S),
            p95_ms=recent[int(0.95 * (len(recent) - 1))] if recent else None,
        )

    def close(self) -> Ending:
        self._recorder.close()
        return Ending(
            stopped=self._reason,
            detail=self._detail,
            requests=self._recorder.count,
            at_s=self.now(),
            examples=self.examples,
        )
