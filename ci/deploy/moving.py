"""The phases that write: PROMOTE and ROLLBACK, and CONFIRM, which finds out what came of it."""

from __future__ import annotations

from ci.deploy.answers import Project
from ci.deploy.failures import Ambiguous, ApiError, NotSent, Refused
from ci.deploy.journal import Fact
from ci.deploy.judgement import Arrival, judge_move, may_roll_back, who_serves
from ci.deploy.transaction import PROMOTE, ROLLBACK, Result, Transaction, requested_at
from ci.deploy.transitions import Phase, Signal

ACCEPTED, QUEUED, CURRENT, AMBIGUOUS = "accepted", "queued", "current", "ambiguous"
"""What came of a write, as the journal keeps it."""

ROLLBACK_TRIES = 2
"""A rollback whose request left no trace is asked for once more, because production is broken meanwhile. A promotion
never is: production is fine without it."""


async def promote(tx: Transaction) -> Result:
    """Announce the promotion in the journal, then ask for it once."""
    candidate = tx.candidate_id
    tx.say(Phase.PROMOTE, f"about to promote {candidate}", {Fact.INTENT: PROMOTE, Fact.ANSWER: None})
    try:
        accepted = await tx.ctx.vercel.promote(candidate)
    except Ambiguous as error:
        return _written(AMBIGUOUS, f"{error}; the live domains will tell")
    except Refused as refusal:
        if refusal.status == 409:
            return _written(CURRENT, f"{refusal}; the live domains will tell")
        return Result(Signal.REFUSED, f"{refusal}; production is unchanged")
    except NotSent as error:
        return Result(Signal.REFUSED, f"{error}; production is unchanged")
    if not accepted:
        waits = f"{candidate} waits behind a rolling release; run `gonogo reconcile` when that has ended"
        return Result(Signal.QUEUED, waits, {Fact.ANSWER: QUEUED})
    return _written(ACCEPTED, f"Vercel has accepted the promotion of {candidate}")


async def roll_back(tx: Transaction) -> Result:
    """Announce the rollback, then ask for it, provided that production is still ours and there is somewhere to go."""
    if tx.previous_id is None:
        return Result(Signal.IMPOSSIBLE, "nothing has served production before, so there is nothing to roll back to")
    previous = await tx.ctx.vercel.deployment(tx.previous_id)
    if not previous.ready:
        return Result(Signal.IMPOSSIBLE, f"{previous.id} is {previous.ready_state} and cannot serve production again")
    # The last thing before the write: the API knows no "only if it is still mine".
    project = await tx.read_project()
    if taken := may_roll_back(project, tx.candidate_id, tx.job_time(Fact.JOB_AFTER)):
        return Result(Signal.TAKEN_OVER, f"{taken}; nothing is rolled back")
    tx.say(
        Phase.ROLLBACK,
        f"about to roll back from {tx.candidate_id} to {previous.id}",
        {Fact.INTENT: ROLLBACK, Fact.ANSWER: None, Fact.JOB_BEFORE: requested_at(project)},
    )
    try:
        await tx.ctx.vercel.rollback(previous.id, _description(tx))
    except Ambiguous as error:
        return _written(AMBIGUOUS, f"{error}; the live domains will tell")
    except Refused as refusal:
        if refusal.status in {409, 422}:
            return _written(CURRENT, f"{refusal}; the live domains will tell")
        return Result(Signal.REFUSED, f"{refusal}; production still serves {tx.candidate_id}: act by hand")
    except NotSent as error:
        return Result(Signal.REFUSED, f"{error}; production still serves {tx.candidate_id}: act by hand")
    return _written(ACCEPTED, f"Vercel has accepted the rollback to {previous.id}")


