"""What the handlers share, and how they read a request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ci.rehearsal.checks import Checks
from ci.rehearsal.deployments import Deployment
from ci.rehearsal.hosting import Hosting
from ci.rehearsal.jobs import AliasJobs
from ci.rehearsal.refusal import RefusedError, not_found
from ci.rehearsal.state import Project

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns the project and the token. `team_id` is None in a personal account."""

    user_id: str
    team_id: str | None
    slug: str
    token: str = field(repr=False)

    @property
    def owner_id(self) -> str:
        """`accountId` of the project."""
        return self.team_id or self.user_id


@dataclass(slots=True)
class World:
    """The stand-in behind the API."""

    account: Account
    hosting: Hosting
    jobs: AliasJobs
    checks: Checks
    uploads: dict[str, bytes] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        """The one project there is."""
        return self.hosting.project


Handler = Callable[[World, web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its name (for faults and counting), method, the versions that Vercel serves it under, path."""

    operation: str
    method: str
    versions: str
    path: str
    handler: Handler

    @property
    def pattern(self) -> str:
        """The path for aiohttp's router; some operations of the command line carry no version."""
        return f"/{{version:v(?:{self.versions})}}{self.path}" if self.versions else self.path


def demand_project(world: World, request: web.Request) -> Project:
    """The project, if the path names it by id or name."""
    if request.match_info["project"] not in (world.project.id, world.project.name):
        raise not_found("Project")
    return world.project


def demand_deployment(world: World, request: web.Request) -> Deployment:
    """The deployment that the path names by id or URL."""
    return world.project.find(request.match_info["deployment"])


async def read_object(request: web.Request) -> Json:
    """The request's JSON body; an empty body is an empty object, as for Vercel."""
    text = await request.text()
    try:
        body = json.loads(text) if text.strip() else {}
    except ValueError:
        raise RefusedError(400, "bad_request", "Invalid JSON") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "bad_request", "Invalid request: should be object.")
    return body


def whole_number(request: web.Request, name: str, default: int | None = None) -> int | None:
    """A query parameter that must be a whole number."""
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise RefusedError(400, "bad_request", f"Invalid request: `{name}` should be number.")
    return int(text)


def page(items: list[Any], request: web.Request, created: Callable[[Any], int], limit: int) -> tuple[list[Any], Json]:
    """One page of items that are sorted by age, the youngest first, and Vercel's `pagination` beside it.

    `next` is the time to pass as `until`: it excludes the last item of this page.
    """
    size = min(whole_number(request, "limit", limit) or limit, 100)
    until, since = whole_number(request, "until"), whole_number(request, "since")
    fitting = [
        item for item in items if (until is None or created(item) < until) and (since is None or created(item) >= since)
    ]
    shown = fitting[:size]
    more = len(fitting) > size
    pagination = {
        "count": len(shown),
        "next": created(shown[-1]) if more else None,
        "prev": created(shown[0]) if shown else None,
    }
    return shown, pagination
