"""The shape of `gonogo.yaml`. Every field has a default but the target; secrets are named, never written."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from ci.model import Severity

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is not a duration: write a number and a unit, as in 500ms, 30s, 10m, 1h or 30d")


def spelled(value: timedelta) -> str:
    """The duration as one would write it, in the largest unit that leaves a whole number."""
    for unit in ("d", "h", "m", "s"):
        if value % timedelta(seconds=_UNITS[unit]) == timedelta(0):
            return f"{value // timedelta(seconds=_UNITS[unit])}{unit}"
    return f"{value / timedelta(milliseconds=1):g}ms"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration must be longer than nothing")
    return value


def site(value: str) -> str:
    """A URL without a trailing slash. Raises ValueError when it is none, or holds credentials."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{value!r} is not a URL: write it with its scheme, as in https://app.example.com")
    if parts.username or parts.password:
        raise ValueError("a URL here must not hold a user name or password")
    return value.rstrip("/")


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError(f"{value!r} is not a path on the target: it must begin with one slash")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
        # The value itself is not repeated: it may be the secret that somebody pasted here.
        raise ValueError("this must be the NAME of an environment variable, as in SMOKE_PASSWORD, not a secret itself")
    return value


_DURATION_SCHEMA = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)$", "examples": ["30s", "10m", "1h"]}
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    AfterValidator(_positive),
    PlainSerializer(spelled, return_type=str, when_used="json"),
    Field(json_schema_extra=_DURATION_SCHEMA),
]
Site = Annotated[str, AfterValidator(site), Field(json_schema_extra={"format": "uri"})]
Path = Annotated[str, AfterValidator(_path), Field(json_schema_extra={"pattern": "^/"})]
Variable = Annotated[str, AfterValidator(_variable), Field(json_schema_extra={"pattern": "^[A-Z_][A-Z0-9_]*$"})]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CodeCheck = Literal[
    "security/secrets-tree",
    "security/secrets-history",
    "security/python-dependencies",
    "security/node-dependencies",
    "security/python-code",
    "security/workflows",
]
STAGES = ("smoke", "security", "load")


def _required(value: str) -> str:
    stage = value.partition("/")[0]
    if stage not in STAGES:
        raise ValueError(f"{value!r} is neither a stage nor a check of one; the stages are {', '.join(STAGES)}")
    return value


Required = Annotated[str, AfterValidator(_required)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(Section):
    """Where the target says which commit it is."""

    path: Path = "/api/health"
    json_field: str | None = Field(default=None, alias="json", description="Dotted path in the JSON answer.")
    header: str | None = Field(default=None, description="Response header that holds the commit.")
    deployment: str | None = Field(
        default=None, description="Dotted path of the deployment id, when the answer has one."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.json_field is None) == (self.header is None):
            raise ValueError("say where the commit is: either `json` (a dotted path) or `header`, and only one of them")
        return self


class Target(Section):
    """The application that is judged."""

    production: Site = Field(description="The production URL.")
    identity: Identity | None = Field(default=None, description="How the running target names its commit.")
    request_budget: int = Field(default=1000, ge=1, description="Requests that one stage may make, load excepted.")
    timeout: Duration = Field(default=timedelta(seconds=10), description="For one answer of the target.")


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
    header: str = "x-csrf-token"
    field: str = Field(default="csrf_token", description="Dotted path of the token in the login's answer.")


class Login(Section):
    """The test user's way in. User name and password come from the environment."""

    path: Path = "/api/auth/login"
    page: Path | None = Field(default=None, description="The page with the login form, for the browser journey.")
    after: Path | None = Field(default=None, description="Where the browser must arrive after a login.")
    username: Variable = Field(default="GONOGO_USERNAME", description="NAME of the environment variable.")
    password: Variable = Field(default="GONOGO_PASSWORD", description="NAME of the environment variable.")
    username_field: str = "email"
    password_field: str = "password"
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


class RateLimit(Section):
    """A limit that the target promises, and that is really tried."""

    path: Path = Field(description="An endpoint whose limit may be used up by a check.")
    method: Method = "GET"
    body: dict[str, Any] | None = Field(default=None, description="JSON body to send.")
    burst: int = Field(ge=1, le=1000, description="Requests of one client that the limit lets through at most.")
    excluded: tuple[Path, ...] = Field(default=(), description="Paths that must not be limited.")


class Lookup(Section):
    """An endpoint that is given a user's name, as for a forgotten password or a registration."""

    path: Path
    field: str = Field(default="email", description="Name of the field that holds the user's name.")
    body: dict[str, Any] = Field(default={}, description="Further fields to send.")


class Tls(Section):
    """What the target's transport must be like."""

    min_days_left: int = Field(default=14, ge=1, description="Days that the certificate must still be valid.")
    plain_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of plain HTTP; 80 when the target is on 443."
    )


