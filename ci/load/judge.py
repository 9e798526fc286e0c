"""Judging a load against its objectives: pure, numpy only. The comparison with the baseline is in `regression`.

An objective is broken when that is certain at any time, or when what was measured over the whole planned time is over
its limit. It is kept when what was measured is within its limit and enough was seen to be sure of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ci.engine.check import check, finding
from ci.errors import CannotRun
from ci.load.checks import ERROR_RATE, LATENCY, VOLUME
from ci.load.comparison import certifying_requests
from ci.load.eprocess import log_e_rate_below
from ci.load.load_run import LoadRun
from ci.load.plan import Endpoint
from ci.load.recording import Arm
from ci.load.samples import Samples, quantile
from ci.load.sequential import Ruling
from ci.model import ErrorKind, Evidence, Finding, Location

BLUR = 0.5
"""Share of the latency limit by which the generator may be late before the target is no longer blamed."""
ENDPOINT_MINIMUM = 40
"""Timed requests below which one endpoint's 95th percentile is left alone."""
CERTAINTY = 0.001
"""Chance at which an endpoint, or a few requests, that keep the objective may be accused of breaking it."""


@check(LATENCY)
def latency(run: LoadRun) -> Iterator[Evidence | Finding]:
    """p95 of all requests from their intended start, and of each endpoint from its own sending."""
    felt = run.felt
    if run.standing.overwhelmed and len(felt) < run.limits.min_requests:
        yield from _overwhelmed(run)
        return
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
    if overall > limit and (theirs := _p95(run.felt_of(Arm.BASELINE))) > limit:
        raise CannotRun(
            ErrorKind.UNHEALTHY,
            f"p95 is {overall:.0f} ms where at most {limit:g} ms is wanted, but the baseline's is {theirs:.0f} ms: "
            "production itself breaks this objective under this load, so it says nothing about the candidate; look at "
            "what both share (database, machine, network), lower load.rate, or raise load.slo.p95_ms",
        )
    broken = False
    slow = int(np.count_nonzero(felt.latency_ms > limit))
    certain = chance_of_as_many(slow, len(felt), 0.05) < CERTAINTY or _shown(run.standing.rulings.latency_broken)
    if overall > limit and (run.full or certain):
        broken = True
        yield finding(
            LATENCY,
            f"p95 is {overall:.0f} ms, at most {limit:g} ms is wanted at {run.plan.rate:g} requests/s",
            at=Location(url=run.plan.url),
            evidence=(seen,),
            key="total",
        )
    for endpoint, samples in _endpoints(run, run.judged.timed):
        if _is_slow(samples, limit) and not _is_slow(_same(run, endpoint), limit):
            broken = True
            yield finding(
                LATENCY,
                f"{endpoint.label}: p95 is {quantile(samples.service_ms, 0.95):.0f} ms of {len(samples)} requests, at "
                f"most {limit:g} ms is wanted",
                at=Location(url=run.plan.url + endpoint.path),
                key=endpoint.label,
            )
    if not broken:
        run.demand_reached()
        if overall > limit:
            raise _ended_early(run, f"p95 was {overall:.0f} ms by then, limit {limit:g} ms")


@check(ERROR_RATE)
def error_rate(run: LoadRun) -> Iterator[Evidence | Finding]:
    """Share of failed requests, counted by kind, and every endpoint that certainly breaks the objective."""
    judged, limit = run.judged, run.limits.error_rate
    failed = len(judged.failed)
    gone = run.ending.stopped is ErrorKind.UNREACHABLE and run.ending.arm is not Arm.BASELINE
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
    if share > limit:
        _demand_a_healthy_baseline(run, share, kinds)
    broken = False
    if share > limit and (run.full or gone or certain or _shown(run.standing.rulings.errors_broken)):
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
        if _certainly_fails(samples, limit) and not _certainly_fails(_same(run, endpoint), limit):
            broken = True
            yield finding(
                ERROR_RATE,
                f"{endpoint.label}: {len(samples.failed)} of {len(samples)} requests failed, at most {limit:.2%} is "
                "wanted",
                at=Location(url=run.plan.url + endpoint.path),
                key=endpoint.label,
            )
    if not broken:
        run.demand_reached()
        if share > limit:
            raise _ended_early(run, f"{share:.2%} of the requests had failed by then, limit {limit:.2%}")
        yield from _certified(run, failed, len(judged))


@check(VOLUME)
def volume(run: LoadRun) -> Iterator[Evidence]:
    """A load that was not reached proves nothing, so that is an ERROR and never a finding."""
    run.demand_reached()
    arms = "pairs" if run.paired else "requests"
    summary = (
        f"{len(run.judged)} {arms} were judged, {run.rate:.1f} of the intended {run.intended_rate:.4g} {arms}/s; "
        f"this machine was at most {run.own_lateness_ms:.0f} ms late for 95 of 100"
    )
    if run.ending.decided:
        summary += f"; ended after {run.ending.at_s:.1f} s of {run.plan.end_s:g} s: {run.ending.decided}"
    yield Evidence(summary=summary)


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
        theirs = run.judged_of(Arm.BASELINE).of(index).timed
        beside = f"; baseline p95 {quantile(theirs.service_ms, 0.95):.0f} ms" if len(theirs) else ""
        lines.append((p95, f"{endpoint.label}: {words}{beside}"))
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


