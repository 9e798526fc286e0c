"""Release, promote, roll back, reconcile: the ways into the transaction.

Each returns the release's journal with its end; `ci.deploy.transitions.EXIT_CODES` maps the end to an exit code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ci.deploy import moving, preparing, settling
from ci.deploy.context import Context, Stage, Test, Verify
from ci.deploy.failures import ApiError
from ci.deploy.journal import Fact, Journal
from ci.deploy.transaction import Result, Transaction
from ci.deploy.transitions import OPEN_ENDS, TABLE, Phase, Signal
from ci.errors import CannotRun
from ci.model import ErrorKind, Release, ReleaseEnd, Subject, Verdict

_PHASES: dict[Phase, Callable[[Transaction], Awaitable[Result]]] = {
    Phase.PREFLIGHT: preparing.preflight,
    Phase.STAGE: preparing.stage_candidate,
    Phase.TEST: preparing.test_candidate,
    Phase.RECHECK: preparing.recheck,
    Phase.PROMOTE: moving.promote,
    Phase.CONFIRM: moving.confirm,
    Phase.VERIFY: settling.verify,
    Phase.ROLLBACK: moving.roll_back,
    Phase.FINISH: settling.finish,
}


async def release(ctx: Context, *, stage: Stage | str, test: Test, verify: Verify) -> Release:
    """The whole transaction. `stage` finds or creates the candidate, or is its id.

    Raises CannotRun when the journal in the evidence folder is damaged or tells of an unfinished release.
    """
    return await _drive(_begin(ctx, "release", stage=_named(stage), test=test, verify=verify), Phase.PREFLIGHT)


async def promote(ctx: Context, deployment_id: str, *, verdict: Verdict, verify: Verify) -> Release:
    """Promote a staged deployment about which there is a verdict already. Raises as `release` does."""

    async def judged(subject: Subject, baseline_url: str | None) -> Verdict:
        return verdict

    tx = _begin(ctx, "promote", stage=_named(deployment_id), test=judged, verify=verify)
    return await _drive(tx, Phase.PREFLIGHT)


async def rollback(ctx: Context, *, to: str | None = None, verify: Verify) -> Release:
    """Roll back by hand, to the deployment before or to the one named. Raises as `release` does."""
    return await _drive(_begin(ctx, "rollback", back_to=to, verify=verify), Phase.PREFLIGHT)


async def adopt(ctx: Context, deployment_id: str, *, verify: Verify) -> Release:
    """Verify a promotion that Vercel has made by itself, and take it back if it is wrong, as if it were our own.

    Production must be served by this deployment now; otherwise it has moved on, and nothing is touched. Raises as
    `release` does.
    """
    tx = _begin(ctx, "verify", stage=_named(deployment_id), verify=verify)
    try:
        result = await preparing.take_over(tx, deployment_id)
    except ApiError as error:
        return _end(tx, ReleaseEnd.HOLD, str(error))
    tx.say(Phase.PREFLIGHT, result.message, result.facts)
    if result.signal is Signal.SERVES_CANDIDATE:
        return await _drive(tx, Phase.VERIFY)
    return _end(tx, ReleaseEnd.SUPERSEDED, result.message)


async def reconcile(ctx: Context, *, verify: Verify) -> Release:
    """Finish the release that the journal tells of, or explain why there is nothing to finish.

    A release that has ended stays as it is, unless its end was open. Raises CannotRun without a readable journal, and
    for one of another project, to which nothing that this one tells of would apply.
    """
    journal = Journal.resume(ctx.store, ctx.now)
    if journal.release.project_id != ctx.vercel.project_id:
        raise CannotRun(
            ErrorKind.WRONG_SUBJECT,
            f"the journal in {ctx.store.folder} tells of a release of project {journal.release.project_id}, and this "
            f"is project {ctx.vercel.project_id}; set VERCEL_PROJECT_ID to the journal's, or name its folder",
        )
    ended = journal.release.end
    if ended and ended not in OPEN_ENDS:
        ctx.progress.say(f"{ended}: this release has ended; there is nothing to reconcile")
        return journal.release
    tx = Transaction(ctx=ctx, journal=journal, verify=verify, resumed=True)
    if tx.direction is None:
        return _end(
            tx, ReleaseEnd.HOLD, "this release was interrupted before it changed anything in production; run it again"
        )
    journal.reopen()
    arrived = journal.recall(Fact.ARRIVED) == tx.direction
    return await _drive(tx, Phase.VERIFY if arrived else Phase.CONFIRM)


async def _drive(tx: Transaction, phase: Phase) -> Release:
    """Run the table from this phase to an end. Interrupted, it leaves a journal from which `reconcile` finishes."""
    state: Phase | ReleaseEnd = phase
    message = ""
    try:
        while isinstance(state, Phase):
            tx.journal.note(state, f"{state} begins", {Fact.ENTERED: state})
            result = await _work(tx, state)
            tx.say(state, result.message, result.facts)
            state, message = TABLE[state, result.signal], result.message
    except BaseException as error:
        tx.journal.note(state, f"interrupted by {type(error).__name__}; `gonogo reconcile` finishes this release")
        raise
    return _end(tx, state, message)


def _end(tx: Transaction, end: ReleaseEnd, message: str) -> Release:
    tx.journal.finish(end, message)
    tx.ctx.progress.say(tx.ctx.store.redact(f"{end}: {message}"))
    return tx.journal.release


async def _work(tx: Transaction, phase: Phase) -> Result:
    work = _PHASES[phase]
    if phase is Phase.PREFLIGHT and tx.stage is None:
        work = preparing.preflight_rollback
    try:
        return await work(tx)
    except ApiError as error:
        return Result(Signal.UNREADABLE, str(error))


def _begin(
    ctx: Context,
    command: str,
    *,
    verify: Verify,
    stage: Stage | None = None,
    test: Test | None = None,
    back_to: str | None = None,
) -> Transaction:
    unknown_yet = Subject(url=ctx.config.target.production, commit=ctx.commit)
    blank = Release(project_id=ctx.vercel.project_id, candidate=unknown_yet)
    journal = Journal.begin(ctx.store, blank, ctx.now, urgent=stage is None)
    journal.note(Phase.PREFLIGHT, f"gonogo {command}", {Fact.COMMAND: command})
    return Transaction(ctx=ctx, journal=journal, verify=verify, stage=stage, test=test, back_to=back_to)


def _named(stage: Stage | str) -> Stage:
    if not isinstance(stage, str):
        return stage

    async def known() -> str:
        return stage

    return known
