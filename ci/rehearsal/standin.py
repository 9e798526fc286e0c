"""A local stand-in for Vercel: the API, the edge, the builds, and everything that can go wrong with them.

In process: `async with StandIn(builder) as standin: …`. As a process of its own: `python -m ci.rehearsal.process`.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from ci.rehearsal.alias_requests import milliseconds
from ci.rehearsal.api.server import OPERATIONS, application
from ci.rehearsal.api.world import Account, World
from ci.rehearsal.authority import VALID_DAYS, Authority
from ci.rehearsal.builder import Builder
from ci.rehearsal.checks import Checks
from ci.rehearsal.deployments import Deployment
from ci.rehearsal.edge import Edge
from ci.rehearsal.faults import Faults
from ci.rehearsal.hosting import Hosting, Order, new_id
from ci.rehearsal.jobs import AliasJobs, Pace
from ci.rehearsal.ledger import Ledger, Write
from ci.rehearsal.protection import Protected, Protection
from ci.rehearsal.state import Plan, Project

SHUTDOWN_TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """How the stand-in shall be.

    `personal`: the project belongs to a user, not to a team. `domains`: how many production domains there are.
    `redirecting`: a further domain that only redirects to the first. `staging`: there is a domain that is not of
    production. `certificate_days`: validity of the edge's certificate, from now. `pace`: how fast promotions move.
    """

    project_name: str = "demo"
    personal: bool = False
    plan: Plan = "pro"
    domains: int = 1
    redirecting: str | None = None
    staging: bool = False
    tls: bool = True
    certificate_days: float = VALID_DAYS
    protected: Protected = Protected.NONE
    propagation_delay: float = 0.0
    pace: Pace | None = None


class StandIn:
    """Runs for the length of its `async with` block; afterwards no backend, port or file of it is left."""

    def __init__(self, builder: Builder, options: Options | None = None) -> None:
        self._builder = builder
        self._options = options or Options()
        self._stack = AsyncExitStack()
        self.token = secrets.token_hex(24)
        self.bypass_secret = secrets.token_hex(16)
        self.faults = Faults(OPERATIONS)
        self.ledger = Ledger()
        self.account = Account(
            user_id=new_id("usr"),
            team_id=None if self._options.personal else new_id("team"),
            slug="rehearsal",
            token=self.token,
        )
        self.state = Project(
            id=new_id("prj"),
            name=self._options.project_name,
            account_id=self.account.owner_id,
            team_slug=None if self._options.personal else self.account.slug,
            created_at=milliseconds(time.time()),
            plan=self._options.plan,
        )
        self.checks = Checks()
        self.state.must_wait = self.checks.hold_back
        self.jobs = AliasJobs(self.state, self._options.pace or Pace())
        self.protection = Protection(self.bypass_secret, self._options.protected)
        self.hosting: Hosting
        self.api_url = ""
        self.production_url = ""
        self.staging_url: str | None = None
        self.ca_file: Path | None = None

    @property
    def team_id(self) -> str | None:
        """The team that owns the project; None in a personal account."""
        return self.account.team_id

    @property
    def project_id(self) -> str:
        """The one project."""
        return self.state.id

    @property
    def writes(self) -> list[Write]:
        """Every write that reached the API."""
        return self.ledger.writes

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await _to_the_end(self._stack.aclose())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await _to_the_end(self._stack.aclose())

    async def deploy(self, order: Order, *, wait: bool = True) -> Deployment:
        """Create a deployment past the API, and wait for the end of its build."""
        deployment = await self.hosting.deploy(order)
        return await self.hosting.built(deployment) if wait else deployment

    def url_of(self, deployment: Deployment) -> str:
        """The immutable URL of a deployment."""
        return f"{'https' if self._options.tls else 'http'}://{deployment.url}"

    def coordinates(self) -> dict[str, Any]:
        """All that a client in another process needs to know."""
        return {
            "api_url": self.api_url,
            "token": self.token,
            "team_id": self.team_id,
            "project_id": self.project_id,
            "production_url": self.production_url,
            "staging_url": self.staging_url,
            "ca_file": str(self.ca_file) if self.ca_file else None,
            "bypass_secret": self.bypass_secret,
        }

    def snapshot(self) -> dict[str, Any]:
        """Where everything stands, for tests in another process."""
        last = self.state.last_request(time.time())
        return {
            "aliases": {alias.domain: alias.deployment_id for alias in self.state.aliases},
            "current": self.state.current_id,
            "auto_assign": self.state.auto_assign,
            "pinned": self.state.pinned,
            "last_request": {"to": last.to_id, "status": last.status, "type": last.type} if last else None,
            "deployments": {
                item.id: {"url": item.url, "state": item.ready_state, "substate": item.substate}
                for item in self.state.deployments.values()
            },
        }

    async def _start(self) -> None:
        options = self._options
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
        authority = Authority(options.certificate_days) if options.tls else None
        self.ca_file = authority.write(folder) if authority else None
        # Ended in reverse: jobs, then the API, then backends, and the edge last of all, empty by then.
        edge = await self._stack.enter_async_context(Edge(self.protection, authority))
        self.hosting = Hosting(self.state, edge, self._builder)
        self.hosting.propagation_delay = options.propagation_delay
        self._stack.push_async_callback(self.hosting.close)
        domains = [await self.hosting.add_domain() for _ in range(options.domains)]
        if options.redirecting:
            self.state.aliases.add(options.redirecting, redirect=domains[0])
        scheme = "https" if options.tls else "http"
        self.production_url = f"{scheme}://{domains[0]}"
        if options.staging:
            self.staging_url = f"{scheme}://{await self.hosting.add_staging_domain()}"
        world = World(self.account, self.hosting, self.jobs, self.checks)
        self.api_url = await self.serve(application(world, self.faults, self.ledger))
        self._stack.push_async_callback(self.jobs.close)

    async def serve(self, app: web.Application) -> str:
        """Serve one more application on a port of its own, until the end of the block; returns its URL."""
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT, handle_signals=False)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


async def _to_the_end(ending: Coroutine[Any, Any, None]) -> None:
    """Await `ending` even while this task is being cancelled: half an ending would leave backends running."""
    task = asyncio.ensure_future(ending)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as problem:
            cancelled = problem
    if cancelled is not None:
        raise cancelled
    task.result()
