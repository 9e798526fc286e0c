"""Which stages run when, and the gate over their reports."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ci import preflight
from ci.engine.evidence import EvidenceStore
from ci.engine.run import Run
from ci.engine.runner import run_stage
from ci.errors import CannotRun
from ci.gate.policy import decide
from ci.model import Decision, ErrorKind, Outcome, Release, StageReport, Subject, Verdict
from ci.pipeline.stages import ALONE, SIDE_BY_SIDE, STAGES, demanded_stages, in_front

NO_TARGET = "https://target.invalid"
"""Stands for the target where the code alone is judged (RFC 2606)."""

NOT_TRUSTED = "whatever needs a connection that can be trusted"

STAGE_GRACE_S = 30.0
"""Seconds that a stage gets beyond its own time limit to tidy up and report."""


@dataclass(slots=True)
class _Flight:
    """The reports of a run as they come in; each is on disk as soon as it is here."""

    run: Run
    stages: tuple[str, ...]
    reports: dict[str, StageReport] = dataclasses.field(default_factory=dict)

    def add(self, report: StageReport) -> StageReport:
        report = self.run.store.redact.model(report)
        self.reports[report.stage] = report
        self.run.store.write_report(report)
        return report

    def leave_out(self, stages: Sequence[str], reason: str) -> None:
        now = datetime.now(UTC)
        for stage in stages:
            if stage in self.stages and stage not in self.reports:
                report = StageReport(
                    stage=stage, subject=self.run.subject, started_at=now, finished_at=now, results=(), not_run=reason
                )
                self.add(report)
                self.run.progress.stage_done(report)

    async def fly(self, stage: str, only: Collection[str] | None = None) -> None:
        made = STAGES[stage]()
        limit = made.timeout_s(self.run.config) + STAGE_GRACE_S
        report = await run_stage(
            stage,
            self.run.subject,
            lambda: made.run(self.run) if only is None else made.run(self.run, only=only),
            specs=[spec for spec in made.specs(self.run.config) if only is None or spec.id in only],
            timeout_s=limit,
            progress=self.run.progress,
        )
        self.add(report if only is None else report.model_copy(update={"left_out": NOT_TRUSTED}))

    async def fly_together(self, stages: Sequence[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for stage in stages:
                if stage in self.stages:
                    group.create_task(self.fly(stage))

    async def fly_side_by_side(self) -> None:
        """Smoke and security; what security uses up rate limits with waits until smoke has made its requests."""
        alone = asyncio.Event()
        self.run = dataclasses.replace(self.run, alone=alone)

        async def others() -> None:
            try:
                await self.fly_together([stage for stage in SIDE_BY_SIDE if stage != "security"])
            finally:
                alone.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(others())
            group.create_task(self.fly_together(["security"]))

    def is_no_go(self, stage: str) -> bool:
        if stage not in self.reports:
            return False
        alone = decide(
            self.run.config.gate, self.run.subject, [self.reports[stage]], now=datetime.now(UTC), only=(stage,)
        )
        return alone.decision is Decision.NO_GO

    def verdict(self) -> Verdict:
        run, config = self.run, self.run.config
        only = None if set(self.stages) >= set(demanded_stages(config)) else self.stages
        reports, target = self.reports.values(), run.part != "code"
        made = decide(config.gate, run.subject, reports, now=datetime.now(UTC), only=only, target=target)
        verdict = run.store.redact.model(made)
        run.store.write_verdict(verdict)
        return verdict


async def check(run: Run, stages: Sequence[str] = ()) -> tuple[tuple[StageReport, ...], Verdict]:
    """Run the named stages, or those that the policy demands, against the run's subject; then the gate.

    When it is cancelled, what is known by then is kept, with a verdict of HOLD.
    """
    flight = _Flight(run, tuple(stages) or demanded_stages(run.config))
    run.store.begin()
    try:
        await _fly_all(flight)
    except BaseException:
        flight.leave_out(flight.stages, "the run was interrupted")
        publish(run.store, tuple(flight.reports.values()), flight.verdict())
        raise
    return tuple(flight.reports.values()), flight.verdict()


async def _fly_all(flight: _Flight) -> None:
    if flight.run.part == "code":
        await flight.fly_together(flight.stages)
        return
    started_at = datetime.now(UTC)
    progress = flight.run.progress
    progress.stage_started(preflight.STAGE)
    subject, seen = await preflight.before(flight.run)
    flight.run = dataclasses.replace(flight.run, subject=subject)
    report = flight.add(preflight.report(subject, started_at, seen))
    progress.stage_done(report)
    if report.outcome is Outcome.ERROR:
        if "security" in flight.stages and any(r.error and r.error.kind is ErrorKind.UNTRUSTED for r in seen):
            await flight.fly("security", in_front())
        flight.leave_out(flight.stages, "the preflight could not make sure of the target")
        return
    flight.add(report.model_copy(update={"results": (*report.results, *preflight.awaited(flight.run))}))
    await flight.fly_side_by_side()
    if flight.is_no_go("smoke"):
        flight.leave_out(ALONE, "smoke is NO-GO, so the target was spared the load")
    await flight.fly_together([stage for stage in ALONE if stage not in flight.reports])
    again = await preflight.after(flight.run)
    flight.add(report.model_copy(update={"results": (*report.results, *again)}))


def publish(
    store: EvidenceStore, reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None = None
) -> None:
    """Write the pages that people and other tools read into the evidence folder."""
    from ci.report import html, junit, markdown, sarif

    renderers = {
        "report.html": html.render,
        "summary.md": markdown.render,
        "junit.xml": junit.render,
        "gonogo.sarif": sarif.render,
    }
    for name, render in renderers.items():
        store.write_rendering(name, render, reports, verdict, release)


async def subject_of_code() -> Subject:
    """The commit that is checked out here; no commit where there is none, and then the scan says so."""
    from ci.security.scanners.repository import git

    try:
        commit = (await git(Path(), "rev-parse", "--verify", "HEAD")).strip()
    except CannotRun:
        commit = None
    return Subject(url=NO_TARGET, commit=commit)


def subject_of(url: str, commit: str | None = None, deployment_id: str | None = None) -> Subject:
    return Subject(url=url.rstrip("/"), commit=commit, deployment_id=deployment_id)
