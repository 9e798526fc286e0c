"""Faults and switches over HTTP, for tests in another process, on a port of its own."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ci.rehearsal.faults import Fault
from ci.rehearsal.jobs import JobPlan
from ci.rehearsal.protection import Protected
from ci.rehearsal.refusal import RefusedError
from ci.rehearsal.secret import matches
from ci.rehearsal.standin import StandIn
from ci.rehearsal.state import Plan

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Switches(BaseModel):
    """Lasting conditions; those left out stay as they are.

    `propagation_delay`: seconds. `point`: domain to deployment id, which splits production.
    `rolling_release`: id of the canary of a rolling release that becomes active.
    `trusted_token`: opens the wall as well, in the header of Vercel's Trusted Sources.
    `stop_backend`: id of a deployment whose application ends while its URL stays.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Plan | None = None
    auto_assign: bool | None = None
    protected: Protected | None = None
    trusted_token: str | None = None
    propagation_delay: Annotated[float, Field(ge=0)] | None = None
    point: dict[str, str] = {}
    rolling_release: str | None = None
    stop_backend: str | None = None


async def apply_switches(standin: StandIn, switches: Switches) -> None:
    """Bring the conditions about."""
    project = standin.state
    if switches.plan is not None:
        project.plan = switches.plan
    if switches.auto_assign is not None:
        project.auto_assign = switches.auto_assign
    if switches.protected is not None:
        standin.protection.protected = switches.protected
    if switches.trusted_token is not None:
        standin.protection.trusted_token = switches.trusted_token
    if switches.propagation_delay is not None:
        standin.hosting.propagation_delay = switches.propagation_delay
    for domain, deployment_id in switches.point.items():
        project.aliases[domain].point_at(project.find(deployment_id).id, time.time())
    if switches.rolling_release is not None:
        project.start_rolling_release(project.find(switches.rolling_release), time.time(), (10, 100))
    if switches.stop_backend is not None:
        await standin.hosting.stop_backend(switches.stop_backend)


def control_application(standin: StandIn) -> web.Application:
    """POST /faults, DELETE /faults, POST /jobs, POST /switches, GET /writes, DELETE /writes, GET /state."""

    async def add_fault(request: web.Request) -> web.StreamResponse:
        standin.faults.add(Fault.model_validate_json(await request.text()))
        return web.json_response({}, status=201)

    async def clear_faults(request: web.Request) -> web.StreamResponse:
        standin.faults.clear()
        return web.json_response({})

    async def plan_job(request: web.Request) -> web.StreamResponse:
        standin.jobs.plans.append(JobPlan.model_validate_json(await request.text()))
        return web.json_response({}, status=201)

    async def switch(request: web.Request) -> web.StreamResponse:
        await apply_switches(standin, Switches.model_validate_json(await request.text()))
        return web.json_response({})

    async def writes(request: web.Request) -> web.StreamResponse:
        return web.json_response([asdict(write) for write in standin.writes])

    async def clear_writes(request: web.Request) -> web.StreamResponse:
        standin.ledger.clear()
        return web.json_response({})

    async def state(request: web.Request) -> web.StreamResponse:
        return web.json_response(standin.snapshot())

    app = web.Application(middlewares=[_only_with(standin.token), _readable_errors])
    app.add_routes(
        [
            web.post("/faults", add_fault),
            web.delete("/faults", clear_faults),
            web.post("/jobs", plan_job),
            web.post("/switches", switch),
            web.get("/writes", writes),
            web.delete("/writes", clear_writes),
            web.get("/state", state),
        ]
    )
    return app


def _only_with(token: str) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not matches(request.headers.get("Authorization", ""), f"Bearer {token}"):
            return web.json_response({"error": "wanted: Authorization: Bearer <the stand-in's token>"}, status=403)
        return await handler(request)

    return check


@web.middleware
async def _readable_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as problem:
        return web.json_response({"error": problem.errors(include_url=False, include_context=False)}, status=400)
    except ValueError as problem:
        return web.json_response({"error": str(problem)}, status=400)
    except (RefusedError, KeyError) as problem:
        return web.json_response({"error": str(problem)}, status=409)
