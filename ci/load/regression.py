"""Judging the candidate beside the baseline: pure, numpy only."""

from __future__ import annotations

from collections.abc import Iterator

from ci.engine.check import check, finding
from ci.errors import CannotRun, NotApplicable
from ci.load import comparison
from ci.load.checks import REGRESSION
from ci.load.comparison import Comparison
from ci.load.load_run import LoadRun
from ci.load.recording import Arm
from ci.load.sequential import Ruling
from ci.model import ErrorKind, Evidence, Finding, Location

LASTING = (
    "that it holds, as one of both is disturbed for seconds at a time or an endpoint is under suspicion (is something "
    "else pressing on it, or on this machine?)"
)
"""What is missing when everything is shown but must not be believed yet."""


@check(REGRESSION)
def regression(run: LoadRun) -> Iterator[Evidence | Finding]:
    """Whether the candidate is worse than what it replaces, as far as that is certain."""
    if not run.paired:
        raise NotApplicable("no baseline was given (--baseline), so only the objectives are judged")
    standing, ruling = run.standing, run.ruling
    whole = comparison.of_the_whole(standing, worse=ruling is Ruling.REGRESSION)
    endpoints = comparison.of_endpoints(standing, run.plan)
    when = f" after {standing.decided_s:g} s" if ruling in (Ruling.PASS, Ruling.REGRESSION) else ""
    seen = Evidence(
        summary=f"candidate against baseline{when}: {whole.words}",
        excerpt="\n".join(f"{one.label}: {one.words}" for one in endpoints),
    )
    yield seen
    match ruling:
        case Ruling.REGRESSION:
            yield from _accused(run, whole, endpoints, seen)
        case Ruling.PASS:
            run.demand_reached()
        case Ruling.OPEN | Ruling.SLO_BROKEN:
            raise CannotRun(ErrorKind.NO_DATA, _too_early(run))
        case Ruling.UNHEALTHY:
            raise CannotRun(
                ErrorKind.UNHEALTHY,
                "candidate and baseline both break an objective: the environment is unhealthy, so this says nothing "
                "about the candidate; mend what both share (database, machine, network) and run the load again",
            )
        case Ruling.INCONCLUSIVE:
            run.demand_reached()
            yield from _undecided(run)


def _accused(run: LoadRun, whole: Comparison, endpoints: tuple[Comparison, ...], seen: Evidence) -> Iterator[Finding]:
    tolerated = f"up to {run.demands.tolerated:.0%} is tolerated (load.regression.delta)"
    after = f"certain after {run.standing.decided_s:g} s"
    yield finding(
        REGRESSION,
        f"the candidate is worse than the baseline: {whole.words}; {tolerated}; {after}",
        at=Location(url=run.plan.url),
        evidence=(seen,),
        key="total",
    )
    for one in endpoints:
        if one.worse and one.index is not None:
            yield finding(
                REGRESSION,
                f"{one.label} is worse than the baseline: {one.words}",
                at=Location(url=run.plan.url + run.plan.endpoints[one.index].path),
                key=one.label,
            )


def _too_early(run: LoadRun) -> str:
    if run.ruling is Ruling.SLO_BROKEN:
        return "the load ended with a broken objective before the comparison with the baseline was certain"
    if run.ending.stopped and run.ending.arm is Arm.BASELINE:
        return f"the baseline failed: {run.ending.detail}"
    return f"the comparison is open: {run.shortfall() or 'too little was seen'}"


def _undecided(run: LoadRun) -> Iterator[Evidence]:
    """Neither shown to be fit nor to be worse. Raises CannotRun unless the policy accepts that."""
    missing = comparison.missing(run.standing)
    pairs = int(run.standing.blocks.pairs.sum())
    what = " and ".join(one.what for one in missing) or LASTING
    needed = [one.needed for one in missing]
    if missing and all(needed):
        most = max(number for number in needed if number)
        kind = ErrorKind.NOT_REFUTED
        told = f"{pairs} pairs are too few to show {what}; about {most} would show it if it goes on like this"
    else:
        kind = ErrorKind.INCONCLUSIVE
        told = f"{pairs} pairs neither show a regression nor {what}"
    if run.inconclusive == "accept":
        yield Evidence(summary=f"accepted by load.inconclusive: {told}")
        return
    raise CannotRun(
        kind, f"{told}: lengthen load.duration, raise load.rate, or let load.inconclusive accept what is not certain"
    )