class Code(Section):
    """The application's repository, as the code scan sees it. Files that git ignores are no part of it."""

    baseline: str = Field(default=".secrets.baseline", description="Baseline of detect-secrets, from the root.")
    exclude: tuple[str, ...] = Field(
        default=(), description="Globs of files that no scanner reads, such as `vendor/*`; they are counted."
    )
    leave_out: tuple[CodeCheck, ...] = Field(default=(), description="Checks of the code that are not made.")
    python_severity: Literal["low", "medium", "high"] = Field(
        default="medium", description="The mildest severity of bandit that counts as a finding."
    )
    osv_url: Site = Field(
        default="https://api.osv.dev/v1/query", description="Where advisories about Python packages are asked for."
    )
    timeout: Duration = Field(default=timedelta(minutes=5), description="For each scanner; they run side by side.")


class Security(Section):
    """Is it closed where it must be?"""

    pages: Annotated[tuple[Path, ...], Field(min_length=1)] = ("/",)
    minimum_grade: Literal["A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "F"] = Field(
        default="B", description="The worst grade by the rules of MDN's HTTP Observatory that is borne."
    )
    session_cookies: tuple[str, ...] = Field(
        default=(), description="Names of the cookies that open a session, where their names do not say so."
    )
    max_session_age: Duration = Field(
        default=timedelta(days=30), description="Longest time that a session cookie may live."
    )
    csrf: Request | None = Field(
        default=None,
        description="A request that changes something, to try without a CSRF token; "
        "the first of smoke.api that is no GET and needs a login when not given.",
    )
    redirects: tuple[Path, ...] = Field(
        default=(), description="Pages that send their visitor on; the login page and protected pages are known."
    )
    lookup: Lookup | None = None
    rate_limit: RateLimit | None = None
    public: tuple[Path, ...] = Field(
        default=(), description="Paths that are open on purpose although a check would call them exposed."
    )
    max_body: int = Field(
        default=1_000_000, ge=1, le=20_000_000, description="Bytes of a body that is too large for every endpoint."
    )
    tls: Tls = Tls()
    code: Code | None = Field(default=None, description="Scan the repository that Gonogo is run in, too.")
    timeout: Duration = Field(default=timedelta(minutes=5), description="For the whole stage.")


class Scenario(Section):
    """A request of the load, and how often it comes in relation to the others."""

    path: Path
    method: Method = "GET"
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    weight: int = Field(default=1, ge=1)


class Slo(Section):
    """Service level objectives under load."""

    p95_ms: float = Field(default=500, gt=0)
    error_rate: float = Field(default=0.01, ge=0, le=1, description="Share of requests that may fail.")


class Load(Section):
    """Does it hold under load?"""

    scenarios: tuple[Scenario, ...] = (Scenario(path="/"),)
    users: int = Field(default=40, ge=1, le=10_000)
    rate: float = Field(default=2.5, gt=0, description="Requests per second that each user intends.")
    warm_up: Duration = Field(default=timedelta(seconds=3), description="Measured, but not judged.")
    duration: Duration = Field(default=timedelta(seconds=15), description="After the warm-up.")
    request_timeout: Duration = timedelta(seconds=10)
    min_requests: int = Field(default=200, ge=1, description="Fewer than these decide nothing.")
    slo: Slo = Slo()


class Waiver(Section):
    """Accepted until a date: one finding by its fingerprint, or what a check finds at a path."""

    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] | None = None
    check: str | None = Field(default=None, pattern="^[a-z]+/[a-z0-9-]+$", description="Id of a check.")
    path: str | None = Field(
        default=None, min_length=1, description="File in the repository or path on the target; `*` stands for anything."
    )
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.fingerprint is None) == (self.check is None or self.path is None):
            raise ValueError("say what is waived: either `fingerprint`, or `check` and `path` together")
        if self.fingerprint and (self.check or self.path):
            raise ValueError("a waiver by `fingerprint` needs neither `check` nor `path`")
        return self


class Gate(Section):
    """What a GO demands."""

    required: tuple[Required, ...] = Field(
        default=STAGES, min_length=1, description="Stages, and single checks that must not even be skipped."
    )
    fail_on: Severity = Field(default=Severity.MEDIUM, description="The mildest severity that means NO-GO.")
    max_age: Duration = Field(default=timedelta(hours=1), description="Older reports and verdicts count for nothing.")
    waivers: tuple[Waiver, ...] = ()


