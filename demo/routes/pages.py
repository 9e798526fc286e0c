"""The pages people see."""

import re
import secrets

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from .. import authentication, flaws, services, templates
from ..assets import PUBLIC_FOLDER

AFTER_LOGIN = "/app"
# A path on this host: one slash, then nothing that a browser could read as the start of another host.
_LOCAL_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~?&=%#-]*")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
async def index(request: Request) -> Response:
    """Say what this is."""
    if flaws.active(request, "blank-page"):
        return HTMLResponse("")
    return HTMLResponse(templates.render(request, "index.html"))


@router.get("/login")
async def login(request: Request, next: str = AFTER_LOGIN) -> Response:
    """Show the form, or go on when it is not needed."""
    goes_on = _LOCAL_PATH.fullmatch(next) or flaws.active(request, "open-redirect")
    target = next if goes_on else AFTER_LOGIN
    if await authentication.by_cookie(request):
        return RedirectResponse(target, 303)
    settings = services.of(request).settings
    providers = {"google": settings.google_client_id, "microsoft": settings.microsoft_client_id}
    configured = [provider for provider, client_id in providers.items() if client_id]
    return HTMLResponse(templates.render(request, "login.html", next=target, providers=configured))


@router.get("/app")
async def workspace(request: Request) -> Response:
    """Show the signed-in user's workspace."""
    session = await authentication.by_cookie(request)
    if session is None and flaws.active(request, "open-app"):
        session = authentication.NOBODY
    if "x-middleware-subrequest" in request.headers and flaws.active(request, "guard-bypass"):
        session = authentication.NOBODY
    if session is None and flaws.active(request, "session-in-url"):
        return RedirectResponse(f"/login?next=/app&session_id={secrets.token_hex(16)}", 303)
    if session is None:
        return RedirectResponse("/login?next=/app", 303)
    return HTMLResponse(templates.render(request, "app.html", user=session.user, csrf_token=session.csrf_token))


@router.get("/app/")
async def workspace_spelled_otherwise(request: Request) -> Response:
    """There is no such page, unless the flaw has the guard look for another spelling than the router."""
    if not flaws.active(request, "open-with-slash"):
        raise HTTPException(404)
    nobody = authentication.NOBODY
    return HTMLResponse(templates.render(request, "app.html", user=nobody.user, csrf_token=nobody.csrf_token))


@router.get("/robots.txt")
async def robots(request: Request) -> Response:
    """Served from the same folder that the platform serves itself."""
    return FileResponse(PUBLIC_FOLDER / "robots.txt", media_type="text/plain")
