"""Operations on the user and the team."""

from __future__ import annotations

from aiohttp import web

from ci.rehearsal.api.world import Json, Route, World
from ci.rehearsal.refusal import not_found
from ci.rehearsal.wire import CREATOR


async def user(world: World, request: web.Request) -> web.Response:
    """Who the token belongs to."""
    return web.json_response(
        {
            "user": {
                "id": world.account.user_id,
                "uid": world.account.user_id,
                "username": CREATOR["username"],
                "email": CREATOR["email"],
                "name": "Rehearsal",
                "avatar": None,
                "billing": None,
                "createdAt": world.project.created_at,
                "defaultTeamId": world.account.team_id,
                "hasTrialAvailable": False,
                "resourceConfig": {},
                "softBlock": None,
                "stagingPrefix": "rehearsal",
                "version": "northstar",
            }
        }
    )


async def team(world: World, request: web.Request) -> web.Response:
    """One team by id or slug."""
    if world.account.team_id is None or request.match_info["team"] not in (world.account.team_id, world.account.slug):
        raise not_found("Team")
    return web.json_response(_team(world))


async def teams(world: World, request: web.Request) -> web.Response:
    """All teams: one, or none in a personal account."""
    items = [_team(world)] if world.account.team_id else []
    pagination = {"count": len(items), "next": None, "prev": None}
    return web.json_response({"teams": items, "pagination": pagination})


ROUTES = (
    Route("get_user", "GET", "2", "/user", user),
    Route("list_teams", "GET", "1|2", "/teams", teams),
    Route("get_team", "GET", "1|2", "/teams/{team}", team),
    Route("get_team", "GET", "", "/teams/{team}", team),
)


def _team(world: World) -> Json:
    at = world.project.created_at
    return {
        "id": world.account.team_id,
        "slug": world.account.slug,
        "name": "Rehearsal",
        "avatar": None,
        "billing": {"plan": world.project.plan},
        "createdAt": at,
        "updatedAt": at,
        "creatorId": world.account.user_id,
        "description": None,
        "stagingPrefix": world.account.slug,
        "membership": {"role": "OWNER", "confirmed": True, "uid": world.account.user_id, "created": at},
    }
