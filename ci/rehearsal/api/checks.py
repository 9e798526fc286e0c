"""Operations on deployment checks and their runs."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

from ci.rehearsal.alias_requests import milliseconds
from ci.rehearsal.api.world import Json, Route, World, demand_deployment, demand_project, read_object
from ci.rehearsal.checks import Blocks, Check, Conclusion, Requires, Run, RunStatus
from ci.rehearsal.hosting import new_id
from ci.rehearsal.refusal import RefusedError

Word = TypeVar("Word", bound=StrEnum)
SOURCE = {"kind": "webhook"}


async def list_(world: World, request: web.Request) -> web.Response:
    """The project's checks."""
    demand_project(world, request)
    return web.json_response({"checks": [_check(world, item) for item in world.checks.defined.values()]})


async def create(world: World, request: web.Request) -> web.Response:
    """A new check."""
    demand_project(world, request)
    body = await read_object(request)
    check = Check(
        id=new_id("chk"),
        name=_name(body),
        blocks=_word(body, "blocks", Blocks, Blocks.NONE),
        requires=_word(body, "requires", Requires, Requires.NONE),
        created_at=milliseconds(time.time()),
    )
    world.checks.defined[check.id] = check
    return web.json_response(_check(world, check))


async def get(world: World, request: web.Request) -> web.Response:
    """One check."""
    demand_project(world, request)
    return web.json_response(_check(world, world.checks.check(request.match_info["check"])))


async def delete(world: World, request: web.Request) -> web.Response:
    """Remove a check. What it held back stays back until a run or a promotion moves it."""
    demand_project(world, request)
    del world.checks.defined[world.checks.check(request.match_info["check"]).id]
    return web.json_response({"success": True})


async def list_runs(world: World, request: web.Request) -> web.Response:
    """The runs on a deployment."""
    runs = world.checks.runs_of(demand_deployment(world, request))
    return web.json_response({"runs": [_run(world, run) for run in runs]})


async def create_run(world: World, request: web.Request) -> web.Response:
    """Begin a run of a check on a deployment."""
    deployment = demand_deployment(world, request)
    body = await read_object(request)
    check = world.checks.check(str(body.get("checkId")))
    now = milliseconds(time.time())
    run = Run(new_id("chr"), check.id, deployment.id, check.name, now, now, check.timeout)
    world.checks.runs[run.id] = run
    return web.json_response(_run(world, run))


async def get_run(world: World, request: web.Request) -> web.Response:
    """One run."""
    run = world.checks.run(request.match_info["run"], demand_deployment(world, request))
    return web.json_response(_run(world, run))


async def update_run(world: World, request: web.Request) -> web.Response:
    """Report on a run; a success may release the production domains."""
    deployment = demand_deployment(world, request)
    run = world.checks.run(request.match_info["run"], deployment)
    body = await read_object(request)
    held = world.checks.hold_back(deployment)
    run.status = _word(body, "status", RunStatus, run.status)
    if "conclusion" in body:
        run.conclusion, run.status = _word(body, "conclusion", Conclusion, Conclusion.NEUTRAL), RunStatus.COMPLETED
    run.updated_at = milliseconds(time.time())
    if held and not world.checks.hold_back(deployment):
        world.project.assign_if_automatic(deployment, time.time())
    return web.json_response(_run(world, run))


_CHECKS = "/projects/{project}/checks"
_RUNS = "/deployments/{deployment}/check-runs"
ROUTES = (
    Route("list_checks", "GET", "2", _CHECKS, list_),
    Route("create_check", "POST", "2", _CHECKS, create),
    Route("get_check", "GET", "2", _CHECKS + "/{check}", get),
    Route("delete_check", "DELETE", "2", _CHECKS + "/{check}", delete),
    Route("list_check_runs", "GET", "2", _RUNS, list_runs),
    Route("create_check_run", "POST", "2", _RUNS, create_run),
    Route("get_check_run", "GET", "2", _RUNS + "/{run}", get_run),
    Route("update_check_run", "PATCH", "2", _RUNS + "/{run}", update_run),
)


def _name(body: Json) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise RefusedError(400, "bad_request", "Invalid request: missing required property `name`.")
    return name


def _word(body: Json, name: str, words: type[Word], default: Word) -> Word:
    if name not in body:
        return default
    try:
        return words(body[name])
    except ValueError:
        known = ", ".join(words)
        raise RefusedError(400, "bad_request", f"Invalid request: `{name}` should be one of {known}.") from None


def _check(world: World, item: Check) -> Json:
    return {
        "id": item.id,
        "ownerId": world.account.owner_id,
        "projectId": world.project.id,
        "name": item.name,
        "blocks": item.blocks,
        "requires": item.requires,
        "isRerequestable": False,
        "source": SOURCE,
        "sourceKind": SOURCE["kind"],
        "targets": ["production"],
        "timeout": item.timeout,
        "createdAt": item.created_at,
        "updatedAt": item.created_at,
    }


def _run(world: World, run: Run) -> Json:
    body: Json = {
        "id": run.id,
        "checkId": run.check_id,
        "deploymentId": run.deployment_id,
        "ownerId": world.account.owner_id,
        "name": run.name,
        "status": run.status,
        "source": SOURCE,
        "timeout": run.timeout,
        "createdAt": run.created_at,
        "updatedAt": run.updated_at,
    }
    return body | ({"conclusion": run.conclusion} if run.conclusion else {})
