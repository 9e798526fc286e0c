"""The highest rate that keeps the objectives: a ladder of rates, climbed until two rungs in a row break. Pure.

One broken rung may be a moment's stall of a neighbour; two in a row are the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from ci.load.load_run import REACHED
from ci.load.plan import Limits, Plan
from ci.load.recording import Arm
from ci.load.samples import DTYPE, Samples, quantile


@dataclass(frozen=True, slots=True)
class Rung:
    """One rate, and when it was held. With a baseline it is the rate of each arm."""

    rate: float
    from_s: float
    to_s: float
    broken: str | None
    """How it broke an objective; none when it kept them all."""


@dataclass(frozen=True)
class Climb:
    """The rungs that were judged, from the lowest up."""

    rungs: tuple[Rung, ...]

    @property
    def limit(self) -> int | None:
        """Index of the first of two broken rungs in a row; none when the ladder ended before."""
        return next((i for i, (a, b) in enumerate(pairwise(self.rungs)) if a.broken and b.broken), None)

    @cached_property
    def highest(self) -> float | None:
        """The highest rate that kept the objectives, below the limit; none when none did."""
        kept = [rung.rate for rung in self.rungs[: self.limit] if not rung.broken]
        return max(kept, default=None)

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        held = "no rate kept the objectives" if self.highest is None else f"{self.highest:.4g} requests/s were held"
        if self.limit is None:
            return f"{held}; the limit was not found below the highest rate tried (load.capacity.highest)"
        rung = self.rungs[self.limit]
        return f"{held}; at {rung.rate:.4g} requests/s {rung.broken}"


class Ladder:
    """Fed with batches while the load lasts; says when the limit is found."""

    def __init__(self, plan: Plan, limits: Limits) -> None:
        self._plan, self._limits = plan, limits
        self._batches: list[bytes] = []

    def feed(self, rows: bytes, until_s: float) -> str | None:
        """Why nothing more need be known, if so."""
        self._batches.append(rows)
        samples = Samples(np.frombuffer(b"".join(self._batches), DTYPE))
        found = climb(self._plan, self._limits, samples, until_s)
        return found.words if found.limit is not None else None


def climb(plan: Plan, limits: Limits, samples: Samples, until_s: float) -> Climb:
    """Judge every rung that was over by `until_s`."""
    rungs, from_s = [], plan.warm_up_s
    candidate = samples.arm(Arm.CANDIDATE)
    for phase in plan.phases[1:]:
        to_s = from_s + phase.duration_s
        if to_s > until_s + 1e-6:
            break
        broken = _broken(plan, limits, candidate, from_s, to_s)
        rungs.append(Rung(phase.from_rate, from_s, to_s, broken))
        from_s = to_s
    return Climb(tuple(rungs))


def _broken(plan: Plan, limits: Limits, samples: Samples, from_s: float, to_s: float) -> str | None:
    sent, due = samples.sent_within(from_s, to_s), samples.started_within(from_s, to_s)
    expected = plan.expected(from_s, to_s)
    if len(sent) < REACHED * expected:
        return f"{len(sent)} of {expected:.0f} requests could be sent in time"
    if (share := len(sent.failed) / len(sent)) > limits.error_rate:
        return f"{share:.2%} of the requests failed, at most {limits.error_rate:.2%} is wanted"
    felt = due.timed
    if len(felt) and (p95 := quantile(felt.latency_ms, 0.95)) > limits.p95_ms:
        return f"p95 was {p95:.0f} ms, at most {limits.p95_ms:g} ms is wanted"
    return None
