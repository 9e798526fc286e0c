"""Who is asking: a bearer token, or a session cookie with a CSRF token for requests that change something."""

import hmac
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from . import flaws, services
from .accounts import GUEST
from .errors import ApiError
from .sessions import SESSION_SECONDS, Session
from .tokens import unverified_claims

SESSION_COOKIE = "__Host-session"
CSRF_HEADER = "x-csrf-token"
_TEN_YEARS_SECONDS = 10 * 365 * 24 * 60 * 60
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_bearer = HTTPBearer(scheme_name="accessToken", description="An access token from login or refresh.", auto_error=False)
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    scheme_name="sessionCookie",
    description=f"The cookie set by login; {CSRF_HEADER} is needed with it on POST, PUT and DELETE.",
    auto_error=False,
)
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
_Cookie = Annotated[str | None, Security(_cookie)]

NOBODY = Session(UUID(int=0), GUEST, csrf_token="")


async def signed_in(request: Request, bearer: _Bearer, cookie: _Cookie) -> Session:
    """The session of whoever asks; a 401 or 403 ``ApiError`` when nobody is signed in or the CSRF token is wrong."""
    if bearer:
        session = await run_in_threadpool(_by_token, request, bearer.credentials)
    else:
        session = await by_cookie(request)
        if session and request.method not in _SAFE_METHODS:
            _demand_csrf_token(request, session)
    if session is None:
        raise ApiError(401, "unauthorized", "Sign in first.", {"www-authenticate": "Bearer"})
    await services.of(request).limiter.spend(request, "user", str(session.user.id))
    return session


async def signed_in_for_profile(request: Request, bearer: _Bearer, cookie: _Cookie) -> Session:
    """As ``signed_in``, unless the flaw lets everybody in who brings no credentials at all."""
    if flaws.active(request, "open-profile") and not bearer and not cookie:
        return NOBODY
    return await signed_in(request, bearer, cookie)


async def signed_in_for_update(request: Request, bearer: _Bearer, cookie: _Cookie) -> Session:
    """As ``signed_in``, unless the flaw lets everybody change things who brings no credentials at all."""
    if flaws.active(request, "open-profile-update") and not bearer and not cookie:
        return NOBODY
    return await signed_in(request, bearer, cookie)


SignedIn = Annotated[Session, Depends(signed_in)]
SignedInForProfile = Annotated[Session, Depends(signed_in_for_profile)]
SignedInForUpdate = Annotated[Session, Depends(signed_in_for_update)]


async def by_cookie(request: Request) -> Session | None:
    """The living session that the request's cookie opens."""
    cookie = request.cookies.get(SESSION_COOKIE)
    return await run_in_threadpool(services.of(request).sessions.by_cookie, cookie) if cookie else None


def set_session_cookie(request: Request, response: Response, value: str) -> None:
    """Hand the session to the browser, out of reach of scripts, of other hosts and of other sites' forms."""
    response.set_cookie(
        SESSION_COOKIE,
        value,
        max_age=_TEN_YEARS_SECONDS if flaws.active(request, "cookie-immortal") else SESSION_SECONDS,
        path="/api" if flaws.active(request, "cookie-wrong-path") else "/",
        secure=not flaws.active(request, "cookie-insecure"),
        httponly=not flaws.active(request, "cookie-readable"),
        samesite=None if flaws.active(request, "cookie-cross-site") else "lax",
    )


def clear_session_cookie(response: Response) -> None:
    """Have the browser forget the session."""
    response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True, samesite="lax")


def _by_token(request: Request, token: str) -> Session | None:
    parts = services.of(request)
    try:
        return parts.sessions.by_id(parts.tokens.session_of(token))
    except jwt.ExpiredSignatureError:
        return _take_its_word(request, token) if flaws.active(request, "expiry-ignored") else None
    except jwt.InvalidTokenError:
        return _take_its_word(request, token) if flaws.active(request, "unverified-jwt") else None


def _take_its_word(request: Request, token: str) -> Session | None:
    """What the flawed application makes of a token that it should refuse: a session of whomever the token names."""
    try:
        claims = unverified_claims(token)
    except jwt.InvalidTokenError:
        return None
    user = services.of(request).accounts.find(str(claims.get("sub")))
    return Session(UUID(int=0), user or GUEST, csrf_token="")


def _demand_csrf_token(request: Request, session: Session) -> None:
    sent = request.headers.get(CSRF_HEADER, "")
    if flaws.active(request, "csrf-ignored") or (sent and flaws.active(request, "csrf-any-token")):
        return
    if flaws.active(request, "csrf-refuses") or not hmac.compare_digest(sent.encode(), session.csrf_token.encode()):
        raise ApiError(403, "csrf_failed", f"The header {CSRF_HEADER} must carry the CSRF token of this session.")
