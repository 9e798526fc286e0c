"""Sign-in with Google and Microsoft: authorization code flow with state and PKCE (RFC 6749, RFC 7636, RFC 9700)."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from .. import context, errors, flaws, services
from ..errors import ApiError, declared

_COOKIE = "__Host-oauth"
_COOKIE_SECONDS = 10 * 60
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

Provider = Literal["google", "microsoft"]
router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Endpoint:
    authorize: str
    scope: str


_ENDPOINTS: dict[Provider, _Endpoint] = {
    "google": _Endpoint("https://accounts.google.com/o/oauth2/v2/auth", "openid email profile"),
    "microsoft": _Endpoint(
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize", "openid email profile offline_access"
    ),
}

_STARTS = {303: {"description": "To the provider's sign-in page."}, **declared(400, 503)}


@router.get("/api/auth/google", tags=["oauth"], status_code=303, response_class=RedirectResponse, responses=_STARTS)
async def start_google(request: Request) -> Response:
    """Send the browser to Google to sign in."""
    return _start(request, "google", services.of(request).settings.google_client_id)


@router.get("/api/auth/microsoft", tags=["oauth"], status_code=303, response_class=RedirectResponse, responses=_STARTS)
async def start_microsoft(request: Request) -> Response:
    """Send the browser to Microsoft to sign in."""
    return _start(request, "microsoft", services.of(request).settings.microsoft_client_id)


@router.get("/auth/callback/{provider}", include_in_schema=False)
async def callback(request: Request, provider: Provider) -> Response:
    """Where the provider sends the browser back to; only a sign-in that began in this browser may go on."""
    expected = request.cookies.get(_COOKIE, "").partition(".")[0]
    returned = request.query_params.get("state", "")
    began_here = expected and hmac.compare_digest(returned.encode(), f"{provider}-{expected}".encode())
    if not began_here and not flaws.active(request, "oauth-state-unbound"):
        return errors.answer(request, 400, "invalid_state", "This sign-in did not begin in this browser. Try again.")
    if "code" not in request.query_params:
        response = errors.answer(request, 400, "no_code", f"{provider.title()} did not confirm the sign-in. Try again.")
    else:
        response = errors.answer(
            request,
            501,
            "exchange_not_configured",
            f"{provider.title()} confirmed the sign-in, but exchanging its code for a token is not configured here.",
        )
    response.delete_cookie(_COOKIE, secure=True, httponly=True, samesite="lax")
    return response


def _start(request: Request, provider: Provider, client_id: str | None) -> Response:
    if client_id is None:
        raise ApiError(503, "not_configured", f"{provider.upper()}_CLIENT_ID is not set here.")
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    query = {
        "client_id": client_id,
        "redirect_uri": f"{_own_origin(request)}/auth/callback/{provider}",
        "response_type": "code",
        "scope": _ENDPOINTS[provider].scope,
        "state": f"{provider}-{state}",
        "code_challenge": base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    response = RedirectResponse(f"{_ENDPOINTS[provider].authorize}?{urlencode(_flawed(request, query))}", 303)
    # Bound to this browser and host; the verifier waits here for the exchange.
    response.set_cookie(
        _COOKIE, f"{state}.{verifier}", max_age=_COOKIE_SECONDS, secure=True, httponly=True, samesite="lax"
    )
    return response


def _own_origin(request: Request) -> str:
    """The origin by which the browser came, when it is one of ours: a forged Host must not choose where codes go."""
    host, ours = context.of(request).host, services.of(request).settings.public_hosts
    if host in ours:
        return f"https://{host}"
    if not ours and host.rsplit(":", 1)[0] in _LOOPBACK:
        return f"{context.of(request).scheme}://{host}"
    if ours:
        return f"https://{ours[0]}"
    raise ApiError(400, "unknown_host", "This deployment does not know its own address: set VERCEL_URL.")


def _flawed(request: Request, query: dict[str, str]) -> dict[str, str]:
    missing: set[str] = set()
    if flaws.active(request, "oauth-no-state"):
        missing |= {"state"}
    if flaws.active(request, "oauth-no-pkce"):
        missing |= {"code_challenge", "code_challenge_method"}
    if flaws.active(request, "oauth-no-client-id"):
        missing |= {"client_id"}
    if flaws.active(request, "oauth-wrong-redirect"):
        query = {**query, "redirect_uri": "https://elsewhere.example/auth/callback"}
    return {name: value for name, value in query.items() if name not in missing}
