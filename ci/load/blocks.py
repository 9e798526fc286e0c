"""Pairs of requests, and blocks of them in time: what the sequential gate sees of a load."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from ci.load.eprocess import Bools, Floats

MIN_PAIRS = 8
"""A block with fewer is merged into the next."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same request to both arms at nearly the same time, one pair per row. Latencies in milliseconds.

    A timed-out side has failed, and its latency is the time-out; `timed` tells whether both latencies mean
    something (answered as wanted, or timed out).
    """

    start_s: Floats
    baseline_ms: Floats
    candidate_ms: Floats
    baseline_failed: Bools
    candidate_failed: Bools
    timed: Bools

    def sorted(self) -> Pairs:
        """The same pairs in the order of their start."""
        order = np.argsort(self.start_s, kind="stable")
        return Pairs(*(getattr(self, field.name)[order] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Statistics of blocks along the last axis; any axes before it are independent loads. NaN: not enough latencies."""

    end_s: Floats
    """When each block ends, in seconds since the warm-up; common to all loads."""
    pairs: Floats
    baseline_errors: Floats
    candidate_errors: Floats
    baseline_p95: Floats
    candidate_p95: Floats
    median_log_ratio: Floats
    """Median over the pairs of log(candidate / baseline)."""

    @property
    def p95_log_ratio(self) -> Floats:
        ratio: Floats = np.log(self.candidate_p95 / self.baseline_p95)
        return ratio

    @property
    def error_difference(self) -> Floats:
        difference: Floats = self.candidate_errors - self.baseline_errors
        return difference


def cut(pairs: Pairs, width_s: float, *, until_s: float, min_pairs: int = MIN_PAIRS) -> Blocks:
    """Cut pairs into blocks by their start. Only blocks that end by `until_s` count.

    `until_s` is the start of the oldest pair that is still under way: later blocks are not complete, and
    their slowest pairs are the ones missing.
    """
    ordered = pairs.sorted()
    ends = _ends(ordered.start_s, width_s, until_s, min_pairs)
    bounds = np.searchsorted(ordered.start_s, [0.0, *ends])
    rows = [_summary(ordered, slice(low, high), min_pairs) for low, high in pairwise(bounds)]
    return Blocks(np.array(ends, float), *np.array(rows, float).reshape(len(rows), 6).T)


def _ends(ordered_s: Floats, width_s: float, until_s: float, min_pairs: int) -> list[float]:
    ends: list[float] = []
    begun = 0
    for number in range(1, int(until_s / width_s + 1e-9) + 1):
        done = int(np.searchsorted(ordered_s, number * width_s))
        if done - begun >= min_pairs:
            ends.append(number * width_s)
            begun = done
    return ends


def _summary(pairs: Pairs, inside: slice, min_pairs: int) -> tuple[float, ...]:
    timed = pairs.timed[inside]
    b, c = pairs.baseline_ms[inside][timed], pairs.candidate_ms[inside][timed]
    counts = (len(timed), pairs.baseline_failed[inside].sum(), pairs.candidate_failed[inside].sum())
    if len(b) < min_pairs:
        return (*counts, np.nan, np.nan, np.nan)
    return (*counts, np.quantile(b, 0.95), np.quantile(c, 0.95), np.median(np.log(c / b)))
