"""The phases after the write: VERIFY and FINISH, and the project's settings put back."""

from __future__ import annotations

from ci.deploy.answers import Project
from ci.deploy.failures import ApiError
from ci.deploy.journal import Fact
from ci.deploy.judgement import cause_outside, may_roll_back, who_serves
from ci.deploy.transaction import PROMOTE, ROLLBACK, Result, Transaction
from ci.deploy.transitions import Phase, Signal
from ci.deploy.verification import Outlook, Verification, one_pass, verify_production
from ci.deploy.watch import bearable, configured, watch_errors


async def verify(tx: Transaction) -> Result:
    """Look at production itself, and judge what that means for who has put it there."""
    seen = await verify_production(tx.ctx, tx.verify, tx.expected, tx.outgoing)
    seen = await _watch(tx, seen)
    if seen.outlook is Outlook.RIGHT:
        return Result(Signal.RIGHT, seen.message)
    if tx.direction is None:
        return Result(Signal.NOT_OURS, f"{seen.message}; this run has not promoted it, so it rolls nothing back")
    project = await tx.read_project()
    if taken := may_roll_back(project, tx.move().to, tx.job_time(Fact.JOB_AFTER)):
        return Result(Signal.TAKEN_OVER, f"{taken}; nothing is rolled back")
    if tx.direction == ROLLBACK:
        return Result(Signal.STILL_WRONG, f"{seen.message}, although the rollback is confirmed: act by hand")
    if seen.outlook is Outlook.NOT_SEEN:
        told = await _restore_auto_assign(tx, project)
        return Result(Signal.NOT_SEEN, f"{seen.message}, although every domain points at it{told}")
    if await _fails_before_too(tx, seen):
        told = await _restore_auto_assign(tx, project)
        return Result(
            Signal.CAUSE_OUTSIDE,
            f"{seen.message}, and so does the previous deployment: "
            f"the cause lies outside, and going back would mend nothing{told}",
        )
    failed = {Fact.FAILED: seen.failed_checks}
    return Result(Signal.WRONG, f"{seen.message}, and the previous deployment does not", failed)


async def finish(tx: Transaction) -> Result:
    """See once more what serves. Production has been verified, so an API that is silent now undoes nothing."""
    expected = tx.expected.deployment_id
    try:
        project = await tx.read_project()
    except ApiError as error:
        told = f"; what serves could not be read once more, nor the settings restored: {error}"
    else:
        serving = who_serves(project)
        if serving.one != expected:
            return Result(Signal.TAKEN_OVER, f"after its verification production was given to {serving}")
        told = await _restore_auto_assign(tx, project)
    if tx.direction == ROLLBACK:
        staged = "new production builds stay staged until the next promotion"
        return Result(Signal.DONE_BACK, f"production is back on {expected} and verified; {staged}{told}")
    return Result(Signal.DONE, f"{expected} serves production and is verified{told}")


async def _restore_auto_assign(tx: Transaction, project: Project) -> str:
    """Turn automatic assignment off again where the owner had it off and our promotion has turned it on.

    https://github.com/vercel/vercel/issues/15095. Returns what to add to the phase's sentence. Whatever goes wrong
    is told there, and undoes nothing.
    """
    ours = tx.direction == PROMOTE and tx.journal.recall(Fact.ARRIVED) == PROMOTE
    was_off = tx.journal.recall(Fact.AUTO_ASSIGN) == "false" and tx.journal.recall(Fact.PIN_LIFTED) != "true"
    if not (ours and was_off and project.auto_assign_custom_domains):
        return ""
    tx.say(Phase.FINISH, "automatic assignment of the domains was off before; turning it off again")
    try:
        await tx.ctx.vercel.set_auto_assign(False)
    except ApiError as error:
        return (
            "; automatic assignment of the domains is ON, and was off before: "
            f"turn it off in the project's settings ({error})"
        )
    return "; automatic assignment of the domains is off again"


async def _watch(tx: Transaction, seen: Verification) -> Verification:
    """After a promotion that looks right, see whether it brings new errors, when that is configured."""
    settings = configured(tx.ctx.config.deploy)
    if settings is None or seen.outlook is not Outlook.RIGHT or tx.direction != PROMOTE:
        return seen
    arrived = next((event.at for event in tx.journal.release.events if Fact.ARRIVED in event.facts), None)
    since_s = (tx.ctx.now() - arrived).total_seconds() if arrived else 0
    watched = await watch_errors(tx.ctx, settings, tx.ctx.environ, tx.candidate, since_s=since_s)
    if len(watched.errors) > bearable(settings):
        return Verification(Outlook.WRONG, f"{seen.message}, but it brings {watched}")
    return Verification(Outlook.RIGHT, f"{seen.message}; {watched}")


async def _fails_before_too(tx: Transaction, seen: Verification) -> bool:
    """Whether the previous deployment, at its own URL, fares no better in what fails."""
    if tx.previous is None or tx.previous_id is None or seen.report is None:
        return False
    if not (await tx.ctx.vercel.deployment(tx.previous_id)).ready:
        return False
    before = await one_pass(tx.ctx, tx.verify, tx.previous, identity_only=False)
    return cause_outside(seen.report, before)
