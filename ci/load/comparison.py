"""What a load says about the candidate beside the baseline: how much slower, how sure, and where. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ci.load.blocks import MIN_PAIRS, Blocks
from ci.load.demands import Demands
from ci.load.eprocess import Floats, clean_requests_needed, log_e, log_e_rate_below, ratio_interval
from ci.load.plan import Plan
from ci.load.referee import Standing
from ci.load.sequential import Scope, log_e_from_any_start

UNCOUNTABLE = 1e-9
"""An error rate below this would take years of requests to be shown."""
LEAST_BLOCKS = 10
"""Blocks without which nothing is ever certified."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Candidate over baseline, and the interval that holds the truth at all times with the demanded certainty."""

    estimate: float
    low: float
    high: float

    @classmethod
    def of(cls, log_ratios: Floats, alpha: float) -> Ratio:
        """From the logarithms of blocks; without any nothing is known."""
        seen = log_ratios[~np.isnan(log_ratios)]
        if not len(seen):
            return cls(math.nan, 0.0, math.inf)
        low, high = ratio_interval(log_ratios, alpha)
        # What has changed on the way may have left the interval of then: a wider one holds the truth as surely.
        estimate = float(np.exp(np.median(seen)))
        ends = (estimate, float(low[-1]), float(high[-1]))
        return cls(estimate, min(ends), max(ends))

    @property
    def words(self) -> str:
        """As a change in percent, with its interval."""
        if math.isnan(self.estimate):
            return "unknown"
        low = _percent(self.low) if self.low > 0 else "?"
        high = _percent(self.high) if math.isfinite(self.high) else "?"
        return f"{_percent(self.estimate)} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One set of pairs: all of them, or those of one endpoint."""

    label: str
    index: int | None
    """Of the endpoint; none for the whole."""
    pairs: int
    typical: Ratio
    p95: Ratio
    candidate_errors: float
    """Share of requests that failed."""
    baseline_errors: float
    worse: bool
    """Certainly worse than what is tolerated, with the number of endpoints accounted for."""

    @property
    def words(self) -> str:
        errors = f"errors {self.candidate_errors:.2%} against {self.baseline_errors:.2%}"
        return f"typically {self.typical.words}, p95 {self.p95.words}, {errors}, {self.pairs} pairs"


def of_the_whole(standing: Standing, *, worse: bool) -> Comparison:
    """All pairs up to the ruling."""
    return _comparison("all requests", None, standing.blocks, standing.demands.alpha, worse)


def of_endpoints(standing: Standing, plan: Plan) -> tuple[Comparison, ...]:
    """Each endpoint's pairs up to the ruling, the worst first.

    The intervals and the accusations share one α among all endpoints (Bonferroni), so that with any number of them
    hardly ever one is accused without cause.
    """
    each = standing.demands.alpha / max(1, len(standing.endpoints))
    found = []
    for (index, scope), evidence in zip(standing.endpoints.items(), standing.rulings.endpoint_log_e, strict=True):
        before = evidence[standing.rulings.end_s <= standing.decided_s + 1e-9]
        worse = bool(len(before)) and bool(before.max() >= math.log(1 / each))
        blocks = _until(scope, standing.decided_s)
        found.append(_comparison(plan.endpoints[index].label, index, blocks, each, worse))
    return tuple(sorted(found, key=lambda one: (-one.worse, -one.p95.low, -one.typical.low, one.label)))


def _comparison(label: str, index: int | None, blocks: Blocks, alpha: float, worse: bool) -> Comparison:
    pairs = float(blocks.pairs.sum())
    return Comparison(
        label=label,
        index=index,
        pairs=int(pairs),
        typical=Ratio.of(blocks.typical_log_ratio, alpha),
        p95=Ratio.of(blocks.p95_log_ratio, alpha),
        candidate_errors=float(blocks.candidate_errors.sum()) / pairs if pairs else 0.0,
        baseline_errors=float(blocks.baseline_errors.sum()) / pairs if pairs else 0.0,
        worse=worse,
    )


def _until(scope: Scope, end_s: float) -> Blocks:
    return scope.fine.until(end_s)


# ------------------------------------------------------------------------------------------ how many it would take


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a pass needs and that was not shown."""

    what: str
    needed: int | None
    """About so many pairs would show it, as things went; None when they speak against it."""


def missing(standing: Standing) -> tuple[Missing, ...]:
    """What is missing for a pass, and how many pairs it would take."""
    blocks, demands = standing.blocks, standing.demands
    wanted = math.log(1 / demands.beta)
    pairs = float(blocks.pairs.sum())
    found = []
    if demands.relative:
        for name, values, margin in (
            ("typical latency", blocks.typical_log_ratio, demands.typical_margin),
            ("p95", blocks.p95_log_ratio, demands.p95_margin),
        ):
            wealth = log_e_from_any_start(values, blocks.end_s, math.log1p(margin))
            if not len(wealth) or wealth.max() < wanted:
                last = float(wealth[-1]) if len(wealth) else 0.0
                found.append(
                    Missing(f"that the {name} has not risen by {margin:.0%}", _extrapolated(last, wanted, blocks))
                )
    if demands.p95_ms is not None:
        felt = standing.felt.until(standing.decided_s)
        kept = log_e(np.log(felt.candidate_p95 / demands.p95_ms), 0.0, -1)
        if not len(kept) or kept.max() < wanted:
            what = f"that p95 stays below {demands.p95_ms:g} ms (load.slo.p95_ms)"
            found.append(Missing(what, _extrapolated(float(kept[-1]) if len(kept) else 0.0, wanted, felt)))
    errors = float(blocks.candidate_errors.sum())
    if 0 < demands.error_rate < 1:
        wealth_of_errors = float(log_e_rate_below(errors, pairs, demands.error_rate))
        if wealth_of_errors < wanted:
            needed = certifying_requests(int(errors), int(pairs), demands)
            found.append(Missing(f"that fewer than {demands.error_rate:.2%} of the requests fail", needed))
    return tuple(found)


def certifying_requests(errors: int, requests: int, demands: Demands) -> int | None:
    """About how many requests show that the error rate is kept, if they fail as often as those seen; None: never."""
    if demands.error_rate < UNCOUNTABLE:
        return None
    if not errors:
        return clean_requests_needed(demands.error_rate, demands.beta)
    wealth = float(log_e_rate_below(errors, requests, demands.error_rate))
    return math.ceil(requests * math.log(1 / demands.beta) / wealth) if wealth > 0 else None


def _extrapolated(wealth: float, wanted: float, blocks: Blocks) -> int | None:
    """Wealth grows about evenly with the blocks, as long as nothing changes."""
    per_block = max(MIN_PAIRS, float(blocks.pairs.mean()) if len(blocks.pairs) else 0)
    if len(blocks.pairs) < LEAST_BLOCKS:
        return math.ceil(LEAST_BLOCKS * per_block)
    return math.ceil(float(blocks.pairs.sum()) * wanted / wealth) if wealth > 0.1 else None


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.0f} %"
