"""The users of one process: their clock, what they wait for, and what they have recorded."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from gevent.event import Event

from ci.load.plan import Plan
from ci.load.recording import Arm, Failure, Recorder, Sample

TICK_S = 0.25
"""Seconds between two reports."""


class Task(NamedTuple):
    """One request, or one pair of them, and when its time begins to count: at its intended start.

    Only when the load generator itself was late does it count from when that came to it, because the target
    has no part in this.
    """

    start_s: float
    late_s: float
    endpoint: int
    pair: int


class Crew:
    """Times are seconds since `begin`."""

    plan: Plan
    worker: int
    """Number of this process in its shard."""

    def __init__(self) -> None:
        self.begun = Event()
        self.stopped = Event()
        self._recorder = Recorder()
        self._started = 0.0
        self._pairs = self._joined = 0
        self._awaited: dict[int, float] = {}
        """For each user at work the intended start of what it does or will do next."""
        self._examples: dict[tuple[int, int], str] = {}
        self._news: list[tuple[int, int, str]] = []

    def join(self) -> int:
        """A new user's number in this process."""
        self._joined += 1
        self._awaited[self._joined - 1] = 0.0
        return self._joined - 1

    def begin(self, plan: Plan, worker: int) -> None:
        self.plan, self.worker, self._number = plan, worker, plan.worker_number(worker)
        self._started = time.perf_counter()
        self.begun.set()
        if not self._awaited:
            self.stopped.set()

    def now(self) -> float:
        return time.perf_counter() - self._started

    def awaits(self, user: int, intended_s: float) -> None:
        """What this user does before its next intended start is done."""
        self._awaited[user] = intended_s

    def leave(self, user: int) -> None:
        self._awaited.pop(user, None)
        if not self._awaited:
            self.stopped.set()

    def next_pair(self) -> int:
        self._pairs += 1
        return self._pairs - 1

    def record(
        self,
        task: Task,
        arm: Arm,
        *,
        sent_s: float,
        service_s: float,
        queued_s: float,
        failure: Failure,
        status: int = 0,
        size: int = 0,
    ) -> None:
        """One request has ended, or will not be sent any more.

        `queued_s` is how long its user would have waited for earlier answers of this arm, had it sent to this arm
        alone: the other arm must not make this one look slow.
        """
        self._recorder.add(
            Sample(
                start_s=task.start_s,
                late_ms=task.late_s * 1e3,
                lag_ms=max(0.0, sent_s - task.start_s) * 1e3,
                service_ms=service_s * 1e3,
                latency_ms=(queued_s + service_s) * 1e3,
                size=min(size, 2**32 - 1),
                pair=task.pair,
                endpoint=task.endpoint,
                status=status,
                worker=self._number,
                arm=arm,
                failure=failure,
            )
        )

    def example(self, arm: Arm, failure: Failure, words: str) -> None:
        """Keep the words of each kind's first failure."""
        if (arm, failure) not in self._examples:
            self._examples[arm, failure] = words
            self._news.append((arm, failure, words))

    def report(self) -> dict[str, Any]:
        """What has come since the last report. Every pair that starts before `until_s` has been reported then."""
        news, self._news = self._news, []
        done = self.stopped.is_set()
        return {
            "rows": self._recorder.take(),
            "until_s": min((*self._awaited.values(), self.now())),
            "examples": news,
            "done": done,
        }
