"""Pairs of requests, and blocks of them in time: what the sequential gate sees of a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ci.load.eprocess import Bools, Floats

MIN_PAIRS = 8
"""A block with fewer is merged into the next."""
TRIMMED = 0.15
"""Share of a block's pairs, at either end, that its typical ratio leaves out. A median would leave out nearly all, and
need half as many pairs again to be as sure; a plain mean would let a single stall speak for the block."""


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

    def __len__(self) -> int:
        return len(self.start_s)

    def __getitem__(self, which: Bools | slice | np.ndarray) -> Pairs:
        return Pairs(*(getattr(self, field.name)[which] for field in fields(self)))

    def sorted(self) -> Pairs:
        """The same pairs in the order of their start."""
        return self[np.argsort(self.start_s, kind="stable")]

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """All pairs of the parts, which are one at least."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


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
    typical_log_ratio: Floats
    """What log(candidate / baseline) is for most pairs: its mean without the `TRIMMED` at either end."""

    def until(self, end_s: float) -> Blocks:
        """The blocks that ended by then."""
        ended = self.end_s <= end_s + 1e-9
        return Blocks(*(getattr(self, field.name)[..., ended] for field in fields(self)))

    @property
    def p95_log_ratio(self) -> Floats:
        ratio: Floats = np.log(self.candidate_p95 / self.baseline_p95)
        return ratio

    @property
    def error_difference(self) -> Floats:
        difference: Floats = self.candidate_errors - self.baseline_errors
        return difference


class Cutter:
    """Cuts pairs into blocks by their start as they come in. Only blocks that have certainly ended are cut.

    A block is never touched again, so cutting early and often gives what cutting once at the end does.
    """

    def __init__(self, width_s: float, min_pairs: int = MIN_PAIRS) -> None:
        self._width_s = width_s
        self._min_pairs = min_pairs
        self._pending: list[Pairs] = []
        self._number = 0
        """Widths that are over."""
        self._rows: list[tuple[float, ...]] = []

    def add(self, pairs: Pairs, *, until_s: float) -> None:
        """Take more pairs, in any order, and close the blocks that end by `until_s`.

        `until_s` is the start of the oldest pair that is still under way: later blocks are not complete, and
        their slowest pairs are the ones missing.
        """
        if len(pairs):
            self._pending.append(pairs)
        last = int(until_s / self._width_s + 1e-9)
        if last <= self._number or not self._pending:
            self._number = max(self._number, last)
            return
        waiting = Pairs.joined(self._pending).sorted()
        begun = int(np.searchsorted(waiting.start_s, 0.0))
        for number in range(self._number + 1, last + 1):
            end_s = number * self._width_s
            done = int(np.searchsorted(waiting.start_s, end_s))
            if done - begun >= self._min_pairs:
                self._rows.append((end_s, *_summary(waiting[begun:done], self._min_pairs)))
                begun = done
        self._number = last
        self._pending = [waiting[begun:]]

    @property
    def blocks(self) -> Blocks:
        columns = np.array(self._rows, float).reshape(len(self._rows), 7).T
        return Blocks(*columns)


def cut(pairs: Pairs, width_s: float, *, until_s: float, min_pairs: int = MIN_PAIRS) -> Blocks:
    """Cut all pairs at once; see `Cutter`."""
    cutter = Cutter(width_s, min_pairs)
    cutter.add(pairs, until_s=until_s)
    return cutter.blocks


def _summary(pairs: Pairs, min_pairs: int) -> tuple[float, ...]:
    b, c = pairs.baseline_ms[pairs.timed], pairs.candidate_ms[pairs.timed]
    counts = (len(pairs), pairs.baseline_failed.sum(), pairs.candidate_failed.sum())
    if len(b) < min_pairs:
        return (*counts, np.nan, np.nan, np.nan)
    return (*counts, _quantile(b, 0.95), _quantile(c, 0.95), _trimmed_mean(np.log(c / b)))


def _trimmed_mean(values: Floats) -> float:
    ordered, cut_off = np.sort(values), int(len(values) * TRIMMED)
    return float(ordered[cut_off : len(ordered) - cut_off].mean())


def _quantile(values: Floats, share: float) -> float:
    """As numpy's, interpolated; for the few values of a block its generality takes ten times as long."""
    ordered = np.sort(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
