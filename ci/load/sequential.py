"""The sequential gate: what a load shows so far about the candidate, certain whenever it is asked.

Pure. All arrays have blocks along the last axis; axes before it are independent loads, so that a simulation
judges thousands at once with the very code that judges one.

References: duet benchmarking, Bulej et al., ICPE 2020 (arXiv 2001.05811); sequential canaries, Lindon et al.,
KDD 2022 (arXiv 2205.14762); e-processes, Ramdas et al. (arXiv 2210.01948).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ci.load.blocks import Blocks
from ci.load.demands import Demands
from ci.load.eprocess import (
    ERROR_BETS,
    Bools,
    Floats,
    has_reached,
    log_e,
    log_mean_exp,
)
from ci.load.objectives import Objectives, as_known, known_at
from ci.load.settling import falls, lasting_log_e

BLOCK_S = 0.5
COARSE_S = 1.0
"""Width of the blocks for the latency objective, and of those asked too when neighbours resemble each other."""
LIKE_NEIGHBOURS = 0.3
"""Autocorrelation of neighbouring blocks above which coarse blocks are asked too."""
LIKE_MINIMUM = 6
"""Blocks below which no autocorrelation is computed."""
STATISTICS_SHARES = (0.6, 0.2, 0.2)
"""How the wealth bet on a regression is split over the typical request, the tail and the errors."""
ENDPOINTS_SHARE = 0.1
"""Share of that wealth that is bet on single endpoints, evenly: with it goes the control of multiplicity."""
SUSPICION = 10.0
"""Evidence of a regression, of the whole or of one endpoint, that a pass waits for to shrink or to become certain."""
STARTS_S = (0.0, 6.0, 12.0, 24.0)
"""When, after the warm-up, parts of the wealth begin to be bet on a pass, ..."""
START_SHARES = (0.85, 0.05, 0.05, 0.05)
"""... and how much of it."""


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
class Rulings:
    """What was known after each block."""

    end_s: Floats
    at: NDArray[np.int8]
    """A `Ruling` for each block; once it is not OPEN it stays what it is."""
    regression_log_e: Floats
    """Logarithm of the evidence for a regression."""
    endpoint_log_e: tuple[Floats, ...] = ()
    """The same for each endpoint alone."""
    latency_broken: Bools = field(default_factory=lambda: np.zeros(0, bool))
    """Where the latency objective was shown to be broken, whoever is to blame; likewise below."""
    errors_broken: Bools = field(default_factory=lambda: np.zeros(0, bool))
    errors_kept: Bools = field(default_factory=lambda: np.zeros(0, bool))
    baseline_latency_broken: Bools = field(default_factory=lambda: np.zeros(0, bool))
    baseline_errors_broken: Bools = field(default_factory=lambda: np.zeros(0, bool))

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


@dataclass(frozen=True, slots=True)
class Scope:
    """The same pairs in blocks of `BLOCK_S` and of `COARSE_S`."""

    fine: Blocks
    coarse: Blocks


def judge_pairs(
    fine: Blocks, coarse: Blocks, demands: Demands, *, felt: Blocks | None = None, endpoints: Sequence[Scope] = ()
) -> Rulings:
    """Judge blocks of `BLOCK_S`, with the same pairs in blocks of `COARSE_S`. Nothing is known of no blocks.

    `felt` are coarse blocks of what users felt, for the latency objective (`coarse` when not given). With
    `endpoints`, evidence against one of them alone counts too, at its share of the wealth.
    """
    if not len(fine.end_s):
        empty = np.zeros(fine.pairs.shape)
        return Rulings(fine.end_s, empty.astype(np.int8), empty, tuple(empty for _ in endpoints))
    wealth = math.log(1 / demands.alpha)
    felt = coarse if felt is None else felt

    singly = [_regression(scope, demands) for scope in endpoints]
    apart = [
        as_known(e, known_at(fine.end_s, scope.fine.end_s), 0.0) for e, scope in zip(singly, endpoints, strict=True)
    ]
    whole = _regression(Scope(fine, coarse), demands)
    regression = log_mean_exp([whole, log_mean_exp(apart)], (1 - ENDPOINTS_SHARE, ENDPOINTS_SHARE)) if apart else whole

    objectives = Objectives.of(fine, felt, demands)
    suspected = np.max([whole, *apart], axis=0) >= math.log(SUSPICION)
    fit = _no_slower(fine, coarse, demands) & objectives.kept & ~suspected & (fine.end_s >= demands.earliest_pass_s)
    capped = fine.end_s >= demands.cap_s - 1e-9
    # The first that holds counts, so a failure goes before a pass in the same block.
    at = np.select(
        [objectives.broken, regression >= wealth, fit, capped & objectives.excused, np.broadcast_to(capped, fit.shape)],
        [Ruling.SLO_BROKEN, Ruling.REGRESSION, Ruling.PASS, Ruling.UNHEALTHY, Ruling.INCONCLUSIVE],
        Ruling.OPEN,
    )
    return Rulings(
        fine.end_s,
        _keep_first(at),
        regression,
        tuple(apart),
        latency_broken=objectives.latency_broken,
        errors_broken=objectives.errors_broken,
        errors_kept=objectives.errors_kept,
        baseline_latency_broken=objectives.baseline_latency_broken,
        baseline_errors_broken=objectives.baseline_errors_broken,
    )


def _regression(scope: Scope, demands: Demands) -> Floats:
    """Evidence of a regression after each fine block: the starting wealth is split over three bets."""
    fine = scope.fine
    if not demands.relative or not len(fine.end_s):
        return np.zeros(fine.pairs.shape)
    theta, alike = math.log1p(demands.tolerated), _alike(fine)
    when = known_at(fine.end_s, scope.coarse.end_s)
    all_fall = falls(fine.typical_log_ratio, fine.end_s)
    tail_falls = all_fall | falls(fine.p95_log_ratio, fine.end_s)

    def slower(values: Floats, coarse: Floats, falling: Bools) -> Floats:
        """Less where neighbours resemble each other: the lesser of two keeps the guarantee of either."""
        evidence = lasting_log_e(values, fine.end_s, theta, falling)
        coarser = as_known(log_e(coarse, theta, +1), when, before=0.0)
        return np.where(alike, np.minimum(evidence, coarser), evidence)

    return log_mean_exp(
        [
            slower(fine.typical_log_ratio, scope.coarse.typical_log_ratio, all_fall),
            slower(fine.p95_log_ratio, scope.coarse.p95_log_ratio, tail_falls),
            log_e(fine.error_difference, 0.0, +1, ERROR_BETS),
        ],
        STATISTICS_SHARES,
    )


def _no_slower(fine: Blocks, coarse: Blocks, demands: Demands) -> Bools:
    """Both must be shown, so each alone may use the whole of beta (intersection-union test)."""
    if not demands.relative:
        return np.ones(fine.pairs.shape, bool)

    def shown(blocks: Blocks) -> Bools:
        typical = log_e_from_any_start(blocks.typical_log_ratio, blocks.end_s, math.log1p(demands.typical_margin))
        tail = log_e_from_any_start(blocks.p95_log_ratio, blocks.end_s, math.log1p(demands.p95_margin))
        return has_reached(typical, 1 / demands.beta) & has_reached(tail, 1 / demands.beta)

    when = known_at(fine.end_s, coarse.end_s)
    coarser: Bools = as_known(shown(coarse), when, before=False)
    return shown(fine) & (~_alike(fine) | coarser)


def log_e_from_any_start(values: Floats, end_s: Floats, theta: float) -> Floats:
    """Evidence that the values lie below theta; some of the wealth waits until a cold start is over."""
    begun = [np.where(end_s > start_s, values, np.nan) for start_s in STARTS_S]
    return log_mean_exp([log_e(later, theta, -1) for later in begun], START_SHARES)


def _alike(blocks: Blocks) -> Bools:
    return _resembles_neighbour(blocks.typical_log_ratio) | _resembles_neighbour(blocks.p95_log_ratio)


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
