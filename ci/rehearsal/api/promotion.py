"""Operations that point production elsewhere."""

from __future__ import annotations

import time

from aiohttp import web

from ci.rehearsal import wire
from ci.rehearsal.alias_requests import JobType
from ci.rehearsal.api.world import Route, World, demand_deployment, demand_project, read_object
from ci.rehearsal.refusal import RefusedError
from ci.rehearsal.wire_rolling import rolling_release

DEFAULT_PERCENTAGES = (10, 100)


async def promote(world: World, request: web.Request) -> web.Response:
    """Accept a promotion (201), or let it wait behind a rolling release (202)."""
    project = demand_project(world, request)
    visible_after = world.jobs.next_plan().visible_after
    accepted = project.request_promotion(demand_deployment(world, request), time.time(), visible_after)
    if accepted is None:
        return web.Response(status=202)
    world.jobs.start(accepted)
    return web.Response(status=201)


async def rollback(world: World, request: web.Request) -> web.Response:
    """Accept a rollback."""
    project = demand_project(world, request)
    visible_after = world.jobs.next_plan().visible_after
    description = request.query.get("description")
    deployment = demand_deployment(world, request)
    world.jobs.start(project.request_rollback(deployment, time.time(), description, visible_after))
    return web.Response(status=201)


async def promote_aliases(world: World, request: web.Request) -> web.Response:
    """The domains of the last promotion and how far each has come."""
    return _aliases(world, request, JobType.PROMOTE)


async def rollback_aliases(world: World, request: web.Request) -> web.Response:
    """The domains of the last rollback; the command line expects the alias as an object here."""
    return _aliases(world, request, JobType.ROLLBACK)


async def get_rolling_release(world: World, request: web.Request) -> web.Response:
    """The latest rolling release, if its state is the one asked for."""
    project = demand_project(world, request)
    rolling, state = project.rolling_release, request.query.get("state")
    fits = rolling is not None and state in (None, rolling.state)
    return web.json_response(rolling_release(project, rolling if fits else None))


async def get_config(world: World, request: web.Request) -> web.Response:
    """Whether the project uses rolling releases."""
    project = demand_project(world, request)
    return web.json_response({"rollingRelease": {"target": "production"} if project.rolling_release else None})


async def start(world: World, request: web.Request) -> web.Response:
    """Start a rolling release with a canary."""
    project = demand_project(world, request)
    canary = project.find(str((await read_object(request)).get("canaryDeploymentId")))
    rolling = project.start_rolling_release(canary, time.time(), DEFAULT_PERCENTAGES)
    return web.json_response(rolling_release(project, rolling))


async def approve(world: World, request: web.Request) -> web.Response:
    """Go one stage further."""
    project = demand_project(world, request)
    await _demand_canary(world, request)
    job = project.approve_rolling_stage(time.time())
    if job:
        world.jobs.start(job)
    return web.json_response(rolling_release(project, project.rolling_release))


async def complete(world: World, request: web.Request) -> web.Response:
    """Give the canary all traffic at once."""
    project = demand_project(world, request)
    await _demand_canary(world, request)
    world.jobs.start(project.complete_rolling_release(time.time()))
    return web.json_response(rolling_release(project, project.rolling_release))


ROUTES = (
    Route("promote", "POST", "9|10", "/projects/{project}/promote/{deployment}", promote),
    Route("rollback", "POST", "1|9", "/projects/{project}/rollback/{deployment}", rollback),
    Route("promote_aliases", "GET", "1|9", "/projects/{project}/promote/aliases", promote_aliases),
    Route("rollback_aliases", "GET", "1|9", "/projects/{project}/rollback/aliases", rollback_aliases),
    Route("get_rolling_release", "GET", "1", "/projects/{project}/rolling-release", get_rolling_release),
    Route("get_rolling_release_config", "GET", "1", "/projects/{project}/rolling-release/config", get_config),
    Route("start_rolling_release", "POST", "1", "/projects/{project}/rolling-release/start", start),
    Route("approve_rolling_release", "POST", "1", "/projects/{project}/rolling-release/approve-stage", approve),
    Route("complete_rolling_release", "POST", "1", "/projects/{project}/rolling-release/complete", complete),
)


def _aliases(world: World, request: web.Request, type_: JobType) -> web.Response:
    project = demand_project(world, request)
    last = project.last_request(time.time())
    shown = last if last and last.type is type_ else None
    document_shape = request.match_info["version"] == "v1"
    return web.json_response(wire.job_aliases(shown, request.query.get("failedOnly") == "true", document_shape))


async def _demand_canary(world: World, request: web.Request) -> None:
    named = (await read_object(request)).get("canaryDeploymentId")
    rolling = world.project.rolling_release
    if rolling and named != rolling.canary_id:
        raise RefusedError(400, "bad_request", f"`{named}` is not the canary of the active rolling release")
