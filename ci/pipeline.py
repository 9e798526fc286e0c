"""Which stages run when, then the gate, promotion and verification: the one module that knows them all."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ci import preflight
from ci.config import Config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Silence
from ci.engine.run import Run
from ci.engine.runner import run_stage
from ci.errors import ConfigError
from ci.gate.policy import decide
from ci.model import CheckSpec, Decision, Outcome, Release, StageReport, Subject, Verdict

if TYPE_CHECKING:
    from ci.deploy.context import Context

STAGE_GRACE_S = 30.0
"""Seconds that a stage gets beyond its own time limit to tidy up and report."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, its libraries loaded only when it is used."""

    name: str
    specs: Callable[[Config], tuple[CheckSpec, ...]]
    run: Callable[..., Coroutine[Any, Any, StageReport]]
    timeout_s: Callable[[Config], float]


def _smoke() -> Stage:
    from ci.smoke import stage

    return Stage("smoke", stage.specs, stage.run, lambda c: c.smoke.timeout.total_seconds())


def _security() -> Stage:
    from ci.security import stage

    return Stage("security", stage.specs, stage.run, lambda c: c.security.timeout.total_seconds())


def _load() -> Stage:
    from ci.load import stage

    return Stage("load", stage.specs, stage.run, stage.time_limit_s)


_STAGES: dict[str, Callable[[], Stage]] = {"smoke": _smoke, "security": _security, "load": _load}

SIDE_BY_SIDE = ("smoke", "security")
"""Stages that do not disturb each other."""
ALONE = ("load",)
"""Stages that disturb the others, and for which a broken application is not worth the traffic."""


def stage_names() -> tuple[str, ...]:
    return tuple(_STAGES)


