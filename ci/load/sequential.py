"""The sequential gate: what a load shows so far about the candidate, certain whenever it is asked.

Pure. All arrays have blocks along the last axis; axes before it are independent loads, so that a simulation
judges thousands at once with the very code that judges one.

References: duet benchmarking, Bulej et al., ICPE 2020 (arXiv 2001.05811); sequential canaries, Lindon et al.,
KDD 2022 (arXiv 2205.14762); e-processes, Ramdas et al. (arXiv 2210.01948).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ci.load.blocks import Blocks
from ci.load.eprocess import (
    ERROR_BETS,
    Bools,
    Floats,
    has_reached,
    log_e,
    log_e_rate_above,
    log_e_rate_below,
    log_mean_exp,
)

BLOCK_S = 0.5
COARSE_S = 1.0
"""Width of the blocks for the latency objective, and of those asked too when neighbours resemble each other."""
UNHEALTHY = 10.0
"""Evidence against the baseline itself from which its environment counts as unhealthy."""
LIKE_NEIGHBOURS = 0.3
"""Autocorrelation of neighbouring blocks above which coarse blocks are asked too."""
LIKE_MINIMUM = 6
"""Blocks below which no autocorrelation is computed."""


class Ruling(enum.IntEnum):
    """What is known."""

    OPEN = 0
    """Nothing yet: go on."""
    PASS = 1
    REGRESSION = 2
    """The candidate is slower than the baseline, or fails more often."""
    SLO_BROKEN = 3
    """The candidate breaks an absolute objective, and the baseline does not."""
    UNHEALTHY = 4
    """At the end of the time: the candidate breaks an objective, but so does the baseline."""
    INCONCLUSIVE = 5
    """At the end of the time: neither shown to be fit nor to be unfit."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What is demanded, and how sure an answer must be."""

    error_rate: float
    relative: bool = True
    """Compare with the baseline. Without one, only the objectives are judged."""
    p95_ms: float | None = None
    tolerated: float = 0.05
    """A regression up to this share is nobody's concern (δ)."""
    alpha: float = 0.01
    """Chance of an alarm without cause."""
    beta: float = 0.02
    """Chance of a pass without merit."""
    median_margin: float = 0.10
    """A pass shows that the median has not risen by more than this share, ..."""
    p95_margin: float = 0.20
    """... nor the 95th percentile by more than this."""
    earliest_pass_s: float = 10.0
    cap_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Rulings:
    """What was known after each block."""

    end_s: Floats
    at: NDArray[np.int8]
    """A `Ruling` for each block; once it is not OPEN it stays what it is."""
    regression_log_e: Floats
    """Logarithm of the evidence for a regression."""

    @property
    def last(self) -> NDArray[np.int8]:
        """The ruling of each load."""
        return self.at[..., -1]

    @property
    def seconds(self) -> Floats:
        """When each load was decided, in seconds since the warm-up; infinite while it is open."""
        decided = self.at != Ruling.OPEN
        seconds: Floats = np.where(decided.any(-1), self.end_s[decided.argmax(-1)], np.inf)
        return seconds


def judge_pairs(fine: Blocks, coarse: Blocks, demands: Demands) -> Rulings:
    """Judge blocks of `BLOCK_S`, with the same pairs in blocks of `COARSE_S`. Nothing is known of no blocks."""
    if not len(fine.end_s):
        empty = np.zeros(fine.pairs.shape)
        return Rulings(fine.end_s, empty.astype(np.int8), empty)
    wealth = 1 / demands.alpha
    when = _coarse_at(fine.end_s, coarse.end_s)
    alike = _resembles_neighbour(fine.median_log_ratio) | _resembles_neighbour(fine.p95_log_ratio)

    regression = _regression(fine, demands)
    coarse_regression = _at(_regression(coarse, demands), when, before=0.0)
    regressed = (regression >= math.log(wealth)) & (~alike | (coarse_regression >= math.log(wealth)))
    broken, unhealthy = _objectives(fine, coarse, when, demands)

    fit = _no_slower(fine, demands) & (~alike | _at(_no_slower(coarse, demands), when, before=False))
    fit &= _keeps_objectives(fine, coarse, when, demands)
    fit &= fine.end_s >= demands.earliest_pass_s

    capped = fine.end_s >= demands.cap_s
    # The first that holds counts, so a failure goes before a pass in the same block.
    at = np.select(
        [broken, regressed, fit, capped & unhealthy, np.broadcast_to(capped, fit.shape)],
        [Ruling.SLO_BROKEN, Ruling.REGRESSION, Ruling.PASS, Ruling.UNHEALTHY, Ruling.INCONCLUSIVE],
        Ruling.OPEN,
    )
    return Rulings(fine.end_s, _keep_first(at), regression)


