"""Judging a load by its samples: pure, numpy only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ci.engine.check import check, finding
from ci.errors import CannotRun
from ci.load.checks import ERROR_RATE, LATENCY, VOLUME
from ci.load.plan import Endpoint, Limits, Plan
from ci.load.recording import Ending
from ci.load.samples import Samples, quantile
from ci.model import ErrorKind, Evidence, Finding, Location

REACHED = 0.8
"""Share of the intended rate below which the load counts as not reached."""
BLUR = 0.5
"""Share of the latency limit by which the generator may be late before the target is no longer blamed."""
ENDPOINT_MINIMUM = 40
"""Timed requests below which one endpoint's 95th percentile is left alone: three outliers would decide it."""
CERTAINTY = 0.001
"""Chance at which an endpoint, or a few requests, that keep the objective may be accused of breaking it."""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """One load that has ended."""

    plan: Plan
    limits: Limits
    samples: Samples
    ending: Ending

    @property
    def judged(self) -> Samples:
        """What was sent after the warm-up."""
        return self.samples.sent_within(self.plan.warm_up_s, math.inf)

    @property
    def felt(self) -> Samples:
        """What was due after the warm-up, sent or not, with a latency that means something."""
        return self.samples.started_within(self.plan.warm_up_s, self.plan.end_s).timed

    @property
    def rate(self) -> float:
        """Requests per second sent after the warm-up, over the whole planned time."""
        return len(self.samples.sent_within(self.plan.warm_up_s, self.plan.end_s)) / self.plan.duration_s

    @property
    def own_lateness_ms(self) -> float:
        """How late the load generator itself was, at its 95th percentile: that blurs every latency by as much."""
        return quantile(self.judged.rows["late"], 0.95) if len(self.judged) else 0.0

    def shortfall(self) -> str | None:
        """Why the intended load was not reached, or None when it was."""
        judged = self.judged
        if self.ending.stopped:
            return f"the load was stopped after {self.ending.at_s:.1f} s of {self.plan.end_s:g} s: {self.ending.detail}"
        if len(judged) < self.limits.min_requests:
            return (
                f"{len(judged)} requests were judged, at least {self.limits.min_requests} are wanted "
                "(load.min_requests); lengthen load.duration or raise load.rate"
            )
        if self.rate < REACHED * self.plan.rate:
            return (
                f"{self.rate:.1f} of the intended {self.plan.rate:g} requests/s were made, at least {REACHED:.0%} are "
                f"wanted; {self._why_slow(judged)}"
            )
        return None

    def _why_slow(self, judged: Samples) -> str:
        busy_s = float(judged.service_ms.sum()) / 1e3
        share = min(1.0, busy_s / (self.plan.users * self.plan.duration_s))
        if share > 0.5:
            return f"the users were waiting for answers {share:.0%} of the time: the target is too slow for this load"
        return (
            f"the users were waiting for answers only {share:.0%} of the time: "
            "this machine was too busy to make the load, run it where there is more processor time"
        )


@check(LATENCY)
def latency(run: LoadRun) -> Iterator[Evidence | Finding]:
    """p95 of all requests from their intended start, and of each endpoint from its own sending."""
    felt = run.felt
    if len(felt) < run.limits.min_requests:
        raise CannotRun(
            ErrorKind.NO_DATA,
            f"{len(felt)} requests have a latency that means something (an error's speed does not count), at least "
            f"{run.limits.min_requests} are wanted (load.min_requests)",
        )
    limit = run.limits.p95_ms
    overall = quantile(felt.latency_ms, 0.95)
    summary = f"p95 {overall:.0f} ms of {len(felt)} requests from their intended start, limit {limit:g} ms"
    if felt.unsent:
        summary += f"; {felt.unsent} of them were never sent, for their users waited for answers until the end"
    seen = Evidence(summary=summary, excerpt=breakdown(run))
    yield seen
    if overall > limit and run.own_lateness_ms > BLUR * limit:
        raise CannotRun(
            ErrorKind.NO_DATA,
            f"p95 is {overall:.0f} ms, but this machine itself was {run.own_lateness_ms:.0f} ms late: too busy to "
            f"judge a limit of {limit:g} ms; run it where there is more processor time",
        )
    broken = False
    if overall > limit:
        broken = True
        yield finding(
            LATENCY,
            f"p95 is {overall:.0f} ms, at most {limit:g} ms is wanted at {run.plan.rate:g} requests/s",
            at=Location(url=run.plan.url),
            evidence=(seen,),
            key="total",
        )
    for endpoint, samples in _endpoints(run, run.judged.timed):
        p95 = quantile(samples.service_ms, 0.95) if len(samples) >= ENDPOINT_MINIMUM else 0.0
        if p95 > limit:
            broken = True
            yield finding(
                LATENCY,
                f"{endpoint.label}: p95 is {p95:.0f} ms of {len(samples)} requests, at most {limit:g} ms is wanted",
                at=Location(url=run.plan.url + endpoint.path),
                key=endpoint.label,
            )
    if not broken:
        _demand_reached(run)