def catalogue() -> tuple[CheckSpec, ...]:
    """Every check there is, in the order of the stages."""
    defaults = Config.model_validate({"target": {"production": "https://app.example.com"}})
    return preflight.specs() + tuple(spec for make in _STAGES.values() for spec in make().specs(defaults))


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

    async def fly(self, stage: str) -> None:
        made = _STAGES[stage]()
        limit = made.timeout_s(self.run.config) + STAGE_GRACE_S
        report = await run_stage(
            stage,
            self.run.subject,
            lambda: made.run(self.run),
            specs=made.specs(self.run.config),
            timeout_s=limit,
            progress=self.run.progress,
        )
        self.add(report)

    async def fly_together(self, stages: Sequence[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for stage in stages:
                if stage in self.stages:
                    group.create_task(self.fly(stage))

    def is_no_go(self, stage: str) -> bool:
        if stage not in self.reports:
            return False
        alone = decide(
            self.run.config.gate, self.run.subject, [self.reports[stage]], now=datetime.now(UTC), only=(stage,)
        )
        return alone.decision is Decision.NO_GO

    def verdict(self) -> Verdict:
        run, config = self.run, self.run.config
        only = None if set(self.stages) >= set(_STAGES) else self.stages
        made = decide(config.gate, run.subject, self.reports.values(), now=datetime.now(UTC), only=only)
        verdict = run.store.redact.model(made)
        run.store.write_verdict(verdict)
        return verdict


async def check(run: Run, stages: Sequence[str] = ()) -> tuple[tuple[StageReport, ...], Verdict]:
    """Run the stages (all, when none is named) against the run's subject, then the gate over their reports.

    When it is cancelled, what is known by then is kept, with a verdict of HOLD.
    """
    flight = _Flight(run, tuple(stages) or stage_names())
    run.store.begin()
    try:
        await _fly_all(flight)
    except BaseException:
        flight.leave_out(flight.stages, "the run was interrupted")
        flight.verdict()
        raise
    return tuple(flight.reports.values()), flight.verdict()


async def _fly_all(flight: _Flight) -> None:
    started_at = datetime.now(UTC)
    progress = flight.run.progress
    progress.stage_started(preflight.STAGE)
    subject, seen = await preflight.before(flight.run)
    flight.run = dataclasses.replace(flight.run, subject=subject)
    report = flight.add(preflight.report(subject, started_at, seen))
    progress.stage_done(report)
    if report.outcome is Outcome.ERROR:
        flight.leave_out(flight.stages, "the preflight could not make sure of the target")
        return
    await flight.fly_together(SIDE_BY_SIDE)
    if flight.is_no_go("smoke"):
        flight.leave_out(ALONE, "smoke is NO-GO, so the target was spared the load")
    await flight.fly_together([stage for stage in ALONE if stage not in flight.reports])
    flight.add(preflight.report(subject, started_at, (*seen, *await preflight.after(flight.run))))


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


def subject_of(url: str, commit: str | None = None, deployment_id: str | None = None) -> Subject:
    return Subject(url=url.rstrip("/"), commit=commit, deployment_id=deployment_id)


# -- the way to production

VERIFIED = (
    "smoke/health",
    "smoke/health-detailed",
    "smoke/openapi",
    "smoke/api",
    "smoke/not-found",
    "smoke/protected-pages",
    "smoke/protected-api",
    "smoke/login",
    "security/hsts",
    "security/csp",
)
"""What verification looks at on production unless `deploy.verify.checks` names other checks: quick, and one login."""


async def release(run: Run, deployment_id: str, *, override_pin: bool = False) -> Release:
    """Take a staged deployment through the whole transaction: test, promote, verify, roll back when needed.

    `run` gives the configuration and the means; the subject's commit is the one that the deployment must have.
    """
    from ci.deploy import release as transaction

    async def test(subject: Subject, baseline_url: str | None) -> Verdict:
        return (await check(_about(run, subject, baseline_url)))[1]

    async with _context(run, override_pin=override_pin) as context:
        return await transaction.release(context, stage=deployment_id, test=test, verify=_verifier(run))


async def promote(run: Run, deployment_id: str, *, override_pin: bool = False) -> Release:
    """Promote a staged deployment on the strength of the verdict in the evidence folder."""
    from ci.deploy import release as transaction

    verdict = run.store.verdict()
    async with _context(run, override_pin=override_pin) as context:
        return await transaction.promote(context, deployment_id, verdict=verdict, verify=_verifier(run))


async def rollback(run: Run, to: str | None = None) -> Release:
    """Point production back to the deployment before, or to the one named."""
    from ci.deploy import release as transaction

    async with _context(run) as context:
        return await transaction.rollback(context, to=to, verify=_verifier(run))


async def reconcile(run: Run) -> Release:
    """Finish, or explain, the release that the journal tells of."""
    from ci.deploy import release as transaction

    async with _context(run) as context:
        return await transaction.reconcile(context, verify=_verifier(run))


@asynccontextmanager
async def _context(run: Run, *, override_pin: bool = False) -> AsyncIterator[Context]:
    from ci.deploy.client import connect
    from ci.deploy.context import Context

    _demand_known(run.config.deploy.verify.checks)
    async with connect(run.config, run.environ) as vercel:
        yield Context(
            config=run.config,
            vercel=vercel,
            store=run.store,
            progress=run.progress,
            commit=run.subject.commit,
            override_pin=override_pin,
        )


def _demand_known(checks: Sequence[str]) -> None:
    """A misspelt check would be one that verification never makes."""
    known = {spec.id for spec in catalogue() if spec.stage in SIDE_BY_SIDE}
    for check_id in checks:
        if check_id not in known:
            near = difflib.get_close_matches(check_id, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"deploy.verify.checks: there is no smoke or security check {check_id}{hint}")


def _verifier(run: Run) -> Callable[..., Coroutine[Any, Any, StageReport]]:
    async def verify_subject(subject: Subject, *, identity_only: bool) -> StageReport:
        return await verify(_about(run, subject), identity_only=identity_only)

    return verify_subject


async def verify(run: Run, *, identity_only: bool) -> StageReport:
    """One look at the run's subject on fresh connections, past every cache: its identity, then its behaviour."""
    started_at = datetime.now(UTC)
    _, seen = await preflight.before(run)
    results = list(seen)
    if not identity_only and all(result.outcome is not Outcome.ERROR for result in seen):
        quiet = dataclasses.replace(run, progress=Silence())
        only = run.config.deploy.verify.checks or VERIFIED
        async with asyncio.TaskGroup() as group:
            parts = [
                group.create_task(stage.run(quiet, only=only))
                for stage in (make() for make in (_smoke, _security))
                if any(check_id.startswith(f"{stage.name}/") for check_id in only)
            ]
        results += [result for part in parts for result in part.result().results]
    report = StageReport(
        stage="verification",
        subject=run.subject,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        results=tuple(results),
    )
    report = run.store.redact.model(report)
    if not identity_only:
        run.store.write_report(report)
    return report


def _about(run: Run, subject: Subject, baseline_url: str | None = None) -> Run:
    """The same run, about another subject."""
    http = HttpFactory.for_target(subject.url, budget=run.config.target.request_budget, environ=run.environ)
    return dataclasses.replace(run, subject=subject, http=http, baseline_url=baseline_url)
