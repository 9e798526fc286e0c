"""A release that goes one step at a time, in a world whose clock stands still between the steps.

The project is the stand-in's own (`ci.rehearsal.state`), the answers are its own (`ci.rehearsal.wire`); only the
network and the time are left out. Whoever holds the `Simulation` decides what happens before each step.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ci.config import Config
from ci.deploy.answers import Deployment, ListedDeployment, Project, RollingRelease
from ci.deploy.context import Context
from ci.deploy.failures import Ambiguous, NotSent, Refused, Unreadable
from ci.deploy.journal import Fact, Journal, utc_now
from ci.deploy.release import reconcile, release
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.model import Decision, ErrorKind, Release, StageReport, Subject, Verdict
from ci.rehearsal import deployments, state, wire
from ci.rehearsal.alias_requests import JobStatus, JobType
from ci.rehearsal.refusal import RefusedError
from tests.deploy.world import COMMITS, KilledError, go
from tests.runs import errored, failed, passed

START = datetime(2026, 1, 1, tzinfo=UTC)
CALL_S = 0.1
"""What each call takes."""
PRODUCTION = "https://production.example"
CONFIG = Config.model_validate(
    {
        "target": {"production": PRODUCTION},
        "deploy": {
            "build_timeout": "60s",
            "confirm_timeout": "60s",
            "settle": "10s",
            "verify": {"attempts": 4, "consecutive": 2, "identity_timeout": "20s"},
        },
    }
)


class MemoryStore(EvidenceStore):
    """A disk that survives the death of the process, and a process that can die."""

    def __init__(self) -> None:
        super().__init__(Path("evidence"), Redactor())
        self.disk: str | None = None
        self.dead = False

    def write_release(self, release: Release) -> Path:
        if self.dead:
            raise KilledError
        self.disk = release.model_dump_json()
        return self.folder

    def release(self) -> Release | None:
        return Release.model_validate_json(self.disk) if self.disk else None


@dataclass
class Write:
    """A write of the release, and the project as the release had last read it."""

    operation: str
    to: str
    applied: bool
    last_read: Project | None
    tested: bool
    noted: dict[str, int | None]
    """The jobs that the journal on the disk names: the last before the write, and the one that was confirmed."""


@dataclass
class Simulation:
    """The world and the release in it."""

    site: state.Project
    broken: set[str] = field(default_factory=set)
    decision: Decision = Decision.GO
    now: float = 0.0
    next_failure: str | None = None
    """What becomes of the next call: `lost`, `applied`, `refused`, `not-sent`; None for nothing special."""
    lost_writes: set[str] = field(default_factory=set)
    """Operations whose every write is lost on its way."""
    job_end: JobStatus | None = JobStatus.SUCCEEDED
    """How jobs end; None for jobs that stick."""
    edge_lag: bool = False
    """The edge still shows what served before the last switch."""
    writes: list[Write] = field(default_factory=list)
    tested: set[str] = field(default_factory=set)
    first_read: Project | None = None
    """The project as the release found it."""
    last_read: Project | None = None
    store: MemoryStore = field(default_factory=MemoryStore)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    task: asyncio.Task[Release] | None = None
    gate: asyncio.Future[None] | None = None
    operation: str = ""
    """What the release is about to do."""
    began: float = 0.0
    runs: int = 0

    # -- the one who holds it

    def begin(self) -> None:
        self._start(release(self.context(), stage="candidate", test=self.test, verify=self.verify))

    def resume(self) -> None:
        self.store.dead = False
        self._start(reconcile(self.context(), verify=self.verify))

    def step(self) -> None:
        """Let the release do one thing, up to the next."""
        assert self.gate and self.task
        gate, self.gate = self.gate, None
        gate.set_result(None)
        self._settle()

    def kill(self) -> None:
        """The process is gone at once: nothing of it runs any more, and nothing more reaches the disk."""
        assert self.task
        self.store.dead = True
        self.task.cancel()
        self.loop.run_until_complete(asyncio.wait([self.task]))
        if not self.task.cancelled():
            self.task.exception()  # seen, so that nobody complains
        self.task = self.gate = None

    def close(self) -> None:
        if self.task and not self.task.done():
            self.kill()
        self.loop.close()

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()

    @property
    def serving(self) -> set[str | None]:
        return {alias.deployment_id for alias in self.site.aliases.routed}

    def job_step(self) -> None:
        """The open job, if there is one, goes one step further."""
        request = self.site.requests[-1] if self.site.requests else None
        if request is None or not request.open or self.job_end is None:
            return
        if request.status is JobStatus.PENDING:
            self.site.begin(request)
            return
        rest = self.site.aliases.elsewhere(request.to_id)
        if rest and self.job_end is JobStatus.SUCCEEDED:
            self.site.move(request, rest[0], self.now)
        else:
            self.site.finish(request, self.job_end, self.now)

    # -- what the release is given

    def context(self) -> Context:
        return Context(
            config=CONFIG,
            vercel=self,  # type: ignore[arg-type] -- it has the client's operations
            store=self.store,
            progress=Silence(),
            now=lambda: START + timedelta(seconds=self.now),
            clock=lambda: self.now,
            pause=self.pause,
        )

    async def pause(self, seconds: float) -> None:
        await self._turn("pause")
        self.now += seconds
        self.job_step()

    async def test(self, subject: Subject, baseline_url: str | None) -> Verdict:
        await self._turn("test")
        assert subject.deployment_id
        if self.decision is Decision.GO:
            self.tested.add(subject.deployment_id)
        at = START + timedelta(seconds=self.now)
        return go(
            subject, decision=Decision.GO, decided_at=at, evidence_from=at, partial=self.decision is Decision.HOLD
        )

    async def verify(self, subject: Subject, *, identity_only: bool) -> StageReport:
        await self._turn("verify")
        shown = self._shown(subject.url)
        same = shown is not None and COMMITS[shown] == subject.commit
        results = [passed("smoke/identity") if same else errored("smoke/identity", ErrorKind.WRONG_SUBJECT)]
        if not identity_only:
            results.append(failed("smoke/works") if shown in self.broken else passed("smoke/works"))
        at = START + timedelta(seconds=self.now)
        return StageReport(stage="smoke", subject=subject, started_at=at, finished_at=at, results=tuple(results))

    # -- the client's operations

    project_id = "prj_1"

    async def deployment(self, id_or_url: str) -> Deployment:
        return await self._read(
            Deployment.model_validate, lambda: wire.deployment(self.site, self.site.find(id_or_url))
        )

    async def project(self) -> Project:
        shown = await self._read(
            Project.model_validate, lambda: wire.project_settings(self.site, self.site.last_request(self.now))
        )
        self.first_read = self.first_read or shown
        self.last_read = shown
        return shown

    async def deployments(self, **filters: str) -> AsyncIterator[ListedDeployment]:
        for item in ():
            yield item

    async def rolling_release(self) -> RollingRelease | None:
        return await self._read(lambda _: None, lambda: None)

    async def promote(self, deployment_id: str) -> bool:
        target = self.site.deployments[deployment_id]
        await self._write("promote", deployment_id, lambda: self.site.request_promotion(target, self.now))
        return True

    async def rollback(self, deployment_id: str, description: str) -> None:
        target = self.site.deployments[deployment_id]
        await self._write("rollback", deployment_id, lambda: self.site.request_rollback(target, self.now, description))

    async def set_auto_assign(self, value: bool) -> None:
        def apply() -> None:
            self.site.auto_assign = value

        await self._write("update_project", "", apply)

    # -- inner workings

    async def _turn(self, operation: str) -> None:
        """Wait until the one who holds the simulation lets this go on."""
        self.operation = operation
        self.gate = self.loop.create_future()
        await self.gate

    async def _read(self, parse: Callable[[Any], Any], read: Callable[[], Any]) -> Any:
        await self._turn("read")
        self.now += CALL_S
        failure, self.next_failure = self.next_failure, None
        if failure:
            raise Unreadable("read", "the simulation says so")
        try:
            return parse(read())
        except RefusedError as refusal:
            raise Refused("read", refusal.status, refusal.code, refusal.message) from None

    async def _write(self, operation: str, to: str, apply: Callable[[], Any]) -> None:
        await self._turn(operation)
        self.now += CALL_S
        failure, self.next_failure = self.next_failure, None
        failure = "lost" if operation in self.lost_writes else failure
        write = Write(operation, to, False, self.last_read, to in self.tested, self._noted())
        self.writes.append(write)
        if failure == "not-sent":
            raise NotSent(operation, "the simulation says so")
        if failure == "refused":
            raise Refused(operation, 403, "forbidden", "the simulation says so")
        if failure == "lost":
            raise Ambiguous(operation, "the simulation says so")
        try:
            apply()
        except RefusedError as refusal:
            raise Refused(operation, refusal.status, refusal.code, refusal.message) from None
        write.applied = True
        if failure == "applied":
            raise Ambiguous(operation, "the simulation says so")

    def _noted(self) -> dict[str, int | None]:
        journal = Journal.resume(self.store, utc_now)
        facts = {fact: journal.recall(fact) for fact in (Fact.JOB_BEFORE, Fact.JOB_AFTER)}
        return {fact: int(text) if text else None for fact, text in facts.items()}

    def _shown(self, url: str) -> str | None:
        if url != PRODUCTION:
            return url.removeprefix("https://").partition(".")[0]
        first = self.site.aliases.routed[0]
        moves = first.moves
        return moves[-2].deployment_id if self.edge_lag and len(moves) > 1 else first.deployment_id

    def _start(self, run: Any) -> None:
        self.began = self.now
        self.runs += 1
        self.task = self.loop.create_task(run)
        self._settle()

    def _settle(self) -> None:
        """Run until the release stands at its next gate, or has ended."""

        async def settled() -> None:
            while self.task and not self.task.done() and self.gate is None:
                await asyncio.sleep(0)

        self.loop.run_until_complete(settled())


def simulation() -> Simulation:
    """`baseline` serves two domains; `candidate` and `other` are staged."""
    project = state.Project(id="prj_1", name="demo", account_id="team_1")
    for domain in ("a.example", "b.example"):
        project.aliases.add(domain)
    for created, name in enumerate(("baseline", "other", "candidate")):
        made = deployments.Deployment(
            id=name,
            url=f"{name}.example",
            name="demo",
            target="production",
            created_at=created,
            auto_assign=name == "baseline",
            source=deployments.Source(COMMITS[name], "main", integrated=True),
        )
        project.create(made)
        project.build_succeeded(made, 0.0)
    project.requests.clear()
    return Simulation(project)


def somebody(simulation: Simulation, type_: JobType, name: str) -> bool:
    """Somebody else changes production in one step; False when Vercel would refuse."""
    try:
        simulation.site.change_at_once(type_, simulation.site.deployments[name], simulation.now)
    except RefusedError:
        return False
    return True
