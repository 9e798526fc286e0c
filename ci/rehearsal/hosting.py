"""Joins the project's state to things that run: builds, backends, and the edge's routes."""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from dataclasses import dataclass, field

from ci.rehearsal.alias_requests import milliseconds
from ci.rehearsal.aliases import Alias
from ci.rehearsal.authority import TransportFault
from ci.rehearsal.builder import Backend, Builder, BuildFailedError, BuildRequest
from ci.rehearsal.deployments import Deployment, Failure, ReadyState, Source, Target
from ci.rehearsal.edge import Edge, Route
from ci.rehearsal.state import Project

_ALPHABET = string.ascii_letters + string.digits
_NO_ROUTE = {
    ReadyState.DELETED: "DEPLOYMENT_DELETED",
    ReadyState.BLOCKED: "DEPLOYMENT_BLOCKED",
    ReadyState.QUEUED: "DEPLOYMENT_NOT_READY_REDIRECTING",
    ReadyState.BUILDING: "DEPLOYMENT_NOT_READY_REDIRECTING",
    ReadyState.INITIALIZING: "DEPLOYMENT_NOT_READY_REDIRECTING",
}


def new_id(kind: str) -> str:
    """An identifier as Vercel writes them, for example `dpl_` and 24 letters or digits."""
    return f"{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


@dataclass(frozen=True, slots=True)
class Order:
    """What a deployment shall be. `env` is added to the project's variables for its target."""

    target: Target | None = "production"
    source: Source = field(default_factory=Source)
    meta: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    auto_assign: bool = True
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    faults: tuple[TransportFault, ...] = ()
    """What is wrong with its transport, on purpose."""


class Hosting:
    """Builds deployments and routes domains to their backends."""

    def __init__(self, project: Project, edge: Edge, builder: Builder) -> None:
        self.project = project
        self.propagation_delay = 0.0
        self._edge = edge
        self._builder = builder
        self._backends: dict[str, Backend] = {}
        self._builds: dict[str, asyncio.Task[None]] = {}
        self._orders: dict[str, Order] = {}
        self._plain_ports: dict[str, int | None] = {}

    async def add_domain(self) -> str:
        """Open one more production domain; all of them are moved by a promotion."""
        domain = ""
        listener = await self._edge.listen(lambda: self._production_route(domain), production=True)
        domain = listener.domain
        self.project.aliases.add(domain)
        return domain

    async def add_staging_domain(self) -> str:
        """Open a domain that is not of production; it serves nothing until it is pointed somewhere."""

        def routing() -> Route:
            staging = self.project.staging
            return self._route(staging.deployment_id) if staging and staging.deployment_id else Route()

        listener = await self._edge.listen(routing, production=False)
        self.project.staging = Alias(listener.domain)
        return listener.domain

    async def deploy(self, order: Order) -> Deployment:
        """Register a deployment, open its URL, and begin its build in the background."""
        identifier = new_id("dpl")
        listener = await self._edge.listen(lambda: self._route(identifier), production=False, faults=order.faults)
        self._plain_ports[identifier] = listener.plain_port
        deployment = Deployment(
            id=identifier,
            url=listener.domain,
            name=self.project.name,
            target=order.target,
            created_at=self._next_creation_time(),
            auto_assign=order.auto_assign,
            meta={**order.source.as_meta(), **order.meta},
            env_names=tuple(sorted(order.env)),
            source=order.source,
        )
        self.project.create(deployment)
        self._orders[identifier] = order
        self._builds[identifier] = asyncio.create_task(self._build(deployment, order))
        return deployment

    def order_of(self, deployment: Deployment) -> Order:
        """What was asked for when the deployment was created, to build it again."""
        return self._orders[deployment.id]

    def plain_port_of(self, deployment: Deployment) -> int | None:
        """Where plain HTTP is answered for the deployment's URL."""
        return self._plain_ports[deployment.id]

    async def built(self, deployment: Deployment) -> Deployment:
        """Wait for the end of its build."""
        await asyncio.wait([self._builds[deployment.id]])
        return deployment

    async def cancel(self, deployment: Deployment) -> None:
        """Stop its build."""
        self.project.cancel(deployment)
        self._builds[deployment.id].cancel()
        await self.built(deployment)

    async def delete(self, deployment: Deployment) -> None:
        """Remove it and end its backend."""
        self.project.delete(deployment)
        self._builds[deployment.id].cancel()
        await self.built(deployment)
        await self.stop_backend(deployment.id)

    async def stop_backend(self, deployment_id: str) -> None:
        """End a backend while its route stays: what a crashed application looks like from outside."""
        backend = self._backends.get(deployment_id)
        if backend:
            await backend.stop()

    async def close(self) -> None:
        """End all builds and backends."""
        for build in self._builds.values():
            build.cancel()
        await asyncio.gather(*self._builds.values(), return_exceptions=True)
        await asyncio.gather(*(backend.stop() for backend in self._backends.values()), return_exceptions=True)

    async def _build(self, deployment: Deployment, order: Order) -> None:
        self.project.build_began(deployment, time.time())
        request = BuildRequest(deployment.id, self._environment(deployment, order), order.files)
        try:
            backend = await self._builder(request)
        except BuildFailedError as problem:
            self.project.build_failed(deployment, Failure("BUILD_FAILED", str(problem)))
        except Exception as problem:  # a builder is foreign code: whatever it raises, the build has failed
            self.project.build_failed(deployment, Failure("INTERNAL", f"{type(problem).__name__}: {problem}"))
        else:
            self._backends[deployment.id] = backend
            self.project.build_succeeded(deployment, time.time())

    def _next_creation_time(self) -> int:
        # Pages of the list are cut by creation time, so no two deployments may share a millisecond.
        latest = max((item.created_at for item in self.project.deployments.values()), default=0)
        return max(milliseconds(time.time()), latest + 1)

    def _environment(self, deployment: Deployment, order: Order) -> dict[str, str]:
        # Vercel's system environment variables: https://vercel.com/docs/environment-variables/system-environment-variables
        kind = "production" if deployment.production else "preview"
        project = {item.key: item.value for item in self.project.variables if kind in item.targets}
        return {
            **project,
            **order.env,
            "VERCEL": "1",
            "VERCEL_ENV": kind,
            "VERCEL_TARGET_ENV": deployment.target or kind,
            "VERCEL_URL": deployment.url,
            "VERCEL_REGION": "iad1",
            "VERCEL_DEPLOYMENT_ID": deployment.id,
            "VERCEL_PROJECT_ID": self.project.id,
            "VERCEL_PROJECT_PRODUCTION_URL": next(alias.domain for alias in self.project.aliases.routed),
            "VERCEL_GIT_COMMIT_SHA": deployment.source.sha or "",
            "VERCEL_GIT_COMMIT_REF": deployment.source.branch or "",
            "VERCEL_GIT_COMMIT_MESSAGE": deployment.source.message or "",
        }

    def _production_route(self, domain: str) -> Route:
        deployment_id = self.project.aliases[domain].served(time.time(), self.propagation_delay)
        return self._route(deployment_id) if deployment_id else Route()

    def _route(self, deployment_id: str) -> Route:
        deployment = self.project.deployments.get(deployment_id)
        if deployment is None:
            return Route()
        if deployment.ready_state is not ReadyState.READY:
            return Route(deployment_id, None, _NO_ROUTE.get(deployment.ready_state, "DEPLOYMENT_NOT_FOUND"))
        return Route(deployment_id, self._backends[deployment_id].url)
