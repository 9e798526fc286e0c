"""A small world for releases: the stand-in with tiny applications in this process, and short durations.

Deployments go by name: `baseline` serves production, `candidate` is staged, `other` is staged by a colleague.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from ci.config import Config
from ci.deploy.client import Patience, Vercel, connect
from ci.deploy.context import Context
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import (
    Decision,
    ErrorKind,
    Event,
    Reason,
    Release,
    StageReport,
    Subject,
    Verdict,
)
from ci.rehearsal.builder import BuildFailedError, BuildRequest
from ci.rehearsal.deployments import Deployment, Source
from ci.rehearsal.hosting import Order
from ci.rehearsal.jobs import Pace
from ci.rehearsal.standin import Options, StandIn
from tests.runs import errored, failed, passed

COMMITS = {"baseline": "a" * 40, "candidate": "b" * 40, "other": "c" * 40, "first": "d" * 40}
PATIENCE = Patience(request_s=1.0, total_s=3.0, attempts=3, first_wait_s=0.005)
DURATIONS: dict[str, Any] = {
    "build_interval": "5ms",
    "build_timeout": "400ms",
    "confirm_interval": "10ms",
    "confirm_timeout": "1s",
    "settle": "80ms",
    "verify": {"attempts": 4, "consecutive": 2, "identity_timeout": "250ms", "interval": "5ms", "pass_timeout": "5s"},
}


class KilledError(BaseException):
    """The process is gone: nothing after this reaches the disk."""


class MortalStore(EvidenceStore):
    """An evidence store whose process can be killed before or after an event is on the disk."""

    def __init__(self, folder: Path, redact: Redactor) -> None:
        super().__init__(folder, redact)
        self.kill_before: Callable[[Event], bool] = lambda event: False
        self.kill_after: Callable[[Event], bool] = lambda event: False
        self.dead = False

    def write_release(self, release: Release) -> Path:
        event = release.events[-1] if release.events else None
        if self.dead or (event and self.kill_before(event)):
            self.dead = True
            raise KilledError
        path = super().write_release(release)
        if event and self.kill_after(event):
            self.dead = True
            raise KilledError
        return path


@dataclass
class Applications:
    """The builder, and what is wrong with what it builds."""

    fails_to_build: str | None = None
    hangs_in_build: bool = False
    broken: set[str] = field(default_factory=set)
    """Commits whose application answers, but does not work."""
    dead: set[str] = field(default_factory=set)
    """Commits whose application answers 500 to everything."""
    broken_in_production: set[str] = field(default_factory=set)
    production_hosts: set[str] = field(default_factory=set)

    async def __call__(self, request: BuildRequest) -> Application:
        if self.hangs_in_build:
            await asyncio.Event().wait()
        if self.fails_to_build:
            raise BuildFailedError(self.fails_to_build)
        return await Application(self, request.env["VERCEL_GIT_COMMIT_SHA"]).start()

    def works(self, commit: str, host: str) -> bool:
        only_there = commit in self.broken_in_production and host in self.production_hosts
        return commit not in self.broken and not only_there


class Application:
    def __init__(self, all_: Applications, commit: str) -> None:
        self.url = ""
        self._all = all_
        self._commit = commit
        self._runner: web.AppRunner | None = None

    async def start(self) -> Application:
        app = web.Application()
        app.router.add_get("/api/health", self._health)
        app.router.add_get("/works", self._works)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        if self._runner:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        if self._commit in self._all.dead:
            return web.Response(status=500)
        return web.json_response({"commit": self._commit})

    async def _works(self, request: web.Request) -> web.Response:
        host = request.headers.get("x-forwarded-host", "")
        fine = self._commit not in self._all.dead and self._all.works(self._commit, host)
        return web.Response(status=200 if fine else 500)


Hook = Callable[["World"], Awaitable[None]]


class World:
    """The stand-in, the deployments by name, and a release's callables over real HTTP."""

    def __init__(self, standin: StandIn, applications: Applications, evidence: Path) -> None:
        self.standin = standin
        self.applications = applications
        self.named: dict[str, Deployment] = {}
        self.environ = {
            "VERCEL_TOKEN": standin.token,
            "VERCEL_ORG_ID": standin.team_id or standin.account.user_id,
            "VERCEL_PROJECT_ID": standin.project_id,
            "VERCEL_API_URL": standin.api_url,
            "SSL_CERT_FILE": str(standin.ca_file),
        }
        self.trust = ssl.create_default_context(cafile=standin.ca_file)
        self.store = MortalStore(evidence, Redactor.of_environment(self.environ))
        self.config = Config.model_validate(
            {"target": {"production": standin.production_url}, "deploy": DURATIONS, "gate": {"max_age": "1h"}}
        )
        self.decision: Decision | None = Decision.GO
        self.verdict_changes: dict[str, Any] = {}
        self.context_changes: dict[str, Any] = {}
        self.during_test: Hook | None = None
        self.during_verify: Hook | None = None
        self.tests = 0
        self.looks: list[tuple[str, bool]] = []
        self.vercel: Vercel

    # -- deployments

    async def deploy(self, name: str, **order: Any) -> Deployment:
        made = Order(source=Source(COMMITS.get(name, name * 40), "main", integrated=True))
        self.named[name] = await self.standin.deploy(replace(made, **order), wait=not self.applications.hangs_in_build)
        return self.named[name]

    def id(self, name: str) -> str:
        return self.named[name].id

    def name(self, deployment_id: str | None) -> str:
        return next((name for name, item in self.named.items() if item.id == deployment_id), str(deployment_id))

    @property
    def serves(self) -> str:
        """Which deployments the production domains point at, by name."""
        ids = {alias.deployment_id for alias in self.standin.state.aliases.routed}
        return " and ".join(sorted(self.name(id_) if id_ else "nothing" for id_ in ids))

    @property
    def writes(self) -> list[str]:
        """The operations of every write that reached the API."""
        return [write.operation for write in self.standin.writes]

    # -- the release's callables

    def context(self, **changes: Any) -> Context:
        made = Context(config=self.config, vercel=self.vercel, store=self.store, progress=Silence())
        return replace(made, **{**self.context_changes, **changes})

    def verdict(self, subject: Subject, **changes: Any) -> Verdict:
        decision = self.decision or Decision.GO
        reasons = () if decision is Decision.GO else (Reason(rule="r", message="it leaks", decision=decision),)
        facts = {"subject": subject, "decision": decision, "reasons": reasons, **self.verdict_changes, **changes}
        return go(**facts)

    async def test(self, subject: Subject, baseline_url: str | None) -> Verdict:
        self.tests += 1
        if self.during_test:
            await self.during_test(self)
        if self.decision is None:
            raise CannotRun(ErrorKind.LOGIN_WALL, "a login wall")
        return self.verdict(subject)

    async def verify(self, subject: Subject, *, identity_only: bool) -> StageReport:
        self.looks.append((self.name(subject.deployment_id), identity_only))
        if self.during_verify and not identity_only:
            hook, self.during_verify = self.during_verify, None
            await hook(self)
        return await look(self.trust, subject, identity_only=identity_only)


