"""Two deployments of the same code against each other: how often is there an alarm, how unlike are their places? Pure.

A deployment may land on a slower machine than its twin. The gate cannot tell that from a slower release, so a team
measures it once and tolerates as much (`load.regression.delta`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci.load.comparison import of_the_whole
from ci.load.judge import chance_of_as_many
from ci.load.load_run import LoadRun
from ci.load.sequential import Ruling

CONFIDENCE = 0.95
"""Of the interval for the rate of false alarms."""
COVERAGE = 0.99
"""Share of future runs whose ratio the proposed tolerance covers."""
LEAST_DELTA = 0.02
"""No smaller tolerance is ever proposed: nobody feels it, and it would take minutes to show."""
STEP = 0.005


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the gate with equal arms."""

    ruling: Ruling
    seconds: float
    """Until the ruling; infinite without one."""
    typical: float
    """Logarithm of candidate over baseline; NaN when nothing was measured."""
    p95: float

    @classmethod
    def of(cls, run: LoadRun) -> Trial:
        whole = of_the_whole(run.standing, worse=False)
        return cls(run.ruling, run.standing.decided_s, math.log(whole.typical.estimate), math.log(whole.p95.estimate))

    @property
    def is_alarm(self) -> bool:
        return self.ruling in (Ruling.REGRESSION, Ruling.SLO_BROKEN)


@dataclass(frozen=True, slots=True)
class Bias:
    """How much slower the one place is than the other, as a share, over all trials."""

    mean: float
    spread: float
    """Standard deviation from trial to trial."""
    bound: float
    """What the next trial's ratio stays below with `COVERAGE`, whichever of the two is the slower."""

    @classmethod
    def of(cls, logs: Sequence[float]) -> Bias:
        """From two trials at least."""
        n, mean, spread = len(logs), statistics.fmean(logs), statistics.stdev(logs)
        bound = abs(mean) + t_quantile(COVERAGE, n - 1) * spread * math.sqrt(1 + 1 / n)
        return cls(math.expm1(mean), math.expm1(spread), math.expm1(bound))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the trials together tell."""

    trials: tuple[Trial, ...]
    typical: Bias
    p95: Bias

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Calibration:
        """From two trials at least that measured something."""
        return cls(
            tuple(trials), Bias.of([trial.typical for trial in trials]), Bias.of([trial.p95 for trial in trials])
        )

    @property
    def alarms(self) -> int:
        return sum(trial.is_alarm for trial in self.trials)

    @property
    def alarm_rate(self) -> tuple[float, float]:
        """The interval that holds the true rate of alarms (Clopper and Pearson 1934)."""
        return proportion_interval(self.alarms, len(self.trials), CONFIDENCE)

    @property
    def proposed_delta(self) -> float:
        """What `load.regression.delta` should be, so that the placement alone is hardly ever called a regression."""
        needed = max(self.typical.bound, self.p95.bound, LEAST_DELTA)
        return round(math.ceil(needed / STEP - 1e-9) * STEP, 4)


def proportion_interval(hits: int, trials: int, confidence: float) -> tuple[float, float]:
    """The exact interval for a proportion, by bisection of the binomial tails (Clopper and Pearson 1934)."""
    each = (1 - confidence) / 2
    low = _bisect(lambda rate: chance_of_as_many(hits, trials, rate) < each) if hits else 0.0
    high = _bisect(lambda rate: 1 - chance_of_as_many(hits + 1, trials, rate) > each) if hits < trials else 1.0
    return low, high


def t_quantile(share: float, freedom: int) -> float:
    """Quantile of Student's t, by its expansion around the normal's (Abramowitz and Stegun 26.7.5)."""
    z = statistics.NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(freedom**power) for power, term in enumerate(terms, 1))


def _bisect(is_below: Callable[[float], bool]) -> float:
    """The rate up to which `is_below` holds."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
