"""Login, refresh, logout, and what accounts there are."""

import secrets
from hashlib import sha256
from typing import Annotated, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from .. import flaws, services, tokens
from ..accounts import User, user_id
from ..authentication import SESSION_COOKIE, SignedIn, clear_session_cookie, set_session_cookie
from ..errors import ApiError, declared
from ..inputs import RequestBody, Text
from ..sessions import Session

_log = structlog.get_logger("demo.auth")
router = APIRouter(prefix="/api/auth", tags=["auth"])


class LoginRequest(RequestBody):
    """What a user types into the form."""

    email: Annotated[Text, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    password: Annotated[Text, Field(min_length=1, max_length=256)]


class ForgotRequest(RequestBody):
    """Whose password is to be set anew."""

    email: Annotated[Text, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]


class ForgotResponse(BaseModel):
    """The same for everybody, so that nobody learns who has an account."""

    status: Literal["If there is an account, a mail is on its way."] = "If there is an account, a mail is on its way."


class RefreshRequest(RequestBody):
    """The latest refresh token of a session."""

    refresh_token: Annotated[Text, Field(min_length=1, max_length=256)]


class Profile(BaseModel):
    """A user as others may see them."""

    id: UUID
    email: str
    name: str
    tier: str

    @classmethod
    def of(cls, user: User) -> "Profile":
        """The profile of ``user``."""
        return cls(id=user.id, email=user.email, name=user.name, tier=user.tier)


class TokenResponse(BaseModel):
    """A new access token, and the refresh token that replaces the one before."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.")]
    refresh_token: str


class LoginResponse(TokenResponse):
    """Everything a client needs to act for the user; browsers get the session cookie besides."""

    csrf_token: str
    user: Profile


class LogoutResponse(BaseModel):
    """The session has ended."""

    status: Literal["signed out"] = "signed out"


class Tier(BaseModel):
    """One of the plans that can be booked."""

    id: str
    name: str
    price_cents: int
    currency: Literal["eur"] = "eur"
    messages_per_day: int
    features: list[str]


class Tiers(BaseModel):
    """All plans, cheapest first."""

    tiers: list[Tier]


_TIERS = Tiers(
    tiers=[
        Tier(id="free", name="Free", price_cents=0, messages_per_day=20, features=["chat"]),
        Tier(id="pro", name="Pro", price_cents=1900, messages_per_day=500, features=["chat", "briefing"]),
        Tier(id="team", name="Team", price_cents=4900, messages_per_day=5000, features=["chat", "briefing", "sharing"]),
    ]
)


@router.post("/login", responses=declared(400, 401, 413))
async def login(request: Request, response: Response, body: LoginRequest) -> LoginResponse:
    """Start a session with e-mail and password."""
    parts = services.of(request)
    await parts.limiter.spend(request, "user", sha256(body.email.lower().encode()).hexdigest())
    any_password = flaws.active(request, "any-password")
    user = await run_in_threadpool(parts.accounts.verify, body.email, body.password, any_password=any_password)
    if user is None:
        raise ApiError(401, "invalid_credentials", "E-mail or password is wrong.")
    if flaws.active(request, "login-broken"):
        raise RuntimeError("flaw: login-broken")
    kept = request.cookies.get(SESSION_COOKIE) if flaws.active(request, "session-fixed") else None
    opened = await run_in_threadpool(parts.sessions.open, user, cookie=kept)
    lost = flaws.active(request, "session-lost")
    set_session_cookie(request, response, secrets.token_urlsafe(32) if lost else opened.cookie)
    _log.info("login", user=str(user.id))
    issued = _issue(request, opened.session, opened.refresh_token)
    return LoginResponse(
        **issued.model_dump(), csrf_token=opened.session.csrf_token, user=Profile.of(opened.session.user)
    )


@router.post("/forgot", status_code=202, responses=declared(400, 413))
async def forgot(request: Request, body: ForgotRequest) -> ForgotResponse:
    """Take the wish for a new password; sending the mail is not configured here."""
    known = await run_in_threadpool(services.of(request).accounts.find, str(user_id(body.email)))
    if known is None and flaws.active(request, "forgot-tells"):
        raise ApiError(404, "no_such_user", "There is no account with this address.")
    return ForgotResponse()


@router.post("/refresh", responses=declared(400, 401, 413))
async def refresh(request: Request, body: RefreshRequest) -> TokenResponse:
    """Exchange the refresh token for a new pair; using one twice ends the session."""
    if flaws.active(request, "refresh-broken"):
        raise RuntimeError("flaw: refresh-broken")
    reusable = flaws.active(request, "refresh-reusable")
    rotated = await run_in_threadpool(services.of(request).sessions.rotate, body.refresh_token, reusable=reusable)
    if rotated is None:
        raise ApiError(401, "invalid_refresh_token", "The refresh token is not valid (any more). Sign in again.")
    return _issue(request, *rotated)


@router.post("/logout", responses=declared(401, 403))
async def logout(request: Request, response: Response, session: SignedIn) -> LogoutResponse:
    """End the session: its cookie, refresh tokens and access tokens stop working."""
    if not flaws.active(request, "logout-keeps-session"):
        await run_in_threadpool(services.of(request).sessions.end, session.id)
        clear_session_cookie(response)
    _log.info("logout", user=str(session.user.id))
    return LogoutResponse()


@router.get("/tiers", response_model=Tiers, responses=declared())
async def tiers(request: Request) -> Tiers | JSONResponse:
    """List the plans; no login needed."""
    if flaws.active(request, "tiers-500"):
        raise RuntimeError("flaw: tiers-500")
    if flaws.active(request, "tiers-shape"):
        return JSONResponse({"tiers": [tier.model_dump(exclude={"price_cents"}) for tier in _TIERS.tiers]})
    return _TIERS


def _issue(request: Request, session: Session, refresh_token: str) -> TokenResponse:
    lifetime = tokens.TEN_YEARS_SECONDS if flaws.active(request, "immortal-jwt") else tokens.LIFETIME_SECONDS
    access_token = services.of(request).tokens.issue(session.user.id, session.id, lifetime)
    return TokenResponse(access_token=access_token, expires_in=lifetime, refresh_token=refresh_token)
