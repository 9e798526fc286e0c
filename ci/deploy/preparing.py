"""The phases before the write: PREFLIGHT, STAGE, TEST, RE-CHECK. None of them changes production."""

from __future__ import annotations

from ci.deploy.answers import Deployment, Project
from ci.deploy.building import built
from ci.deploy.journal import Fact
from ci.deploy.judgement import (
    changed_since,
    judge_verdict,
    obstacle,
    older,
    pinned,
    unfit,
    unfit_to_return,
    who_serves,
)
from ci.deploy.transaction import PROMOTE, ROLLBACK, Result, Transaction, requested_at, subject_of
from ci.deploy.transitions import Signal
from ci.engine.identity import same_commit
from ci.errors import CannotRun


async def preflight(tx: Transaction) -> Result:
    """Production is known, served by one deployment, and free to be changed."""
    project = await tx.read_project()
    problem = obstacle(project, override_pin=tx.ctx.override_pin) or await _rolling(tx)
    if problem:
        return Result(Signal.STOPPED, problem)
    serving = who_serves(project)
    previous = await tx.ctx.vercel.deployment(serving.one) if serving.one else None
    tx.journal.set_previous(subject_of(previous) if previous else None)
    told = f"production is served by {tx.previous}"
    if serving.nothing:
        told = "production has never been served: this is the first release, with nothing to roll back to"
    return Result(Signal.FREE, told, _before_the_write(project))


async def preflight_rollback(tx: Transaction) -> Result:
    """For a rollback by hand: production is served by one deployment, and there is one to go back to."""
    project = await tx.read_project()
    problem = obstacle(project, override_pin=True) or await _rolling(tx)
    if problem:
        return Result(Signal.STOPPED, problem)
    serving = who_serves(project).one
    if serving is None:
        return Result(Signal.STOPPED, "production is not served by any deployment, so there is nothing to roll back")
    current = await tx.ctx.vercel.deployment(serving)
    target = tx.back_to or await _before(tx, project, current)
    if target is None:
        return Result(Signal.STOPPED, "no deployment has served production before; name one with --to")
    back_to = await tx.ctx.vercel.deployment(target)
    problem = unfit_to_return(back_to, tx.ctx.vercel.project_id)
    if problem:
        return Result(Signal.STOPPED, problem)
    tx.journal.set_candidate(subject_of(current))
    tx.journal.set_previous(subject_of(back_to))
    facts = {**_before_the_write(project), Fact.JOB_AFTER: requested_at(project)}
    if current.id == back_to.id:
        facts |= {Fact.INTENT: ROLLBACK, Fact.ARRIVED: ROLLBACK}
        return Result(Signal.SERVES_PREVIOUS, f"{current.id} serves already; it is verified all the same", facts)
    return Result(
        Signal.TARGET_CHOSEN, f"production is served by {current.id}; it is to go back to {tx.previous}", facts
    )


async def take_over(tx: Transaction, deployment_id: str) -> Result:
    """For a promotion that somebody else has made: what it put into production becomes ours to answer for."""
    project = await tx.read_project()
    serving = who_serves(project)
    if serving.one != deployment_id:
        return Result(Signal.TAKEN_OVER, f"production is served by {serving}, not by {deployment_id} any more")
    candidate = await tx.ctx.vercel.deployment(deployment_id)
    tx.journal.set_candidate(subject_of(candidate))
    before = await _before(tx, project, candidate)
    previous = await tx.ctx.vercel.deployment(before) if before else None
    if previous and unfit_to_return(previous, tx.ctx.vercel.project_id):
        previous = None
    tx.journal.set_previous(subject_of(previous) if previous else None)
    facts = {
        **_before_the_write(project),
        Fact.JOB_AFTER: requested_at(project),
        Fact.INTENT: PROMOTE,
        Fact.ARRIVED: PROMOTE,
    }
    back = f"{previous.id} served before" if previous else "there is nothing to go back to"
    return Result(Signal.SERVES_CANDIDATE, f"{deployment_id} serves production, promoted by Vercel; {back}", facts)