async def confirm(tx: Transaction) -> Result:
    """Watch the job and the domains until they agree, somebody else steps in, or time is up."""
    settings = tx.ctx.config.deploy
    move = tx.move()
    started = tx.ctx.clock()
    while True:
        arrival, project, trouble = None, None, ""
        try:
            project = await tx.read_project()
            arrival = judge_move(move, project)
        except ApiError as error:
            trouble = f"; {error}"
        waited = tx.ctx.clock() - started
        match arrival:
            case Arrival.THERE:
                assert project is not None
                return _arrived(tx, project)
            case Arrival.TAKEN_OVER:
                assert project is not None
                return Result(Signal.TAKEN_OVER, f"{_describe(project)}; nothing of it is touched")
            case Arrival.FAILED_UNTOUCHED | Arrival.FAILED_MIXED:
                assert project is not None
                return _failed(tx, arrival, project)
            case Arrival.NO_TRACE if waited >= settings.settle.total_seconds():
                if result := await _no_trace(tx):
                    return result
        if waited >= settings.confirm_timeout.total_seconds():
            seen = _describe(project) if project else "nothing could be read"
            return _unclear(tx, f"after {waited:.0f} s: {seen}{trouble}")
        await tx.ctx.pause(settings.confirm_interval.total_seconds())


def _written(answer: str, message: str) -> Result:
    return Result(Signal.WRITTEN, message, {Fact.ANSWER: answer})


def _arrived(tx: Transaction, project: Project) -> Result:
    move = tx.move()
    signal = Signal.SERVES_PREVIOUS if move.type == ROLLBACK else Signal.SERVES_CANDIDATE
    facts = {Fact.ARRIVED: move.type, Fact.JOB_AFTER: requested_at(project)}
    return Result(signal, f"every production domain points at {move.to}", facts)


def _failed(tx: Transaction, arrival: Arrival, project: Project) -> Result:
    if tx.direction == ROLLBACK:
        return Result(Signal.REFUSED, f"the rollback did not succeed: {_describe(project)}: act by hand")
    if arrival is Arrival.FAILED_UNTOUCHED:
        return Result(Signal.NO_EFFECT, f"the promotion did not succeed: {_describe(project)}; production is as it was")
    return Result(Signal.UNCLEAR, f"the promotion stopped half-way: {_describe(project)}; promote or roll back by hand")


async def _no_trace(tx: Transaction) -> Result | None:
    """The request should have shown by now: what to conclude; None to go on waiting."""
    answer = tx.journal.recall(Fact.ANSWER)
    if answer == ACCEPTED:
        return None
    if tx.direction == ROLLBACK:
        tried = tx.journal.count(Fact.INTENT, ROLLBACK)
        if answer == CURRENT or tried >= ROLLBACK_TRIES:
            return Result(Signal.REFUSED, f"the rollback had no effect: {tx.candidate_id} still serves: act by hand")
        return Result(Signal.LOST, "the rollback has had no effect on job or domains; it is asked for once more")
    if answer == QUEUED:
        rolling = await tx.ctx.vercel.rolling_release()
        if rolling and rolling.state == "ACTIVE":
            return Result(Signal.QUEUED, "the promotion still waits behind a rolling release")
    if tx.resumed or answer == CURRENT:
        return Result(Signal.NO_EFFECT, "the promotion has had no effect: production is as it was; promote again")
    return None


def _unclear(tx: Transaction, seen: str) -> Result:
    if tx.direction == ROLLBACK:
        return Result(Signal.REFUSED, f"the rollback is not confirmed {seen}: act by hand")
    return Result(
        Signal.UNCLEAR, f"the promotion is not confirmed {seen}; see the project, then run `gonogo reconcile`"
    )


def _describe(project: Project) -> str:
    job = project.last_alias_request
    told = f"the last job is a {job.type} to {job.to_deployment_id} ({job.job_status})" if job else "there is no job"
    return f"{told}, and production is served by {who_serves(project)}"


def _description(tx: Transaction) -> str:
    failed = tx.journal.recall(Fact.FAILED)
    return f"Gonogo: verification of {tx.candidate_id} failed: {failed}" if failed else "Gonogo: asked for by hand"
