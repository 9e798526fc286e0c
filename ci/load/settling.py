"""Is a difference there to stay? A candidate that has only just started is slow for a while: that is no regression.

Pure. Conditions that hold an alarm back can only make it rarer, so the guarantee of the evidence stays as it is.
"""

from __future__ import annotations

import numpy as np

from ci.load.eprocess import Bools, Floats

EARLIEST_S = 6.0
"""No latency is called a regression sooner: a start that takes until then is still a start."""
SETTLED_S = 20.0
"""From here on a falling trend is no cold start any more."""
MINIMUM = 6
"""Blocks below which there is no trend."""
FALLING = -0.5
"""t-statistic of the slope below which a difference fades, if it will be gone when as much time has passed again."""
CLEARLY_FALLING = -1.5


def lasting(values: Floats, end_s: Floats, theta: float) -> Bools:
    """After each block: has the difference lasted until now, and is it not about to vanish?

    It has lasted when the mean of the later half of the blocks is above theta. It is about to vanish when the straight
    line through the blocks so far falls below theta before as many blocks again have passed.
    """
    x = np.where(np.isnan(values), 0.0, values)
    level, slope, t = _line(x)
    k = np.arange(1, x.shape[-1] + 1)
    ahead = level + slope * (2 * k - (k - 1) / 2)
    fading = (t < FALLING) & (ahead < theta) & (end_s < SETTLED_S)
    late: Bools = (end_s >= EARLIEST_S) & (k >= MINIMUM)
    return late & ~fading & (_later_half(x) > theta)


def fading_clearly(values: Floats, end_s: Floats) -> Bools:
    """After each block: do the values fall, as after a cold start?"""
    falling: Bools = _line(np.where(np.isnan(values), 0.0, values))[2] < CLEARLY_FALLING
    return falling & (end_s < SETTLED_S)


def _line(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Least squares over the blocks so far: mean, slope per block, and the slope's t-statistic."""
    k = np.arange(1, x.shape[-1] + 1)
    when = k - 1.0
    mean = x.cumsum(-1) / k
    spread = np.maximum(k * (k * k - 1) / 12, 1e-12)  # Σ (when − mean when)²
    slope = ((x * when).cumsum(-1) - mean * when.cumsum()) / spread
    left = np.maximum((x * x).cumsum(-1) - k * mean**2 - slope**2 * spread, 1e-12)
    t: Floats = slope / np.sqrt(left / np.maximum(k - 2, 1) / spread)
    return mean, slope, t


def _later_half(x: Floats) -> Floats:
    """Mean of the later half of the blocks so far."""
    k = np.arange(1, x.shape[-1] + 1)
    sums = np.concatenate([np.zeros_like(x[..., :1]), x.cumsum(-1)], -1)
    half: Floats = (sums[..., 1:] - sums[..., k // 2]) / (k - k // 2)
    return half
