"""Judging the live state of a project: who serves, whose job is it, may we roll back? Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci.deploy.answers import Deployment, Job, Project
from ci.deploy.transitions import Signal
from ci.engine.identity import same_commit
from ci.model import Decision, Outcome, StageReport, Subject, Verdict


@dataclass(frozen=True, slots=True)
class Serving:
    """The deployments behind the production domains; None among them is a domain without any."""

    ids: frozenset[str | None]

    @property
    def one(self) -> str | None:
        """The deployment that serves all of production; None when it is split, or nothing serves."""
        return next(iter(self.ids)) if len(self.ids) == 1 else None

    @property
    def nothing(self) -> bool:
        """Production has never been given a deployment."""
        return self.ids <= {None}

    def __str__(self) -> str:
        return " and ".join(sorted(name or "nothing" for name in self.ids))


def who_serves(project: Project) -> Serving:
    """The live mapping; a project without domains of its own is known by its production target."""
    mapped = {item.deployment.id if item.deployment else None for item in project.alias if item.serves_production}
    if not mapped:
        target = project.targets.get("production")
        mapped = {target.id if target else None}
    return Serving(frozenset(mapped))


def pinned(project: Project) -> bool:
    """Somebody has rolled back, and wants it to stay so: no promotion has lifted the pin since."""
    job = project.last_alias_request
    return (
        job is not None and job.type == "rollback" and job.job_status == "succeeded"
    ) and not project.auto_assign_custom_domains


def obstacle(project: Project, *, override_pin: bool) -> str | None:
    """Why production must not be touched now, as a sentence; None when it may be."""
    serving = who_serves(project)
    job = project.last_alias_request
    if job and job.open:
        return (
            f"a {job.type} to {job.to_deployment_id} is under way (state {job.job_status}); "
            "wait until it has ended, then run this again"
        )
    if not serving.nothing and serving.one is None:
        return (
            f"the production domains are split between {serving}; "
            "one deployment must serve all of them: promote or roll back by hand first"
        )
    if pinned(project) and not override_pin:
        assert job is not None
        return (
            f"production was rolled back to {job.to_deployment_id} and is pinned there; "
            "when the cause is mended, promote with --override-pin"
        )
    return None


def build_ended_badly(deployment: Deployment) -> bool:
    """Its build has ended without a running application."""
    return deployment.ready_state in {"ERROR", "CANCELED", "BLOCKED", "DELETED"}


def unfit(candidate: Deployment, project_id: str, commit: str | None) -> str | None:
    """Why this deployment cannot be promoted, as a sentence; None when it is staged production of this commit."""
    if candidate.project_id != project_id:
        return f"{candidate.id} belongs to project {candidate.project_id or 'unknown'}, not to {project_id}"
    if candidate.target != "production":
        return (
            f"{candidate.id} was built for {candidate.target or 'preview'}, not for production; "
            "deploy with `vercel deploy --prebuilt --prod --skip-domain`"
        )
    if not candidate.ready:
        why = f": {candidate.error_message}" if candidate.error_message else ""
        return f"{candidate.id} is {candidate.ready_state or 'in an unknown state'}, not READY{why}"
    if candidate.ready_substate != "STAGED":
        return (
            f"{candidate.id} is {candidate.ready_substate or 'in an unknown substate'}, not STAGED; "
            "one that has served production before is brought back by `gonogo rollback`"
        )
    if candidate.commit is None:
        return f"{candidate.id} does not say which commit it was built from; deploy it through `gonogo release`"
    if commit and not same_commit(candidate.commit, commit):
        return f"{candidate.id} was built from commit {candidate.commit[:12]}, not from {commit[:12]}"
    if candidate.checks_conclusion in {"failed", "canceled"}:
        return f"Vercel's own checks of {candidate.id} ended as {candidate.checks_conclusion}"
    return None


def unfit_to_return(target: Deployment, project_id: str) -> str | None:
    """Why production cannot be given back to this deployment, as a sentence; None when it can."""
    if target.project_id != project_id or target.target != "production" or not target.ready:
        return (
            f"{target.id} cannot be rolled back to: wanted a READY production deployment of {project_id}, "
            f"found {target.ready_state} for {target.target or 'preview'} of {target.project_id}"
        )
    if target.ready_substate == "STAGED":
        return f"{target.id} has never served production, so it cannot be rolled back to; use `gonogo promote`"
    return None


def older(candidate: Deployment, current: Deployment, *, descends: bool | None, precedes: bool | None) -> bool:
    """Whether the candidate would put older work over newer.

    `descends`: the candidate's commit comes after production's; `precedes`: the other way round; None where git
    does not know. Git decides; where the two are unrelated or unknown, the time of the deployments does.
    """
    if candidate.commit and candidate.commit == current.commit:
        return False
    if descends or precedes:
        return not descends
    return candidate.created_at < current.created_at


def judge_verdict(verdict: Verdict, candidate: Subject, now: datetime, max_age: timedelta) -> tuple[Signal, str]:
    """Whether this verdict allows the promotion of exactly this deployment now."""
    subject = verdict.subject
    # Its own URL, too: behind another one may stand another deployment of the same commit.
    there = (subject.url, subject.deployment_id) == (candidate.url, candidate.deployment_id)
    if not (there and subject.commit and candidate.commit and same_commit(subject.commit, candidate.commit)):
        return Signal.NOT_GO, f"the verdict is about {subject}, not about {candidate}"
    reasons = "; ".join(reason.message for reason in verdict.reasons)
    if verdict.decision is Decision.NO_GO:
        return Signal.NO_GO, f"the verdict is NO-GO: {reasons}"
    if verdict.decision is not Decision.GO:
        return Signal.NOT_GO, f"the verdict is {verdict.decision}: {reasons}"
    if verdict.partial:
        return Signal.NOT_GO, "the verdict is GO, but only over a part of the stages; run `gonogo check` without names"
    if problem := stale(verdict, now, max_age):
        return Signal.NOT_GO, problem
    return Signal.GO, f"the verdict about {candidate} is GO"


def stale(verdict: Verdict, now: datetime, max_age: timedelta) -> str | None:
    """Why the verdict's evidence does not count now, as a sentence; None when it is fresh."""
    age = now - min(verdict.evidence_from, verdict.decided_at)
    if age > max_age:
        return f"the verdict's evidence is {_spoken(age)} old, and gate.max_age is {_spoken(max_age)}"
    if age < -timedelta(minutes=5):
        return "the verdict's evidence lies in the future; check the clocks"
    return None


