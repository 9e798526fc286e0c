"""Verifying production: identity first, then behaviour, several passes in a row."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass

from ci.deploy.context import Context, Verify
from ci.deploy.judgement import bad_checks
from ci.engine.runner import errored, explain
from ci.model import CheckSpec, Outcome, Severity, StageReport, Subject

PASS = CheckSpec(
    id="deploy/verification-pass",
    title="A verification pass over production came to an end",
    severity=Severity.CRITICAL,
    why="A pass that could not run says nothing about production.",
    remediation="Read the error; when the runner is cut off, run `gonogo reconcile` from where the site answers.",
)
"""Stands in the report of a pass that raised instead of reporting."""


class Sight(enum.Enum):
    """What one look at production has shown. Only a pass of every check that ran is right."""

    RIGHT = "right"
    OUTGOING = "outgoing"
    WRONG = "wrong"


class Outlook(enum.Enum):
    """What verification has found."""

    RIGHT = "right"
    NOT_SEEN = "not seen"
    """Production still answers as the outgoing deployment: that says nothing against the expected one."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Verification:
    """The outlook, in words, and the last report that was not a pass."""

    outlook: Outlook
    message: str
    report: StageReport | None = None

    @property
    def failed_checks(self) -> str:
        return describe(self.report) if self.report else "new errors"


def describe(report: StageReport) -> str:
    """The checks that did not pass, by id."""
    return ", ".join(sorted({check_id for check_id, _ in bad_checks(report)})) or "no check ran"


async def one_pass(ctx: Context, verify: Verify, subject: Subject, *, identity_only: bool) -> StageReport:
    """One pass to a report, whatever happens: a hang or a crash of the pass is an ERROR."""
    started_at = ctx.now()
    try:
        async with asyncio.timeout(ctx.config.deploy.verify.pass_timeout.total_seconds()):
            return await verify(subject, identity_only=identity_only)
    except Exception as error:
        return StageReport(
            stage="verification",
            subject=subject,
            started_at=started_at,
            finished_at=max(started_at, ctx.now()),
            results=(errored(PASS, explain(error)),),
        )


async def verify_production(
    ctx: Context, verify: Verify, subject: Subject, outgoing: Subject | None = None
) -> Verification:
    """Wait until production shows `subject`, then demand `deploy.verify.consecutive` passes in a row.

    `outgoing` is what served before, at the same URL: while that is still shown, the switch has not arrived yet.
    """
    look = _Look(ctx, verify, subject, outgoing)
    return await look.unseen() or await look.in_a_row()


@dataclass(frozen=True, slots=True)
class _Look:
    ctx: Context
    verify: Verify
    subject: Subject
    outgoing: Subject | None

    async def unseen(self) -> Verification | None:
        """Wait for the identity; what to conclude when only the outgoing deployment is seen.

        While production shows the outgoing one, time decides. When it shows neither, time mends little: after
        `attempts` such answers the full passes shall say what is wrong.
        """
        settings = self.ctx.config.deploy.verify
        deadline = self.ctx.clock() + settings.identity_timeout.total_seconds()
        senseless = 0
        while True:
            report, sight = await self._once(identity_only=True)
            senseless += sight is Sight.WRONG
            if sight is Sight.RIGHT or senseless >= settings.attempts:
                return None
            if self.ctx.clock() >= deadline:
                return self._not_seen(report) if sight is Sight.OUTGOING else None
            await self.ctx.pause(settings.interval.total_seconds())

    async def in_a_row(self) -> Verification:
        """Full passes, until enough of them in a row are right or cannot be any more."""
        settings = self.ctx.config.deploy.verify
        in_row, wrong, outgoing = 0, None, None
        for left in reversed(range(settings.attempts)):
            report, sight = await self._once(identity_only=False)
            in_row = in_row + 1 if sight is Sight.RIGHT else 0
            wrong = report if sight is Sight.WRONG else wrong
            outgoing = report if sight is Sight.OUTGOING else outgoing
            if in_row == settings.consecutive:
                return Verification(Outlook.RIGHT, f"production passed {in_row} times in a row")
            if in_row + left < settings.consecutive:
                break
            await self.ctx.pause(settings.interval.total_seconds())
        if wrong:
            return Verification(Outlook.WRONG, f"production fails: {describe(wrong)}", wrong)
        assert outgoing is not None
        return self._not_seen(outgoing)

    async def _once(self, *, identity_only: bool) -> tuple[StageReport, Sight]:
        report = await one_pass(self.ctx, self.verify, self.subject, identity_only=identity_only)
        if report.outcome is Outcome.PASS:
            return report, Sight.RIGHT
        return report, Sight.OUTGOING if await self._shows_outgoing() else Sight.WRONG

    async def _shows_outgoing(self) -> bool:
        """ "The old one is still served" is not "the new one is broken": it takes positive evidence to tell."""
        if self.outgoing is None or not await self._shows(self.outgoing):
            return False
        # Two deployments of one commit may look the same: then it shows either, and the fault counts.
        return self.outgoing.commit != self.subject.commit or not await self._shows(self.subject)

    async def _shows(self, subject: Subject) -> bool:
        report = await one_pass(self.ctx, self.verify, subject, identity_only=True)
        return report.outcome is Outcome.PASS

    def _not_seen(self, report: StageReport) -> Verification:
        waited = self.ctx.config.deploy.verify.identity_timeout.total_seconds()
        message = f"after {waited:g} s production still shows {self.outgoing} and not {self.subject}"
        return Verification(Outlook.NOT_SEEN, message, report)
