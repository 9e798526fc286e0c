"""Operations on deployments."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from aiohttp import web

from ci.rehearsal import wire
from ci.rehearsal.api.world import Json, Route, World, demand_deployment, page, read_object
from ci.rehearsal.deployments import Deployment, ReadyState, Source, Target
from ci.rehearsal.hosting import Order
from ci.rehearsal.refusal import RefusedError
from ci.rehearsal.wire import is_rollback_candidate

PAGE_SIZE = 20


async def get(world: World, request: web.Request) -> web.Response:
    """One deployment."""
    return web.json_response(wire.deployment(world.project, demand_deployment(world, request)))


async def list_(world: World, request: web.Request) -> web.Response:
    """Deployments, the youngest first, filtered as asked."""
    project, query = world.project, request.query
    foreign = {query.get("projectId", project.id), query.get("app", project.name)} - {project.id, project.name}
    fitting = [] if foreign else [item for item in wire.newest_first(project) if _fits(world, item, request)]
    shown, pagination = page(fitting, request, lambda item: cast(Deployment, item).created_at, PAGE_SIZE)
    items = [wire.listed_deployment(project, item) for item in shown]
    return web.json_response({"deployments": items, "pagination": pagination})


async def create(world: World, request: web.Request) -> web.Response:
    """A new deployment; `deploymentId` builds an existing one again."""
    body = await read_object(request)
    project = world.project
    if body.get("project", body.get("name")) not in (project.name, project.id):
        raise RefusedError(400, "bad_request", f"This stand-in has one project: `{project.name}` ({project.id})")
    order = _again(world, body) if "deploymentId" in body else _order(world, body)
    return web.json_response(wire.deployment(project, await world.hosting.deploy(order)))


async def cancel(world: World, request: web.Request) -> web.Response:
    """Stop a build."""
    deployment = demand_deployment(world, request)
    await world.hosting.cancel(deployment)
    return web.json_response(wire.deployment(world.project, deployment))


async def delete(world: World, request: web.Request) -> web.Response:
    """Remove a deployment."""
    deployment = demand_deployment(world, request)
    await world.hosting.delete(deployment)
    return web.json_response({"uid": deployment.id, "state": ReadyState.DELETED})


async def aliases(world: World, request: web.Request) -> web.Response:
    """The domains that point at a deployment."""
    deployment = demand_deployment(world, request)
    items = [wire.alias(world.project, alias) for alias in world.project.aliases.of(deployment.id)]
    return web.json_response({"aliases": items})


async def events(world: World, request: web.Request) -> web.Response:
    """The build log, as far as the stand-in keeps one: the reason of a failure."""
    deployment = demand_deployment(world, request)
    lines = deployment.failure.message.splitlines() if deployment.failure else []
    return web.json_response([{"type": "stderr", "created": deployment.created_at, "text": line} for line in lines])


async def builds(world: World, request: web.Request) -> web.Response:
    """The builds that a deployment consists of: one."""
    return web.json_response({"builds": [wire.build(demand_deployment(world, request))]})


async def legacy_checks(world: World, request: web.Request) -> web.Response:
    """Checks of the first kind, of which there are none."""
    demand_deployment(world, request)
    return web.json_response({"checks": []})


async def upload(world: World, request: web.Request) -> web.Response:
    """One file of a later deployment, addressed by its SHA-1."""
    content = await request.read()
    digest = request.headers.get("x-vercel-digest") or request.headers.get("x-now-digest") or ""
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != digest:
        raise RefusedError(400, "bad_request", "The file's SHA-1 is not the one in `x-vercel-digest`")
    world.uploads[digest] = content
    return web.json_response({"urls": []})


ROUTES = (
    Route("list_deployments", "GET", "6|7", "/deployments", list_),
    Route("create_deployment", "POST", "13", "/deployments", create),
    Route("get_deployment", "GET", "13", "/deployments/{deployment}", get),
    Route("cancel_deployment", "PATCH", "12", "/deployments/{deployment}/cancel", cancel),
    Route("delete_deployment", "DELETE", "13", "/deployments/{deployment}", delete),
    Route("list_deployment_aliases", "GET", "2", "/deployments/{deployment}/aliases", aliases),
    Route("get_events", "GET", "2|3", "/deployments/{deployment}/events", events),
    Route("get_events", "GET", "3", "/now/deployments/{deployment}/events", events),
    Route("list_builds", "GET", "11", "/deployments/{deployment}/builds", builds),
    Route("list_legacy_checks", "GET", "1", "/deployments/{deployment}/checks", legacy_checks),
    Route("upload_file", "POST", "2", "/files", upload),
)


def _fits(world: World, item: Deployment, request: web.Request) -> bool:
    query = request.query
    wanted_meta = {key.removeprefix("meta-"): value for key, value in query.items() if key.startswith("meta-")}
    conditions = (
        item.ready_state is not ReadyState.DELETED or "DELETED" in query.get("state", ""),
        query.get("state") is None or item.ready_state in query["state"].upper().split(","),
        query.get("target") is None or (item.target or "preview") == query["target"],
        query.get("sha") is None or item.source.sha == query["sha"],
        query.get("branch") is None or item.source.branch == query["branch"],
        query.get("rollbackCandidate") != "true" or is_rollback_candidate(world.project, item),
        wanted_meta.items() <= item.meta.items(),
    )
    return all(conditions)


def _again(world: World, body: Json) -> Order:
    old = world.project.find(str(body["deploymentId"]))
    order = world.hosting.order_of(old)
    meta = {**order.meta, **_strings(body, "meta"), "originalDeploymentId": old.id}
    return Order(_target(body), order.source, meta, order.env, True, order.files)


def _order(world: World, body: Json) -> Order:
    git, integrated = body.get("gitMetadata") or {}, body.get("gitSource") or {}
    if integrated:
        source = Source(integrated.get("sha"), integrated.get("ref"), git.get("commitMessage"), integrated=True)
    else:
        source = Source(git.get("commitSha"), git.get("commitRef"), git.get("commitMessage"))
    return Order(
        target=_target(body),
        source=source,
        meta=_strings(body, "meta"),
        env=_strings(body, "env"),
        auto_assign=body.get("autoAssignCustomDomains") is not False,
        files=_files(world, body.get("files") or []),
    )


def _target(body: Json) -> Target | None:
    target = body.get("target")
    if target not in (None, "production", "staging", "preview"):
        raise RefusedError(400, "bad_request", "Invalid request: `target` should be production, staging or preview.")
    return None if target == "preview" else cast(Target | None, target)


def _strings(body: Json, name: str) -> dict[str, str]:
    given = body.get(name) or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise RefusedError(400, "bad_request", f"Invalid request: `{name}` should be an object of strings.")
    return given


def _files(world: World, listed: list[Json]) -> dict[str, bytes]:
    missing = [item["sha"] for item in listed if item.get("sha") and item["sha"] not in world.uploads]
    if missing:
        raise RefusedError(400, "missing_files", "Missing files", missing=missing)
    return {item["file"]: _content(world, item) for item in listed}


def _content(world: World, item: dict[str, Any]) -> bytes:
    return world.uploads[item["sha"]] if item.get("sha") else str(item.get("data", "")).encode()