class Verify(Section):
    """Looking at production after a promotion."""

    attempts: int = Field(default=5, ge=1)
    consecutive: int = Field(default=3, ge=1, description="Passes in a row that are wanted.")
    identity_timeout: Duration = Field(
        default=timedelta(seconds=90), description="How long production may take to serve the candidate."
    )
    interval: Duration = Field(default=timedelta(seconds=2), description="Between two attempts.")
    pass_timeout: Duration = Field(default=timedelta(minutes=2), description="For one attempt.")
    checks: tuple[str, ...] = Field(
        default=(), description="Ids of the smoke and security checks to make; a quick choice when none is named."
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.consecutive > self.attempts:
            raise ValueError(f"{self.consecutive} passes in a row cannot come of {self.attempts} attempts")
        return self


class Watch(Section):
    """New errors that a release brings, as Sentry counts them. More of them than allowed: production is wrong."""

    organization: str = Field(min_length=1, description="Sentry organisation, by slug.")
    project: str = Field(min_length=1, description="Sentry project, by slug.")
    url: Site = "https://sentry.io"
    token: Variable = Field(default="SENTRY_AUTH_TOKEN", description="NAME of the environment variable.")
    release: str = Field(default="{commit}", description="Sentry's name of the release; `{commit}` is filled in.")
    max_new_issues: int = Field(default=0, ge=0, description="New issues that are borne.")
    duration: Duration = Field(default=timedelta(minutes=2), description="How long to watch.")
    interval: Duration = Field(default=timedelta(seconds=15), description="Between two looks.")


class ErrorLog(Section):
    """New rows that a release brings to the application's own table of errors (PostgreSQL)."""

    database: Variable = Field(default="DATABASE_URL", description="NAME of the environment variable.")
    table: str = Field(default="error_logs", pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")
    severities: tuple[str, ...] = Field(
        default=("error", "critical", "fatal"), min_length=1, description="Values of `severity` that count."
    )
    max_new_errors: int = Field(default=0, ge=0, description="New rows that are borne.")
    duration: Duration = Field(default=timedelta(minutes=2), description="How long to watch.")
    interval: Duration = Field(default=timedelta(seconds=15), description="Between two looks.")


class Purge(Section):
    """A Cloudflare cache before the production URL, to be emptied when production has changed."""

    zone: str = Field(pattern="^[0-9a-f]{32}$", description="Cloudflare zone id.")
    token: Variable = Field(default="CLOUDFLARE_API_TOKEN", description="NAME of the environment variable.")
    urls: tuple[Annotated[str, Field(pattern="^https?://")], ...] = Field(
        default=(), description="Only these URLs; everything when none is named."
    )
    api: Site = "https://api.cloudflare.com"


class Deploy(Section):
    """The way to production."""

    project: str | None = Field(default=None, description="Vercel project id; VERCEL_PROJECT_ID when not given.")
    team: str | None = Field(default=None, description="Vercel team id or slug; VERCEL_ORG_ID when not given.")
    api_timeout: Duration = Field(default=timedelta(seconds=30), description="For one answer of Vercel's API.")
    cli: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("vercel",), description="The command that starts Vercel's command line, word by word."
    )
    upload_timeout: Duration = Field(default=timedelta(minutes=10), description="For `vercel deploy`.")
    build_timeout: Duration = Field(default=timedelta(minutes=20), description="Until the candidate is ready.")
    build_interval: Duration = Field(
        default=timedelta(seconds=1), description="First pause between two looks at a build; it grows thirtyfold."
    )
    confirm_timeout: Duration = Field(
        default=timedelta(minutes=10), description="Until a promotion or rollback has reached every domain."
    )
    confirm_interval: Duration = Field(default=timedelta(seconds=2), description="Between two looks at the domains.")
    settle: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a request whose answer was lost may take to show; after that it has had no effect.",
    )
    verify: Verify = Verify()
    watch: Watch | None = Field(default=None, description="New errors by Sentry; without it `error_log`, if any.")
    error_log: ErrorLog | None = None
    purge: Purge | None = None
    webhook: Variable | None = Field(
        default=None, description="NAME of the variable with the URL that is told how a release ended."
    )


class Config(Section):
    """Everything Gonogo is told about one application."""

    version: Literal[1] = 1
    target: Target
    smoke: Smoke = Smoke()
    security: Security = Security()
    load: Load = Load()
    gate: Gate = Gate()
    deploy: Deploy = Deploy()

    def secret_variables(self) -> tuple[str, ...]:
        """Names of the environment variables whose values must never be shown."""
        login, deploy = self.smoke.login, self.deploy
        names = [login.password, login.expired_token] if login else []
        names += [section.token for section in (deploy.watch, deploy.purge) if section]
        names += [deploy.error_log.database] if deploy.error_log else []
        return tuple(name for name in (*names, deploy.webhook) if name)