@dataclass(frozen=True, slots=True)
class Move:
    """A write that we have announced: production is to go from one deployment to another."""

    type: str
    """`promote` or `rollback`, as in the job."""
    to: str
    away_from: str | None
    job_before: int | None
    """`requestedAt` of the last job before the write, which ours must differ from."""
    by_domains: bool = False
    """The API said that `to` serves already, so no job of ours is to be expected."""

    def job_in(self, project: Project) -> Job | None:
        """The last job, if it was asked for after the write was announced; whose it is remains to be judged."""
        job = project.last_alias_request
        return job if job and job.requested_at != self.job_before else None

    def is_mine(self, job: Job) -> bool:
        return job.type == self.type and job.to_deployment_id == self.to


class Arrival(enum.Enum):
    """How far a move has come."""

    THERE = "there"
    UNDER_WAY = "under way"
    TAKEN_OVER = "taken over"
    FAILED_UNTOUCHED = "failed, nothing moved"
    FAILED_MIXED = "failed half-way"
    NO_TRACE = "no trace"


def judge_move(move: Move, project: Project) -> Arrival:
    """How far a move has come, by the job and by every production domain: neither alone is believed."""
    serving, job = who_serves(project), move.job_in(project)
    if job and not move.is_mine(job):
        return Arrival.TAKEN_OVER
    if serving.ids - {move.to, move.away_from, None}:
        return Arrival.TAKEN_OVER
    there, untouched = serving.one == move.to, serving.ids <= {move.away_from}
    if there and (move.by_domains or (job and job.job_status == "succeeded")):
        return Arrival.THERE
    if job is None:
        return Arrival.NO_TRACE if untouched else Arrival.UNDER_WAY
    if job.job_status in {"failed", "skipped"}:
        return Arrival.FAILED_UNTOUCHED if untouched else Arrival.FAILED_MIXED
    return Arrival.UNDER_WAY


def changed_since(project: Project, previous: str | None, job_before: int | None) -> str | None:
    """What somebody else has done to production since it was first read, as a sentence; None when nothing."""
    serving = who_serves(project)
    job = project.last_alias_request
    if job and job.requested_at != job_before:
        return f"somebody else has asked for a {job.type} to {job.to_deployment_id} (state {job.job_status})"
    if serving.ids != {previous}:
        return f"production was served by {previous or 'nothing'} and is now served by {serving}"
    return None


def may_roll_back(project: Project, mine: str, job_of_mine: int | None) -> str | None:
    """Why production is no longer ours to roll back, as a sentence; None when every domain and the last job are."""
    serving = who_serves(project)
    if serving.one != mine:
        return f"production is served by {serving}, not by {mine} any more"
    job = project.last_alias_request
    if job and job.requested_at != job_of_mine:
        return f"somebody else has asked for a {job.type} to {job.to_deployment_id} meanwhile"
    return None


def bad_checks(report: StageReport) -> frozenset[tuple[str, str]]:
    """The checks that did not pass, each with what became of it; two errors of different kinds are two things."""
    bad = {Outcome.FAIL, Outcome.ERROR}
    return frozenset(
        (result.spec.id, result.error.kind if result.error else result.outcome)
        for result in report.results
        if result.outcome in bad
    )


def cause_outside(candidate: StageReport, previous: StageReport) -> bool:
    """Whether the previous deployment fares no better in any check that fails: going back would mend nothing."""
    wrong = bad_checks(candidate)
    return bool(wrong) and wrong <= bad_checks(previous)


def _spoken(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
