"""The absolute objectives: what is shown about them after each block, for either arm. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ci.load.blocks import Blocks
from ci.load.demands import Demands
from ci.load.eprocess import Bools, Floats, has_reached, log_e, log_e_rate_above, log_e_rate_below
from ci.load.settling import falls, lasting_log_e

UNHEALTHY = 10.0
"""Evidence against the baseline itself from which its environment counts as unhealthy."""


@dataclass(frozen=True, slots=True)
class Objectives:
    """After each block: what was shown about the absolute objectives, of either arm."""

    errors_broken: Bools
    errors_kept: Bools
    latency_broken: Bools
    latency_kept: Bools
    baseline_errors_broken: Bools
    baseline_latency_broken: Bools

    @classmethod
    def of(cls, fine: Blocks, felt: Blocks, demands: Demands) -> Objectives:
        no = np.zeros(fine.pairs.shape, bool)
        objective, wealth = demands.error_rate, 1 / demands.alpha
        errors, pairs = fine.candidate_errors.cumsum(-1), fine.pairs.cumsum(-1)
        found = cls(
            errors_broken=has_reached(log_e_rate_above(fine.candidate_errors, fine.pairs, objective), wealth),
            errors_kept=has_reached(log_e_rate_below(errors, pairs, objective), 1 / demands.beta),
            latency_broken=no,
            latency_kept=~no,
            baseline_errors_broken=no,
            baseline_latency_broken=no,
        )
        if demands.relative:
            baseline = log_e_rate_above(fine.baseline_errors, fine.pairs, objective)
            found = replace(found, baseline_errors_broken=has_reached(baseline, UNHEALTHY))
        if demands.p95_ms is not None:
            found = replace(found, **_latency(fine.end_s, felt, demands.p95_ms, demands))
        return found

    @property
    def kept(self) -> Bools:
        return self.errors_kept & self.latency_kept

    @property
    def broken(self) -> Bools:
        """The candidate breaks one by itself."""
        latency, errors = self.latency_broken, self.errors_broken
        return (latency & ~self.baseline_latency_broken) | (errors & ~self.baseline_errors_broken)

    @property
    def excused(self) -> Bools:
        """The candidate breaks one, but so does the baseline."""
        latency, errors = self.latency_broken, self.errors_broken
        return (latency & self.baseline_latency_broken) | (errors & self.baseline_errors_broken)


def _latency(fine_end_s: Floats, felt: Blocks, limit_ms: float, demands: Demands) -> dict[str, Bools]:
    when = known_at(fine_end_s, felt.end_s)

    def shown(log_wealth: Floats, wealth: float) -> Bools:
        return as_known(has_reached(log_wealth, wealth), when, before=False)

    # Asked of the candidate alone: evidence against the baseline excuses it, so it may not be held back more often.
    falling = falls(felt.candidate_p95, felt.end_s)

    def slow(p95: Floats) -> Floats:
        return lasting_log_e(np.log(p95 / limit_ms), felt.end_s, 0.0, falling)

    found = {
        "latency_broken": shown(slow(felt.candidate_p95), 1 / demands.alpha),
        "latency_kept": shown(log_e(np.log(felt.candidate_p95 / limit_ms), 0.0, -1), 1 / demands.beta),
    }
    if demands.relative:
        found["baseline_latency_broken"] = shown(slow(felt.baseline_p95), UNHEALTHY)
    return found


def overwhelmed_s(ended: Blocks, demands: Demands) -> float:
    """When the candidate had certainly broken the latency objective by itself; infinite if it has not.

    `ended` are coarse blocks of what users felt by the time of the answer, not of the question. A target that answers
    ever later leaves more and more open, so that nothing is complete by the time of the question. Those that are
    answered are the faster ones: when even they are too slow, it is certain, and no others need be waited for.
    """
    if demands.p95_ms is None or not len(ended.end_s):
        return math.inf
    found = _latency(ended.end_s, ended, demands.p95_ms, demands)
    broken = found["latency_broken"] & ~found.get("baseline_latency_broken", np.zeros(len(ended.end_s), bool))
    return float(ended.end_s[broken.argmax()]) if broken.any() else math.inf


def known_at(fine_end_s: Floats, coarse_end_s: Floats) -> NDArray[np.intp]:
    """For each fine block the last other block that was complete then; -1 before the first."""
    return np.searchsorted(coarse_end_s, fine_end_s + 1e-9, side="right") - 1


def as_known(values: NDArray[Any], when: NDArray[np.intp], before: float | bool) -> NDArray[Any]:
    """Values of other blocks as they were known at fine ones."""
    if not values.shape[-1]:
        return np.full((*values.shape[:-1], len(when)), before)
    return np.where(when < 0, before, values[..., np.maximum(when, 0)])
