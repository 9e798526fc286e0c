"""What rises while a steady load lasts: latency, and memory where the application tells of it. Pure.

A trend is Theil and Sen's: the median of all slopes between two points, which a few stalls cannot move; whether there
is one at all is asked of Mann and Kendall's test, which wants no distribution. With a baseline, latency is the
candidate's divided by the baseline's of the same moment, so that what both suffer is no drift.

References: Sen 1968, doi:10.1080/01621459.1968.10480934; Mann 1945, doi:10.2307/1907187.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ci.engine.check import check, finding
from ci.errors import CannotRun, NotApplicable
from ci.load.checks import DRIFT
from ci.load.load_run import LoadRun
from ci.load.plan import Plan
from ci.load.samples import Floats, Samples
from ci.model import ErrorKind, Evidence, Finding, Location

BLOCKS = 24
"""Parts of the load that are compared."""
BLOCK_MINIMUM = 10
"""Requests in a part below which it tells nothing."""
LEAST = 8
"""Points below which no trend is computed."""
CERTAIN_Z = 2.576
"""Normal quantile for a chance of 1 % on both sides: of an alarm without a trend, and for the interval."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How much a value has risen from the first point to the last, as a share of where it began, with an interval."""

    rise: float
    low: float
    high: float
    certain: bool
    """Whether it rises or falls at all."""

    @property
    def words(self) -> str:
        return f"{self.rise:+.1%} from beginning to end, 99 % interval {self.low:+.1%} to {self.high:+.1%}"


@check(DRIFT)
def drift(run: LoadRun) -> Iterator[Evidence | Finding]:
    """A value that certainly rises, and by more than is tolerated."""
    if run.plan.profile != "soak":
        raise NotApplicable("only a long, steady load shows a drift: set load.profile to soak")
    what = "median latency divided by the baseline's" if run.paired else "median latency"
    yield from _judged(run, what, *latency_over_time(run.plan, run.samples))
    told = run.ending.memory
    if told is not None:
        if run.ending.memory_problem:
            raise CannotRun(ErrorKind.NO_DATA, f"the target did not tell its memory: {run.ending.memory_problem}")
        yield from _judged(run, "memory", *np.array(told, float).reshape(len(told), 2).T)


def _judged(run: LoadRun, what: str, seconds: Floats, values: Floats) -> Iterator[Evidence | Finding]:
    if len(values) < LEAST:
        raise CannotRun(
            ErrorKind.NO_DATA,
            f"{len(values)} points of the {what} were seen, at least {LEAST} are wanted; lengthen load.duration",
        )
    found = trend(seconds, values)
    seen = Evidence(summary=f"{what}: {found.words}, of {len(values)} points in {np.ptp(seconds):.0f} s")
    yield seen
    if found.certain and found.rise > run.limits.drift:
        yield finding(
            DRIFT,
            f"the {what} rises under a steady load: {found.words}; at most {run.limits.drift:+.0%} is wanted",
            at=Location(url=run.plan.url),
            evidence=(seen,),
            key=what,
        )


def latency_over_time(plan: Plan, samples: Samples) -> tuple[Floats, Floats]:
    """The middle of each part of the load and the median service time there, in ms or as a ratio to the baseline's."""
    bounds = np.linspace(plan.warm_up_s, plan.end_s, BLOCKS + 1)
    points = []
    for from_s, to_s in pairwise(bounds):
        medians = [_median(samples.arm(arm).started_within(from_s, to_s)) for arm in plan.arms]
        if all(medians):
            points.append(((from_s + to_s) / 2, medians[0] / (medians[1] if len(medians) > 1 else 1.0)))
    seconds, values = np.array(points, float).reshape(len(points), 2).T
    return seconds, values


def _median(samples: Samples) -> float:
    answered = samples.timed.service_ms
    return float(np.median(answered)) if len(answered) >= BLOCK_MINIMUM else 0.0


def trend(seconds: Sequence[float] | Floats, values: Sequence[float] | Floats) -> Trend:
    """The trend of positive values at rising times; at least two of them."""
    t, y = np.asarray(seconds, float), np.log(np.asarray(values, float))
    n = len(t)
    i, j = np.triu_indices(n, 1)
    slopes = np.sort((y[j] - y[i]) / (t[j] - t[i]))
    spread = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    score = float(np.sign(y[j] - y[i]).sum())
    aside = CERTAIN_Z * spread
    low, high = (round((len(slopes) + side * aside) / 2) for side in (-1, 1))
    picked = slopes[max(low, 0)], np.median(slopes), slopes[min(high, len(slopes) - 1)]
    least, rise, most = (math.expm1(float(slope) * float(np.ptp(t))) for slope in picked)
    return Trend(rise=rise, low=least, high=most, certain=abs(score) - 1 > aside)