def _regression(blocks: Blocks, demands: Demands) -> Floats:
    """The starting wealth is split over three bets: on the median, on the tail, and on the errors."""
    if not demands.relative:
        return np.zeros(blocks.pairs.shape)
    theta = math.log1p(demands.tolerated)
    return log_mean_exp(
        [
            log_e(blocks.median_log_ratio, theta, +1),
            log_e(blocks.p95_log_ratio, theta, +1),
            log_e(blocks.error_difference, 0.0, +1, ERROR_BETS),
        ]
    )


def _no_slower(blocks: Blocks, demands: Demands) -> Bools:
    """Both must be shown, so each alone may use the whole of beta (intersection-union test)."""
    if not demands.relative:
        return np.ones(blocks.pairs.shape, bool)
    median = log_e(blocks.median_log_ratio, math.log1p(demands.median_margin), -1)
    tail = log_e(blocks.p95_log_ratio, math.log1p(demands.p95_margin), -1)
    return has_reached(median, 1 / demands.beta) & has_reached(tail, 1 / demands.beta)


def _keeps_objectives(fine: Blocks, coarse: Blocks, when: NDArray[np.intp], demands: Demands) -> Bools:
    errors, pairs = fine.candidate_errors.cumsum(-1), fine.pairs.cumsum(-1)
    kept = has_reached(log_e_rate_below(errors, pairs, demands.error_rate), 1 / demands.beta)
    if demands.p95_ms is not None:
        below = log_e(np.log(coarse.candidate_p95 / demands.p95_ms), 0.0, -1)
        kept = kept & _at(has_reached(below, 1 / demands.beta), when, before=False)
    return kept


def _objectives(fine: Blocks, coarse: Blocks, when: NDArray[np.intp], demands: Demands) -> tuple[Bools, Bools]:
    """Where the candidate breaks an objective by itself, and where the baseline does so too."""
    wealth = 1 / demands.alpha
    breaks = log_e_rate_above(fine.candidate_errors, fine.pairs, demands.error_rate) >= math.log(wealth)
    excused = np.zeros_like(breaks)
    if demands.relative:
        baseline = log_e_rate_above(fine.baseline_errors, fine.pairs, demands.error_rate)
        excused = has_reached(baseline, UNHEALTHY)
    broken, unhealthy = breaks & ~excused, breaks & excused
    if demands.p95_ms is not None:
        slow = log_e(np.log(coarse.candidate_p95 / demands.p95_ms), 0.0, +1)
        breaks = _at(slow, when, before=0.0) >= math.log(wealth)
        excused = np.zeros_like(breaks)
        if demands.relative:
            baseline = log_e(np.log(coarse.baseline_p95 / demands.p95_ms), 0.0, +1)
            excused = _at(has_reached(baseline, UNHEALTHY), when, before=False)
        broken, unhealthy = broken | (breaks & ~excused), unhealthy | (breaks & excused)
    return broken, unhealthy


def _coarse_at(fine_end_s: Floats, coarse_end_s: Floats) -> NDArray[np.intp]:
    """For each fine block the last coarse block that was complete then; -1 before the first."""
    return np.searchsorted(coarse_end_s, fine_end_s + 1e-9, side="right") - 1


def _at(values: NDArray[Any], when: NDArray[np.intp], before: float | bool) -> NDArray[Any]:
    """Values of coarse blocks as they were known at fine ones."""
    if not values.shape[-1]:
        return np.full((*values.shape[:-1], len(when)), before)
    return np.where(when < 0, before, values[..., np.maximum(when, 0)])


def _resembles_neighbour(values: Floats) -> Bools:
    """Where the autocorrelation at lag 1 of all blocks so far is above `LIKE_NEIGHBOURS`."""
    x = np.where(np.isnan(values), 0.0, values)
    n = np.arange(1, x.shape[-1] + 1)
    mean, square = x.cumsum(-1) / n, (x * x).cumsum(-1)
    before = np.concatenate([np.zeros_like(x[..., :1]), x[..., :-1]], -1)
    product = (x * before).cumsum(-1)
    # Σ (x_t − m)(x_{t−1} − m) over t = 2 … n, with the sums of the tail and of the head
    tail, head = x.cumsum(-1) - x[..., :1], x.cumsum(-1) - x
    covariance = product - mean * (tail + head) + (n - 1) * mean**2
    variance = square - n * mean**2
    alike: Bools = (covariance > LIKE_NEIGHBOURS * variance) & (n >= LIKE_MINIMUM) & (variance > 0)
    return alike


def _keep_first(at: NDArray[np.int_]) -> NDArray[np.int8]:
    """The first ruling that is not OPEN stays."""
    decided = at != Ruling.OPEN
    first = np.where(decided.any(-1), decided.argmax(-1), at.shape[-1])[..., None]
    value = np.take_along_axis(at, np.minimum(first, at.shape[-1] - 1), -1)
    kept: NDArray[np.int8] = np.where(np.arange(at.shape[-1]) >= first, value, Ruling.OPEN).astype(np.int8)
    return kept
