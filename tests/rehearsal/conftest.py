"""A stand-in whose applications run in this process: small, fast, and able to say who answered."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from aiohttp import web

from ci.rehearsal.builder import BuildFailedError, BuildRequest
from ci.rehearsal.control import control_application
from ci.rehearsal.deployments import Deployment, Source
from ci.rehearsal.hosting import Order
from ci.rehearsal.standin import Options, StandIn

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BASELINE_SHA = "a" * 40
CANDIDATE_SHA = "b" * 40


class Application:
    """A backend: answers every path with what reached it, unless a test gives another handler."""

    def __init__(self, request: BuildRequest, handler: Handler | None) -> None:
        self.deployment_id = request.deployment_id
        self.env = dict(request.env)
        self.files = dict(request.files)
        self.url = ""
        self._handler = handler or self._echo
        self._runner: web.AppRunner | None = None

    async def start(self) -> Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{rest:.*}", self._handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        if self._runner:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        seen = {name.lower(): value for name, value in request.headers.items()}
        answer = {"deployment": self.deployment_id, "method": request.method, "path": request.raw_path}
        return web.json_response(answer | {"headers": seen, "received": len(body)})


class Applications:
    """The builder of these tests. Set `handler` for other behaviour, `failure` for a build that fails."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.failure: BaseException | None = None
        self.built: dict[str, Application] = {}

    async def __call__(self, request: BuildRequest) -> Application:
        if self.failure:
            raise self.failure
        self.built[request.deployment_id] = await Application(request, self.handler).start()
        return self.built[request.deployment_id]

    def fail(self, reason: str) -> None:
        self.failure = BuildFailedError(reason)


class World:
    """A stand-in in use: a baseline in production, a candidate staged beside it, and clients for API and sites."""

    def __init__(self, standin: StandIn, applications: Applications) -> None:
        self.standin = standin
        self.applications = applications
        self.baseline: Deployment
        self.candidate: Deployment
        self.api: httpx.AsyncClient
        self.control: httpx.AsyncClient
        self.site: httpx.AsyncClient

    async def open(self, stack: AsyncExitStack) -> World:
        standin = self.standin
        token = {"Authorization": f"Bearer {standin.token}"}
        team = {"teamId": standin.team_id} if standin.team_id else {}
        trust = ssl.create_default_context(cafile=standin.ca_file)
        client = httpx.AsyncClient(base_url=standin.api_url, headers=token, params=team)
        self.api = await stack.enter_async_context(client)
        control_url = await standin.serve(control_application(standin))
        control = httpx.AsyncClient(base_url=control_url, headers=token)
        self.control = await stack.enter_async_context(control)
        self.site = await stack.enter_async_context(httpx.AsyncClient(verify=trust))
        self.baseline = await standin.deploy(Order(source=Source(BASELINE_SHA, "main", integrated=True)))
        staged = Order(source=Source(CANDIDATE_SHA, "main", integrated=True), auto_assign=False)
        self.candidate = await standin.deploy(staged)
        return self

    @property
    def project(self) -> str:
        return f"/projects/{self.standin.project_id}"

    async def promote(self, deployment: Deployment) -> httpx.Response:
        return await self.api.post(f"/v10{self.project}/promote/{deployment.id}")

    async def rollback(self, deployment: Deployment, **params: str) -> httpx.Response:
        return await self.api.post(f"/v1{self.project}/rollback/{deployment.id}", params=params)

    async def settings(self) -> dict:
        answer = await self.api.get(f"/v9{self.project}", params={"rollbackInfo": "true"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def serving(self) -> str:
        """The deployment that answers on the production domain."""
        answer = await self.site.get(self.standin.production_url)
        assert answer.status_code == 200, answer.text
        return answer.json()["deployment"]


Open = Callable[..., Awaitable[World]]


@pytest.fixture
async def open_world() -> AsyncIterator[Open]:
    """Opens stand-ins with options of the test's choice, and closes them all."""
    async with AsyncExitStack() as stack:

        async def open_(**options: object) -> World:
            applications = Applications()
            standin = await stack.enter_async_context(StandIn(applications, Options(**options)))
            return await World(standin, applications).open(stack)

        yield open_


@pytest.fixture
async def world(open_world: Open) -> World:
    """A team's project with two production domains."""
    return await open_world(domains=2, redirecting="www.example.test")