def _overwhelmed(run: LoadRun) -> Iterator[Evidence | Finding]:
    """Most of what was due is still waiting; what was answered tells enough."""
    answered = run.judged.timed
    p95, limit = quantile(answered.latency_ms, 0.95), run.limits.p95_ms
    seen = Evidence(
        summary=f"p95 {p95:.0f} ms of the {len(answered)} requests that were answered since the warm-up, limit "
        f"{limit:g} ms; the others were still waiting",
        excerpt=breakdown(run),
    )
    yield seen
    yield finding(
        LATENCY,
        f"the target cannot keep up with {run.plan.rate:g} requests/s: it answered {len(answered)} in "
        f"{run.ending.at_s - run.plan.warm_up_s:.0f} s, ever later; p95 is {p95:.0f} ms, at most {limit:g} ms is "
        "wanted",
        at=Location(url=run.plan.url),
        evidence=(seen,),
        key="total",
    )


def _certified(run: LoadRun, failed: int, requests: int) -> Iterator[Evidence]:
    """That the error rate within its limit is no luck. Raises CannotRun(NOT_REFUTED) unless that is shown."""
    limit = run.limits.error_rate
    if not 0 < limit < 1 or _shown(run.standing.rulings.errors_kept):
        return
    if float(log_e_rate_below(failed, requests, limit)) >= math.log(1 / run.demands.beta):
        return
    needed = certifying_requests(failed, requests, run.demands)
    wanted = f"about {needed} requests like these would show it" if needed else "it is too near to the limit to tell"
    told = f"{failed} of {requests} requests failed, which does not yet show that fewer than {limit:.2%} do; {wanted}"
    if run.inconclusive == "accept":
        yield Evidence(summary=f"accepted by load.inconclusive: {told}")
        return
    kind = ErrorKind.NOT_REFUTED if needed else ErrorKind.INCONCLUSIVE
    raise CannotRun(kind, f"{told}: lengthen load.duration, raise load.rate, or raise load.slo.error_rate")


def _demand_a_healthy_baseline(run: LoadRun, share: float, kinds: Sequence[str]) -> None:
    theirs = run.judged_of(Arm.BASELINE)
    limit = run.limits.error_rate
    if len(theirs) and (
        len(theirs.failed) / len(theirs) > limit or _shown(run.standing.rulings.baseline_errors_broken)
    ):
        raise CannotRun(
            ErrorKind.UNHEALTHY,
            f"{share:.2%} of the candidate's requests failed where at most {limit:.2%} is wanted, but so did "
            f"{len(theirs.failed) / len(theirs):.2%} of the baseline's ({', '.join(kinds)}): the environment is "
            "unhealthy, or load.scenarios asks for what neither gives, so this says nothing about the candidate; mend "
            "what both share and run the load again",
        )


def _ended_early(run: LoadRun, seen: str) -> CannotRun:
    regressed = run.ruling is Ruling.REGRESSION
    then = "see load/regression first" if regressed else "run it again where nothing else presses on the target"
    return CannotRun(ErrorKind.INCONCLUSIVE, f"the load ended before this was certain: {seen}; {then}")


def _shown(process: np.ndarray) -> bool:
    return bool(len(process)) and bool(process[-1])


def _p95(samples: Samples) -> float:
    return quantile(samples.latency_ms, 0.95) if len(samples) else 0.0


def _is_slow(samples: Samples, limit_ms: float) -> bool:
    """The endpoint's p95 is over the limit, and that is not the doing of a few requests."""
    timed = samples.timed
    slow = int(np.count_nonzero(timed.service_ms > limit_ms))
    return len(timed) >= ENDPOINT_MINIMUM and chance_of_as_many(slow, len(timed), 0.05) < CERTAINTY


def _certainly_fails(samples: Samples, limit: float) -> bool:
    errors = len(samples.failed)
    return bool(errors) and chance_of_as_many(errors, len(samples), limit) < CERTAINTY


def _same(run: LoadRun, endpoint: Endpoint) -> Samples:
    """The same endpoint's requests to the baseline."""
    return run.judged_of(Arm.BASELINE).of(run.plan.endpoints.index(endpoint))


def _endpoints(run: LoadRun, samples: Samples) -> Iterator[tuple[Endpoint, Samples]]:
    """Every endpoint with its samples; none when there is but one, which the total already tells of."""
    if len(run.plan.endpoints) > 1:
        for index, endpoint in enumerate(run.plan.endpoints):
            yield endpoint, samples.of(index)


def _statuses(samples: Samples) -> str:
    statuses, counts = np.unique(samples.rows["status"], return_counts=True)
    return ", ".join(f"{count} × {status or 'no answer'}" for status, count in zip(statuses, counts, strict=True))