async def stage_candidate(tx: Transaction) -> Result:
    """The candidate is built, staged production of this project and commit, and not older than production."""
    assert tx.stage is not None
    try:
        candidate = await tx.ctx.vercel.deployment(await tx.stage())
    except CannotRun as error:
        return Result(Signal.STOPPED, str(error))
    tx.journal.set_candidate(subject_of(candidate))
    candidate, in_time = await built(tx.ctx, candidate)
    tx.journal.set_candidate(subject_of(candidate))
    if not in_time:
        minutes = tx.ctx.config.deploy.build_timeout.total_seconds() / 60
        return Result(Signal.STOPPED, f"{candidate.id} is still {candidate.ready_state} after {minutes:g} min")
    if candidate.ready_state == "ERROR":
        why = candidate.error_message or "see its build log"
        return Result(Signal.BUILD_FAILED, f"the build of {candidate.id} failed: {why}")
    if candidate.id == tx.previous_id:
        return await _serves_already(tx, candidate)
    problem = unfit(candidate, tx.ctx.vercel.project_id, tx.ctx.commit)
    if problem:
        return Result(Signal.STOPPED, problem)
    if newer := await _newer_in_production(tx, candidate):
        return Result(Signal.OLDER, newer)
    return Result(Signal.STAGED, f"the candidate is {tx.candidate}")


async def test_candidate(tx: Transaction) -> Result:
    """A verdict about exactly this candidate, by the caller's stages and gate."""
    assert tx.test is not None
    baseline = tx.previous.url if tx.previous else None
    try:
        verdict = await tx.test(tx.candidate, baseline)
    except CannotRun as error:
        return Result(Signal.NOT_GO, f"there is no verdict: {error}")
    return Result(*judge_verdict(verdict, tx.candidate, tx.ctx.now(), tx.ctx.config.gate.max_age))


async def recheck(tx: Transaction) -> Result:
    """The world is still the one that PREFLIGHT saw, and the candidate still the one that was tested."""
    candidate = await tx.ctx.vercel.deployment(tx.candidate_id)
    rolling = await _rolling(tx)
    # The last thing before the write: the API knows no "only if nothing has changed".
    project = await tx.read_project()
    if change := changed_since(project, tx.previous_id, tx.job_time(Fact.JOB_BEFORE)):
        return Result(Signal.TAKEN_OVER, f"{change}; nothing was written")
    problem = unfit(candidate, tx.ctx.vercel.project_id, tx.candidate.commit)
    problem = problem or rolling or obstacle(project, override_pin=tx.ctx.override_pin)
    if problem:
        return Result(Signal.STOPPED, problem)
    return Result(Signal.UNCHANGED, "production and the candidate are as they were", _before_the_write(project))


async def _serves_already(tx: Transaction, candidate: Deployment) -> Result:
    commit = tx.ctx.commit
    if commit and not (candidate.commit and same_commit(candidate.commit, commit)):
        return Result(
            Signal.STOPPED, f"{candidate.id} serves already, but is of commit {candidate.commit}, not {commit}"
        )
    tx.journal.set_previous(None)
    return Result(Signal.SERVES_CANDIDATE, f"{candidate.id} serves production already; it is verified all the same")


async def _newer_in_production(tx: Transaction, candidate: Deployment) -> str | None:
    """Why the candidate must not replace what serves, as a sentence; None when it is not older."""
    if tx.previous_id is None:
        return None
    current = await tx.ctx.vercel.deployment(tx.previous_id)
    descends = precedes = None
    if tx.ctx.is_ancestor and candidate.commit and current.commit and candidate.commit != current.commit:
        descends = await tx.ctx.is_ancestor(current.commit, candidate.commit)
        precedes = await tx.ctx.is_ancestor(candidate.commit, current.commit)
    if not older(candidate, current, descends=descends, precedes=precedes):
        return None
    return f"production serves {current.id}, newer than {candidate.id}; to go back on purpose use `gonogo rollback`"


async def _rolling(tx: Transaction) -> str | None:
    rolling = await tx.ctx.vercel.rolling_release()
    if rolling is None or rolling.state in {"COMPLETE", "ABORTED"}:
        return None
    return f"a rolling release is {rolling.state}; complete or abort it first, then run this again"


async def _before(tx: Transaction, project: Project, current: Deployment) -> str | None:
    """What served production before the current deployment did: by the last job, else the youngest older one.

    A younger one that has served production was taken back already.
    """
    job = project.last_alias_request
    if job and job.type == PROMOTE and job.to_deployment_id == current.id and job.from_deployment_id:
        return job.from_deployment_id
    async for item in tx.ctx.vercel.deployments(target="production", rollbackCandidate="true", state="READY"):
        if item.created_at < current.created_at:
            return item.id
    return None


def _before_the_write(project: Project) -> dict[Fact, object]:
    """What the phases after the write will ask for."""
    return {
        Fact.AUTO_ASSIGN: project.auto_assign_custom_domains,
        Fact.PIN_LIFTED: pinned(project),
        Fact.JOB_BEFORE: requested_at(project),
    }
