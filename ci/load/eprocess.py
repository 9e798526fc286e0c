"""Evidence that may be looked at at any time: e-processes, as logarithms, over blocks along the last axis.

An e-process is the wealth of a gambler who bets against a hypothesis and starts with 1. While the
hypothesis holds, the wealth is a non-negative supermartingale, so it ever reaches 1/α with probability α at
most (Ville 1939; Ramdas et al., arXiv 2210.01948), whenever and however often somebody looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Bets = tuple[tuple[float, float], ...]

LATENCY_BETS: Final[Bets] = tuple((stake, slope) for stake in (0.6, 0.9) for slope in (6.0, 12.0, 36.0))
"""Largest stake and slope of each bet on a logarithm of a ratio: small slopes for noisy loads, large for fine ones."""
ERROR_BETS: Final[Bets] = tuple((stake, slope) for stake in (0.5, 0.95) for slope in (0.4, 1.5))
"""The same for a difference of two error counts."""
ALTERNATIVES: Final = (0.05, 0.1, 0.2, 0.4, 0.7)
"""Error rates, as shares of the objective, that are bet on to show that it is kept."""
RATE_STAKES: Final = (0.25, 0.5, 0.95)


def log_e(values: ArrayLike, theta: ArrayLike, side: int, bets: Bets = LATENCY_BETS) -> Floats:
    """Evidence that `side · (value − theta)` lies above zero.

    Hypothesis bet against: given the past, `side · (value − theta)` is symmetric about zero or
    stochastically smaller. Nothing is asked of its variance, its moments or the number of blocks. One block
    earns ln 1.95 at most, so a single stall proves nothing. A block without a value (NaN) is not bet on.
    """
    distance = side * (np.asarray(values, float) - np.asarray(theta, float))
    distance = np.where(np.isnan(distance), 0.0, distance)
    return log_mean_exp([np.cumsum(np.log1p(stake * np.tanh(slope * distance)), -1) for stake, slope in bets])


def log_e_rate_below(errors: ArrayLike, requests: ArrayLike, objective: float) -> Floats:
    """Evidence that the error rate is below the objective, from the counts up to each block.

    Hypothesis bet against: given the past, every request fails with probability `objective` or more.
    """
    if not 0 < objective < 1:
        return np.zeros(np.shape(errors))
    failed, served = np.asarray(errors, float), np.asarray(requests, float) - np.asarray(errors, float)
    return log_mean_exp(
        [failed * math.log(c) + served * math.log((1 - c * objective) / (1 - objective)) for c in ALTERNATIVES]
    )


def log_e_rate_above(errors: ArrayLike, requests: ArrayLike, objective: float) -> Floats:
    """Evidence that the error rate is above the objective, from the counts in each block.

    Hypothesis bet against: given the past, a block's expected share of errors is `objective` at most. Shares
    are capped, so one cluster of errors earns ln 2 at most.
    """
    n = np.maximum(np.asarray(requests, float), 1.0)
    cap = np.minimum(np.maximum(10 * objective, 2 / n), 1.0) if objective < 1 else np.ones_like(n)
    excess = (np.minimum(np.asarray(errors, float) / n, cap) - objective) / cap
    return log_mean_exp([np.cumsum(np.log1p(stake * excess), -1) for stake in RATE_STAKES])


def log_mean_exp(logs: Sequence[Floats], shares: Sequence[float] | None = None) -> Floats:
    """Logarithm of the mean wealth: a gambler who splits the starting wealth evenly, or by these shares."""
    stacked = np.stack(np.broadcast_arrays(*logs))
    split = np.full(len(logs), 1.0) if shares is None else np.asarray(shares, float)
    split = (split / split.sum()).reshape(-1, *[1] * (stacked.ndim - 1))
    top = stacked.max(0)
    finite = np.where(np.isfinite(top), top, 0.0)  # nothing but lost bets: the wealth is 0
    with np.errstate(divide="ignore"):
        result: Floats = finite + np.log((split * np.exp(stacked - finite)).sum(0))
    return result


def has_reached(log_wealth: Floats, wealth: float) -> Bools:
    """At each block: has it ever reached this wealth? What was shown stays shown."""
    shown: Bools = np.maximum.accumulate(log_wealth, -1) >= math.log(wealth)
    return shown


THETAS: Final[Floats] = np.arange(-math.log(4), math.log(4), 0.005)
"""Logarithms of the ratios that an interval is made of: from a quarter to four times, in steps of half a percent."""


def ratio_interval(log_ratios: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """At each block the ratios that are not refuted: lower and upper end, right at all times with 1 − alpha.

    It inverts `log_e` on `THETAS`: a ratio is refuted when either side has reached 2/alpha against it. An end
    that nothing is known about is 0 or infinity.
    """
    r = np.asarray(log_ratios, float)
    grid = THETAS[:, None]
    too_low = has_reached(log_e(r[None, :], grid, +1), 2 / alpha)
    too_high = has_reached(log_e(r[None, :], grid, -1), 2 / alpha)
    # log_e is monotone in theta, so what is refuted lies at the grid's ends.
    below, above = too_low.sum(0), too_high.sum(0)
    ratios = np.exp(THETAS)
    lower = np.where(below > 0, ratios[np.maximum(below, 1) - 1], 0.0)
    upper = np.where(above > 0, ratios[len(ratios) - np.maximum(above, 1)], np.inf)
    return lower, upper


def clean_requests_needed(objective: float, beta: float) -> int:
    """Requests without an error that show an error rate below the objective at level beta."""
    if not 0 < objective < 1:
        raise ValueError(f"an objective of {objective} cannot be shown to be kept by counting")
    low, high = 0, 1
    while log_e_rate_below(0, high, objective) < math.log(1 / beta):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        enough = bool(log_e_rate_below(0, middle, objective) >= math.log(1 / beta))
        low, high = (low, middle) if enough else (middle, high)
    return high
