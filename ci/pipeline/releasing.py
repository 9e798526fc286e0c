"""The way to production: the transaction, with this pipeline's tests before it and its verification after it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci import preflight
from ci.deploy import release as transaction
from ci.deploy.aftercare import take_care
from ci.deploy.ancestry import git_ancestry
from ci.deploy.client import connect
from ci.deploy.context import Context
from ci.deploy.github import ISSUE_ENDS, Repository, repository
from ci.deploy.staging import Prebuilt
from ci.deploy.staging import stage as stage_prebuilt
from ci.engine.http import HttpFactory
from ci.engine.progress import Silence
from ci.engine.run import Run
from ci.errors import ConfigError, nearest
from ci.model import Outcome, Release, ReleaseEnd, StageReport, Subject, Verdict
from ci.pipeline.checking import check
from ci.pipeline.stages import SIDE_BY_SIDE, catalogue, security, smoke
from ci.report import markdown

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


@dataclass(frozen=True, slots=True)
class _Office:
    """What every command of the transaction works with."""

    run: Run
    context: Context
    repository: Repository | None

    async def tell(self, told: Awaitable[str | None]) -> None:
        """GitHub is told, not asked: what it does not take is said, and changes nothing."""
        if problem := await told:
            self.run.progress.say(problem)

    async def finish(self, release: Release, *, deliberate: bool = False) -> Release:
        """What follows an end: GitHub, the CDN, the webhook. None of it changes the end.

        `deliberate`: a rollback that somebody has asked for is no surprise to open an issue about.
        """
        store = self.run.store
        if self.repository:
            expected = deliberate and release.end is ReleaseEnd.ROLLED_BACK
            if release.end in ISSUE_ENDS and not expected:
                verdict = store.verdict() if store.has_verdict() else None
                story = markdown.render(store.reports(), verdict, store.redact.model(release))
                await self.tell(self.repository.open_issue(release, story))
            await self.tell(self.repository.deployment_ended(release, self.run.config.target.production))
            if release.candidate.commit and store.has_verdict():
                page = markdown.render(store.reports(), store.verdict(), store.redact.model(release))
                await self.tell(self.repository.comment(release.candidate.commit, page))
        for line in await take_care(release, self.run.config, self.run.environ):
            self.run.progress.say(line)
        return release


async def release(run: Run, deployment_id: str | None, *, override_pin: bool = False) -> Release:
    """Take a staged deployment, or without an id the prebuilt output in this folder, through the whole transaction.

    `run` gives the configuration and the means; the subject's commit is the one that the deployment must have.
    Raises ConfigError when there is something to stage but no commit to stage it for.
    """
    async with _office(run, override_pin=override_pin) as office:
        github = office.repository

        async def test(subject: Subject, baseline_url: str | None) -> Verdict:
            if github:
                await office.tell(github.deployment_began(subject))
            _, verdict = await check(_about(run, subject, baseline_url))
            if github:
                await office.tell(github.commit_status(verdict))
            return verdict

        stage = deployment_id or _stager(office)
        return await office.finish(
            await transaction.release(office.context, stage=stage, test=test, verify=_verifier(run))
        )


async def promote(run: Run, deployment_id: str, *, override_pin: bool = False) -> Release:
    """Promote a staged deployment on the strength of the verdict in the evidence folder."""
    verdict = run.store.verdict()
    async with _office(run, override_pin=override_pin) as office:
        if office.repository:
            await office.tell(office.repository.deployment_began(verdict.subject))
        done = await transaction.promote(office.context, deployment_id, verdict=verdict, verify=_verifier(run))
        return await office.finish(done)


async def rollback(run: Run, to: str | None = None) -> Release:
    """Point production back to the deployment before, or to the one named."""
    async with _office(run) as office:
        done = await transaction.rollback(office.context, to=to, verify=_verifier(run))
        return await office.finish(done, deliberate=True)


async def adopt(run: Run, deployment_id: str) -> Release:
    """Verify what Vercel has promoted by itself, and take it back if production is wrong with it."""
    async with _office(run) as office:
        return await office.finish(await transaction.adopt(office.context, deployment_id, verify=_verifier(run)))


async def reconcile(run: Run) -> Release:
    """Finish, or explain, the release that the journal tells of."""
    async with _office(run) as office:
        return await office.finish(await transaction.reconcile(office.context, verify=_verifier(run)))


@asynccontextmanager
async def _office(run: Run, *, override_pin: bool = False) -> AsyncIterator[_Office]:
    _demand_known(run.config.deploy.verify.checks)
    async with AsyncExitStack() as stack:
        stack.enter_context(run.store.alone())
        vercel = await stack.enter_async_context(connect(run.config, run.environ))
        github = await stack.enter_async_context(repository(run.environ, run.store.redact))
        context = Context(
            config=run.config,
            vercel=vercel,
            store=run.store,
            progress=run.progress,
            commit=run.subject.commit,
            is_ancestor=git_ancestry(Path.cwd()),
            environ=run.environ,
            override_pin=override_pin,
        )
        yield _Office(run, context, github)


def _stager(office: _Office) -> Callable[[], Awaitable[str]]:
    """Finds or creates the staged deployment of the prebuilt output in the working directory."""
    run = office.run
    if not run.subject.commit:
        raise ConfigError("to stage a deployment its commit must be known: give --commit, or set GITHUB_SHA")
    prebuilt = Prebuilt.of_environment(Path.cwd(), run.subject.commit, run.environ)

    async def stage() -> str:
        return await stage_prebuilt(office.context.vercel, prebuilt, run.config, run.environ, run.progress)

    return stage


def _demand_known(checks: tuple[str, ...]) -> None:
    """A misspelt check would be one that verification never makes."""
    known = {spec.id for spec in catalogue() if spec.stage in SIDE_BY_SIDE}
    for check_id in checks:
        if check_id not in known:
            raise ConfigError(
                f"deploy.verify.checks: there is no smoke or security check {check_id}; {nearest(check_id, known)}"
            )


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
                for stage in (smoke(), security())
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
    # The deployment before may be looked at as well, to tell where a cause lies; its report is not the release's.
    if not identity_only and run.url == run.config.target.production:
        run.store.write_report(report)
    return report


def _about(run: Run, subject: Subject, baseline_url: str | None = None) -> Run:
    """The same run, about another subject."""
    http = HttpFactory.for_target(subject.url, budget=run.config.target.request_budget, environ=run.environ)
    return dataclasses.replace(run, subject=subject, http=http, baseline_url=baseline_url)
