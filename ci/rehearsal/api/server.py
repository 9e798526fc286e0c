"""The API's web application: who may ask, what goes wrong on purpose, and how a refusal is written."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from ci.rehearsal.alias_requests import JobType
from ci.rehearsal.api import accounts, checks, deployments, project, promotion
from ci.rehearsal.api.world import Account, Route, World
from ci.rehearsal.faults import Fault, Faults, error_answer, faulty_answer, pause
from ci.rehearsal.ledger import Ledger, Write
from ci.rehearsal.refusal import RefusedError, not_found
from ci.rehearsal.secret import matches

UPLOAD_LIMIT = 64 * 1024 * 1024
ROUTES: tuple[Route, ...] = (
    *deployments.ROUTES,
    *project.ROUTES,
    *promotion.ROUTES,
    *checks.ROUTES,
    *accounts.ROUTES,
)
OPERATIONS = frozenset(route.operation for route in ROUTES)
# Asked before a client knows its team.
_NO_SCOPE_NEEDED = frozenset(route.operation for route in accounts.ROUTES)

Apply = Callable[[], Awaitable[web.StreamResponse]]


def application(world: World, faults: Faults, ledger: Ledger) -> web.Application:
    """All operations, each behind the ledger, the faults and the token check."""

    def serving(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            async def apply() -> web.StreamResponse:
                _demand_token(world.account, request)
                if route.operation not in _NO_SCOPE_NEEDED:
                    _demand_scope(world.account, request)
                return await route.handler(world, request)

            entry = ledger.note(request.method, request.path_qs, route.operation, time.time())
            return await _disturbed(world, faults.next(route.operation), request, apply, entry)

        return serve

    async def unknown(request: web.Request) -> web.StreamResponse:
        ledger.note(request.method, request.path_qs, f"unknown {request.method} {request.path}", time.time())
        return error_answer(not_found("The requested API endpoint was"))

    app = web.Application(client_max_size=UPLOAD_LIMIT)
    for route in ROUTES:
        app.router.add_route(route.method, route.pattern, serving(route))
    app.router.add_route("*", "/{rest:.*}", unknown)
    return app


async def _disturbed(
    world: World, fault: Fault | None, request: web.Request, apply: Apply, entry: Write | None
) -> web.StreamResponse:
    if fault is None:
        return await _settled(apply, entry)
    if fault.when == "before":
        _let_other_write(world, fault)
    answer = await _settled(apply, entry) if fault.applied or not fault.replaces_answer else None
    if fault.when == "after":
        _let_other_write(world, fault)
    await pause(fault)
    if fault.replaces_answer or answer is None:
        answer = faulty_answer(fault, request)
        if entry:
            entry.status = None if fault.lost else answer.status
    return answer


async def _settled(apply: Apply, entry: Write | None) -> web.StreamResponse:
    try:
        answer = await apply()
    except RefusedError as refusal:
        answer = error_answer(refusal)
    if entry:
        entry.status, entry.applied = answer.status, answer.status < 400
    return answer


def _let_other_write(world: World, fault: Fault) -> None:
    if fault.other_writer:
        world.project.change_at_once(JobType.PROMOTE, world.project.find(fault.other_writer), time.time())


def _demand_token(account: Account, request: web.Request) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise RefusedError(403, "forbidden", "The request is missing an authentication token", missingToken=True)
    if not matches(given.strip(), account.token):
        raise RefusedError(403, "forbidden", "Not authorized", invalidToken=True)


def _demand_scope(account: Account, request: web.Request) -> None:
    team, slug = request.query.get("teamId"), request.query.get("slug")
    named = team or slug
    if named and named not in (account.team_id, account.slug, account.user_id):
        raise RefusedError(403, "forbidden", f"You don't have permission to access the team `{named}`")
    if account.team_id and not named:
        # Without its team, the project is looked for in the user's personal account, where it is not.
        raise not_found("Resource")
