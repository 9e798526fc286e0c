"""A histogram of latencies whose quantiles are right to one per cent, however many are added or merged.

Buckets grow by a constant factor, as in DDSketch (Masson, Rim, Lee: VLDB 2019): bucket i holds the values from
GROWTH**(i-1) to GROWTH**i milliseconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

GROWTH = 1.02
_LOG = math.log(GROWTH)
_SHORTEST_MS = 0.01


def bucket(latency_ms: float) -> int:
    """The bucket that a latency falls into."""
    return math.ceil(math.log(max(latency_ms, _SHORTEST_MS)) / _LOG)


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(histogram)
    return dict(total)


def quantile(histogram: Mapping[int, int], share: float) -> float | None:
    """Milliseconds below which `share` of the latencies lie (nearest rank); None when there are none."""
    count = sum(histogram.values())
    if not count:
        return None
    rank = max(1, math.ceil(share * count))
    for index in sorted(histogram):
        rank -= histogram[index]
        if rank <= 0:
            return 2 * GROWTH**index / (GROWTH + 1)  # the value that is at most 1 % from both ends of the bucket
    raise AssertionError("the rank is within the count")
