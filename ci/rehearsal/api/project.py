"""Operations on the project, its domains and its variables."""

from __future__ import annotations

import time

from aiohttp import web

from ci.rehearsal import wire
from ci.rehearsal.aliases import Alias
from ci.rehearsal.api.world import Route, World, demand_deployment, demand_project, read_object
from ci.rehearsal.refusal import RefusedError, not_found
from ci.rehearsal.state import Project


async def get(world: World, request: web.Request) -> web.Response:
    """The project; `lastAliasRequest` is there only with `rollbackInfo=true`."""
    project = demand_project(world, request)
    shown = project.last_request(time.time()) if request.query.get("rollbackInfo") == "true" else None
    return web.json_response(wire.project_settings(project, shown))


async def list_(world: World, request: web.Request) -> web.Response:
    """All projects: one."""
    pagination = {"count": 1, "next": None, "prev": None}
    return web.json_response({"projects": [wire.project_settings(world.project, None)], "pagination": pagination})


async def update(world: World, request: web.Request) -> web.Response:
    """Change `autoAssignCustomDomains`, the only setting that matters here."""
    project = demand_project(world, request)
    body = await read_object(request)
    unknown = sorted(body.keys() - {"autoAssignCustomDomains"})
    if unknown:
        raise RefusedError(400, "bad_request", f"Invalid request: should NOT have additional property `{unknown[0]}`.")
    value = body.get("autoAssignCustomDomains", project.auto_assign)
    if not isinstance(value, bool):
        raise RefusedError(400, "bad_request", "Invalid request: `autoAssignCustomDomains` should be boolean.")
    project.auto_assign = value
    return web.json_response(wire.project_settings(project, None))


async def domains(world: World, request: web.Request) -> web.Response:
    """The domains of production."""
    project = demand_project(world, request)
    items = [wire.domain(project, alias) for alias in project.aliases]
    pagination = {"count": len(items), "next": None, "prev": None}
    return web.json_response({"domains": items, "pagination": pagination})


async def variables(world: World, request: web.Request) -> web.Response:
    """The environment variables; values of sensitive ones are not told."""
    project = demand_project(world, request)
    items = [wire.variable(item) for item in project.variables]
    pagination = {"count": len(items), "next": None, "prev": None}
    return web.json_response({"envs": items, "pagination": pagination})


async def pull(world: World, request: web.Request) -> web.Response:
    """The variables of one target with their values, as `vercel pull` fetches them; sensitive ones are empty."""
    demand_project(world, request)
    target = request.match_info["target"]
    values = {item.key: wire.variable(item)["value"] for item in world.project.variables if target in item.targets}
    return web.json_response({"env": values, "buildEnv": {}})


async def alias(world: World, request: web.Request) -> web.Response:
    """One domain and the deployment that it points at."""
    found = _alias(world.project, request.match_info["alias"])
    if found is None or (found is world.project.staging and found.deployment_id is None):
        raise not_found("Alias")
    return web.json_response(wire.alias(world.project, found))


async def assign_alias(world: World, request: web.Request) -> web.Response:
    """Point one domain at a deployment; with one of production that bypasses promotion and splits production."""
    deployment = demand_deployment(world, request)
    domain = str((await read_object(request)).get("alias"))
    item = _alias(world.project, domain)
    if item is None:
        raise RefusedError(403, "forbidden", f"The domain `{domain}` is not yours")
    before = item.deployment_id
    item.point_at(deployment.id, time.time())
    return web.json_response({**wire.alias(world.project, item), "oldDeploymentId": before})


def _alias(project: Project, domain: str) -> Alias | None:
    known = [*project.aliases, *([project.staging] if project.staging else [])]
    return next((alias for alias in known if alias.domain == domain), None)


ROUTES = (
    Route("list_projects", "GET", "9|10", "/projects", list_),
    Route("get_project", "GET", "9", "/projects/{project}", get),
    Route("update_project", "PATCH", "9", "/projects/{project}", update),
    Route("list_domains", "GET", "9", "/projects/{project}/domains", domains),
    Route("list_env", "GET", "8|9|10", "/projects/{project}/env", variables),
    Route("pull_env", "GET", "3", "/env/pull/{project}/{target}", pull),
    Route("get_alias", "GET", "4", "/aliases/{alias}", alias),
    Route("assign_alias", "POST", "2", "/deployments/{deployment}/aliases", assign_alias),
)
