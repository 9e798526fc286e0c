"""Is a difference there to stay? A candidate that has only just started is slow for a while: that is no regression.

Pure. Whatever is held back here only makes an alarm rarer, so the guarantee of the evidence stays as it is.
"""

from __future__ import annotations

import numpy as np

from ci.load.eprocess import Bools, Floats, log_e

EARLIEST_S = 6.0
"""No latency is called a regression sooner."""
OVER_S = 10.0
"""By then a cold start is over: where a difference falls, only later blocks are evidence."""
WATCHED_S = 20.0
"""What falls later than this is no cold start, so the trend stays what it was."""
FALLING = 0.5
"""Kendall's statistic from which values fall, in standard deviations of what chance does to values that do not. So
low because an error is cheap on this side (some seconds until later blocks alone are evidence enough)."""


def lasting_log_e(values: Floats, end_s: Floats, theta: float, falling: Bools) -> Floats:
    """`log_e` for values above theta, as far as they are there to stay.

    Nothing before `EARLIEST_S`; and where the values are falling, no more than the blocks after `OVER_S` show alone.
    """
    whole = log_e(values, theta, +1)
    later = log_e(np.where(end_s > OVER_S, values, np.nan), theta, +1)
    lasting = np.where(falling, np.minimum(whole, later), whole)
    return np.where(end_s >= EARLIEST_S, lasting, -np.inf)


def falls(values: Floats, end_s: Floats) -> Bools:
    """After each block: have the values fallen since the beginning, by the order of all pairs of blocks so far?

    Kendall, A New Measure of Rank Correlation, 1938: only the order counts, so no stall can hide a trend or make one.
    """
    watched = int(np.searchsorted(end_s, WATCHED_S + 1e-9, side="right"))
    first = values[..., :watched]
    if not watched:
        return np.zeros(values.shape, bool)
    lower_now = np.nan_to_num(np.sign(first[..., :, None] - first[..., None, :]))
    pairs_that_fall = np.triu(lower_now).sum(-2).cumsum(-1)
    k = np.arange(1, watched + 1)
    deviation = np.sqrt(k * (k - 1) * (2 * k + 5) / 18)
    falling = pairs_that_fall > FALLING * deviation
    stays = np.repeat(falling[..., -1:], values.shape[-1] - watched, -1)
    return np.concatenate([falling, stays], -1)
