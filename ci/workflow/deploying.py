"""Deployments without a domain, and the staging alias: what a push puts at Vercel before anybody may see it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ci import preflight
from ci.deploy.ancestry import git_ancestry
from ci.deploy.answers import Deployment
from ci.deploy.building import built
from ci.deploy.client import Vercel, connect
from ci.deploy.context import Context
from ci.deploy.failures import Refused
from ci.deploy.judgement import build_ended_badly, judge_verdict, older, unfit, who_serves
from ci.deploy.staging import Prebuilt, stage
from ci.deploy.transaction import subject_of
from ci.deploy.transitions import Signal
from ci.engine.http import HttpFactory
from ci.engine.run import Run
from ci.errors import CannotRun, ConfigError
from ci.model import ErrorKind, Outcome, Subject
from ci.workflow.routes import Target


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was deployed, and what it is compared with."""

    subject: Subject
    baseline_url: str | None
    failure: str | None = None
    """Why its build failed; then there is nothing to judge."""


async def deploy(run: Run, target: Target, commit: str) -> Deployed:
    """Deploy what is checked out here, or find what an earlier attempt of this run has deployed, and wait for it.

    Raises ConfigError without a link to Vercel, CannotRun when the outcome is not a usable deployment.
    """
    async with connect(run.config, run.environ) as vercel:
        prebuilt = Prebuilt.of_environment(Path.cwd(), commit, run.environ, target)
        build = run.config.deploy.build
        found = await stage(vercel, prebuilt, run.config, run.environ, run.progress, build=build)
        made, in_time = await built(_context(run, vercel), await vercel.deployment(found))
        if not in_time:
            raise CannotRun(ErrorKind.TIMEOUT, f"{made.id} is still {made.ready_state} after deploy.build_timeout")
        serving = who_serves(await vercel.project()).one
        subject = _subject(made, commit)
        if build_ended_badly(made):
            return Deployed(subject, None, f"the build of {made.id} failed: {made.error_message or 'see its log'}")
        if problem := _unusable(made, target, vercel.project_id, commit, serving):
            raise CannotRun(ErrorKind.WRONG_SUBJECT, problem)
        baseline = None if serving in {None, made.id} else (await vercel.deployment(str(serving))).base_url
        return Deployed(subject, baseline)


async def point_staging(run: Run, deployment_id: str) -> str:
    """Let `deploy.staging` show a preview for which the evidence folder holds a GO; a sentence about it.

    Raises CannotRun when it must not be, or did not come true.
    """
    url = run.config.deploy.staging
    if url is None:
        return "there is no staging alias to move: write `deploy: {staging: https://…}` to have one"
    domain = urlsplit(url).netloc.lower()  # a name in capitals is the same name
    async with connect(run.config, run.environ) as vercel:
        candidate = await vercel.deployment(deployment_id)
        _demand_go(run, candidate)
        await _demand_not_production(vercel, domain)
        await _demand_not_older(vercel, domain, candidate)
        await vercel.assign_alias(candidate.id, domain)
        now = (await vercel.alias(domain)).deployment_id
        if now != candidate.id:
            raise CannotRun(ErrorKind.WRONG_SUBJECT, f"{domain} points at {now}, although {candidate.id} was asked for")
    await _await_identity(run, Subject(url=url, commit=candidate.commit, deployment_id=candidate.id))
    return f"{url} shows {candidate.id} now, of commit {candidate.commit}"


def _subject(made: Deployment, commit: str) -> Subject:
    return subject_of(made).model_copy(update={"commit": made.commit or commit})


def _context(run: Run, vercel: Vercel) -> Context:
    return Context(config=run.config, vercel=vercel, store=run.store, progress=run.progress, environ=run.environ)


def _unusable(made: Deployment, target: Target, project: str, commit: str, serving: str | None) -> str | None:
    """Why it is not what was to be deployed, as a sentence. One that serves already is the end of a finished run."""
    if target == "production" and made.id != serving:
        return unfit(made, project, commit)
    if made.project_id != project:
        return f"{made.id} belongs to project {made.project_id or 'unknown'}, not to {project}"
    if (made.target == "production") != (target == "production"):
        return f"{made.id} was built for {made.target or 'preview'}, not for {target}"
    if made.commit != commit:
        return f"{made.id} was built from commit {made.commit or 'unknown'}, not from {commit}"
    return None


def _demand_go(run: Run, candidate: Deployment) -> None:
    """The verdict is a fresh GO about this deployment; a partial one will do, staging is nobody's production."""
    verdict = run.store.verdict().model_copy(update={"partial": False})
    max_age = run.config.gate.max_age
    signal, message = judge_verdict(verdict, subject_of(candidate), datetime.now(UTC), max_age)
    if signal is not Signal.GO:
        raise CannotRun(ErrorKind.WRONG_SUBJECT, f"staging stays as it is: {message}")


async def _demand_not_production(vercel: Vercel, domain: str) -> None:
    project = await vercel.project()
    if any(item.domain == domain and item.serves_production for item in project.alias):
        raise ConfigError(
            f"deploy.staging: {domain} is a domain of production; an alias set there would bypass every check"
        )


async def _demand_not_older(vercel: Vercel, domain: str, candidate: Deployment) -> None:
    """What is there already is not newer: of two pushes the later one may have been judged first."""
    try:
        there = (await vercel.alias(domain)).deployment_id
        current = await vercel.deployment(there) if there else None
    except Refused as refusal:
        if refusal.status == 404:  # nobody has pointed it anywhere yet
            return
        raise
    if current is None or current.id == candidate.id or not (candidate.commit and current.commit):
        return
    is_ancestor = git_ancestry(Path.cwd())
    descends = await is_ancestor(current.commit, candidate.commit)
    precedes = await is_ancestor(candidate.commit, current.commit)
    if older(candidate, current, descends=descends, precedes=precedes):
        message = f"SUPERSEDED: {domain} shows {current.id} already, which is newer than {candidate.id}"
        raise CannotRun(ErrorKind.WRONG_SUBJECT, message)


async def _await_identity(run: Run, subject: Subject) -> None:
    """Until the alias itself says that it is the subject, for as long as production would be given."""
    http = HttpFactory.for_target(subject.url, budget=run.config.target.request_budget, environ=run.environ)
    about = dataclasses.replace(run, subject=subject, http=http)
    verify = run.config.deploy.verify
    deadline = time.monotonic() + verify.identity_timeout.total_seconds()
    while True:
        _, seen = await preflight.before(about)
        if all(result.outcome is not Outcome.ERROR for result in seen):
            return
        if time.monotonic() > deadline:
            why = next(result.error.message for result in seen if result.error)
            raise CannotRun(ErrorKind.WRONG_SUBJECT, f"{subject.url} was pointed at {subject.deployment_id}, but {why}")
        await asyncio.sleep(verify.interval.total_seconds())