@check(ERROR_RATE)
def error_rate(run: LoadRun) -> Iterator[Evidence | Finding]:
    """Share of failed requests, counted by kind, and every endpoint that certainly breaks the objective."""
    judged, limit = run.judged, run.limits.error_rate
    failed = len(judged.failed)
    gone = run.ending.stopped is ErrorKind.UNREACHABLE
    # Few requests cannot acquit, but they can convict.
    certain = bool(failed) and chance_of_as_many(failed, len(judged), limit) < CERTAINTY
    if not len(judged) or (len(judged) < run.limits.min_requests and not gone and not certain):
        raise CannotRun(ErrorKind.NO_DATA, run.shortfall() or "nothing was judged")
    share = failed / len(judged)
    kinds = [f"{count} × {kind.words}" for kind, count in judged.failures().items()]
    seen = Evidence(
        summary=f"{failed} of {len(judged)} requests failed ({share:.2%}), limit {limit:.2%}"
        + (f": {', '.join(kinds)}" if kinds else ""),
        excerpt="\n".join(run.ending.examples[kind] for kind in judged.failures() if kind in run.ending.examples),
    )
    yield seen
    broken = False
    if share > limit:
        broken = True
        stopped = f"; {run.shortfall()}" if gone else ""
        yield finding(
            ERROR_RATE,
            f"{share:.2%} of the requests failed, at most {limit:.2%} is wanted: {', '.join(kinds)}{stopped}",
            at=Location(url=run.plan.url),
            evidence=(seen,),
            key="total",
        )
    for endpoint, samples in _endpoints(run, judged):
        errors = len(samples.failed)
        if errors and chance_of_as_many(errors, len(samples), limit) < CERTAINTY:
            broken = True
            yield finding(
                ERROR_RATE,
                f"{endpoint.label}: {errors} of {len(samples)} requests failed, at most {limit:.2%} is wanted",
                at=Location(url=run.plan.url + endpoint.path),
                key=endpoint.label,
            )
    if not broken:
        _demand_reached(run)


@check(VOLUME)
def volume(run: LoadRun) -> Iterator[Evidence]:
    """A load that was not reached proves nothing, so that is an ERROR and never a finding."""
    _demand_reached(run)
    yield Evidence(
        summary=f"{len(run.judged)} requests were judged, {run.rate:.1f} of the intended {run.plan.rate:g} requests/s; "
        f"this machine was at most {run.own_lateness_ms:.0f} ms late for 95 of 100"
    )


def breakdown(run: LoadRun) -> str:
    """One line per endpoint, the slowest first: how long it took to answer once it was asked."""
    lines = []
    for index, endpoint in enumerate(run.plan.endpoints):
        samples = run.judged.of(index)
        if not len(samples.timed):
            lines.append((math.inf, f"{endpoint.label}: none of {len(samples)} requests has a latency"))
            continue
        p50, p95, p99 = (quantile(samples.timed.service_ms, share) for share in (0.5, 0.95, 0.99))
        words = f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms of {len(samples)} requests, {_statuses(samples)}"
        lines.append((p95, f"{endpoint.label}: {words}"))
    return "\n".join(line for _, line in sorted(lines, reverse=True))


def chance_of_as_many(errors: int, requests: int, rate: float) -> float:
    """Chance of at least so many errors when each request fails with probability `rate` (binomial tail)."""
    if rate <= 0:
        return 0.0 if errors else 1.0
    if rate >= 1:
        return 1.0
    k = np.arange(errors, requests + 1)
    log_choose = [math.lgamma(requests + 1) - math.lgamma(i + 1) - math.lgamma(requests - i + 1) for i in k]
    terms = np.array(log_choose) + k * math.log(rate) + (requests - k) * math.log1p(-rate)
    return min(1.0, float(np.exp(terms).sum()))


def _endpoints(run: LoadRun, samples: Samples) -> Iterator[tuple[Endpoint, Samples]]:
    """Every endpoint with its samples; none when there is but one, which the total already tells of."""
    if len(run.plan.endpoints) > 1:
        for index, endpoint in enumerate(run.plan.endpoints):
            yield endpoint, samples.of(index)


def _statuses(samples: Samples) -> str:
    statuses, counts = np.unique(samples.rows["status"], return_counts=True)
    return ", ".join(f"{count} × {status or 'no answer'}" for status, count in zip(statuses, counts, strict=True))


def _demand_reached(run: LoadRun) -> None:
    """A good value at a fraction of the load is not a pass."""
    if why := run.shortfall():
        raise CannotRun(ErrorKind.NO_DATA, f"not reached: {why}")