async def look(trust: ssl.SSLContext, subject: Subject, *, identity_only: bool) -> StageReport:
    """One verification pass over real HTTP, on connections of its own."""
    started_at = datetime.now(UTC)
    async with httpx.AsyncClient(verify=trust, timeout=2.0, trust_env=False) as http:
        health = await http.get(f"{subject.url}/api/health")
        commit = health.json().get("commit") if health.status_code == 200 else None
        identity = "smoke/identity"
        same = commit == subject.commit
        results = [passed(identity) if same else errored(identity, ErrorKind.WRONG_SUBJECT)]
        if not identity_only:
            answer = await http.get(f"{subject.url}/works")
            results.append(passed("smoke/works") if answer.status_code == 200 else failed("smoke/works"))
    facts = {"stage": "smoke", "subject": subject, "results": tuple(results)}
    return StageReport(**facts, started_at=started_at, finished_at=datetime.now(UTC))


def go(subject: Subject, **changes: Any) -> Verdict:
    """A fresh GO about this subject."""
    now = datetime.now(UTC)
    facts = {"decision": Decision.GO, "subject": subject, "stages": ("smoke",), "decided_at": now, "evidence_from": now}
    return Verdict(**{**facts, **changes})


@asynccontextmanager
async def open_world(evidence: Path, **options: Any) -> AsyncIterator[World]:
    """A team's project with two production domains and one that redirects."""
    applications = Applications()
    given = {"domains": 2, "redirecting": "www.example.test", "pace": Pace(0.002, 0.002), **options}
    async with AsyncExitStack() as stack:
        standin = await stack.enter_async_context(StandIn(applications, Options(**given)))
        world = World(standin, applications, evidence)
        applications.production_hosts = {alias.domain for alias in standin.state.aliases}
        world.vercel = await stack.enter_async_context(connect(world.config, world.environ, PATIENCE))
        yield world


async def standard(world: World) -> World:
    """Baseline in production, a colleague's deployment and the candidate staged."""
    await world.deploy("baseline")
    await world.deploy("other", auto_assign=False)
    await world.deploy("candidate", auto_assign=False)
    world.standin.ledger.clear()
    return world


def memory_folder() -> Path | None:
    """Where a journal's many trips through to the disk cost nothing; None where there is no such place."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None


def aged(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)
