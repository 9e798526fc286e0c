"""`smoke`: what works, and how one gets in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from ci.config.shape.scalars import Duration, Method, Path, Section, Site, Variable


class Request(Section):
    """A request and the answer that is wanted."""

    path: Path
    method: Method = "GET"
    status: int = Field(default=200, ge=100, le=599)
    type: str | None = Field(default=None, description="Media type of the answer, as in application/json.")
    has: tuple[str, ...] = Field(default=(), description="Dotted paths that the JSON answer must have.")
    contains: str | None = Field(default=None, description="Text that the body must contain.")
    body: dict[str, Any] | None = Field(default=None, description="JSON body to send.")
    login: bool = Field(default=False, description="Send it as the logged-in test user.")


class Health(Section):
    """The application's own word on its health."""

    path: Path = "/api/health"
    status_field: str = Field(default="status", description="Dotted path of the overall status.")
    healthy: tuple[str, ...] = ("ok", "healthy", "pass", "up", "alive")
    detailed: Path | None = Field(default=None, description="The endpoint that names each service.")
    services_field: str | None = Field(
        default=None, description="Dotted path of the services; `services` or `checks` when not given."
    )
    fine: tuple[str, ...] = Field(
        default=("ok", "healthy", "pass", "up", "connected", "disabled"), description="States of a service in order."
    )


class Refresh(Section):
    path: Path = "/api/auth/refresh"
    field: str = Field(default="refresh_token", description="Name of the token in request and answer.")


class Csrf(Section):
    """The token that tells the application's own requests from forged ones."""

    header: str = "x-csrf-token"
    field: str = Field(default="csrf_token", description="Dotted path of the token in the login's answer.")
    cookie: str | None = Field(
        default=None,
        description="Name of the cookie that holds the token instead, for scripts to send back: `csrftoken` (Django), "
        "`XSRF-TOKEN` (Laravel, Angular).",
    )


class Login(Section):
    """The test user's way in. User name and password come from the environment."""

    path: Path = "/api/auth/login"
    page: Path | None = Field(default=None, description="The page with the login form, for the browser journey.")
    after: Path | None = Field(default=None, description="Where the browser must arrive after a login.")
    username: Variable = Field(default="GONOGO_USERNAME", description="NAME of the environment variable.")
    password: Variable = Field(default="GONOGO_PASSWORD", description="NAME of the environment variable.")
    username_field: str = "email"
    password_field: str = "password"
    form: bool = Field(
        default=False,
        description="Send the login as an HTML form, not as JSON; with `page`, its hidden fields and cookies, too.",
    )
    body: dict[str, Any] = Field(default={}, description="Further fields to send, as in {grant_type: password}.")
    token: str | None = Field(default="access_token", description="Dotted path of the access token in the answer.")
    whoami: Path = Field(default="/api/user/profile", description="Answers 200 to the logged-in user alone.")
    refresh: Refresh | None = None
    logout: Path | None = None
    csrf: Csrf | None = None
    max_token_age: Duration = Field(default=timedelta(hours=1), description="Longest lifetime of an access token.")
    expired_token: Variable | None = Field(
        default=None, description="NAME of the variable with a genuine but expired token."
    )


class OAuth(Section):
    """One way in by another provider."""

    start: Path
    authorize: Site = Field(description="The provider's authorisation endpoint.")
    client_id: str | None = None
    redirect_uri: str | None = Field(
        default=None, description="Exact redirect URI; `{target}` stands for the URL under test."
    )
    pkce: bool = True


class Smoke(Section):
    """Does it work at all?"""

    pages: tuple[Path, ...] = ("/",)
    health: Health | None = None
    api: tuple[Request, ...] = ()
    openapi: Path | None = None
    protected: tuple[Path, ...] = Field(default=(), description="Pages that need a login.")
    protected_api: tuple[Path, ...] = Field(default=(), description="Endpoints that need a login.")
    login: Login | None = None
    oauth: tuple[OAuth, ...] = ()
    webhooks: tuple[Path, ...] = Field(default=(), description="Endpoints that must refuse unsigned calls.")
    cron: tuple[Path, ...] = Field(default=(), description="Endpoints that must refuse calls without the cron secret.")
    browser: bool = True
    widths: dict[str, Annotated[int, Field(ge=200, le=4000)]] = Field(
        default={"phone": 390, "desktop": 1280}, description="Widths in CSS pixels."
    )
    ignore_console: tuple[str, ...] = Field(default=(), description="Parts of console messages that are known.")
    paths: tuple[str, ...] = Field(default=(), description="Your own pytest files or folders.")
    timeout: Duration = Field(default=timedelta(minutes=5), description="For the whole stage.")
