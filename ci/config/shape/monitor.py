"""`monitor`: what is watched once it is live, how often, and who is told."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from ci.config.shape.alerts import Alerts, Page, PriorityName
from ci.config.shape.scalars import Duration, Host, Path, Section, Site, Url, Variable

_DAY_S = 86_400


def _slot(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1) or timedelta(days=1) % value:
        raise ValueError("slots must fill a day exactly, as 1m, 5m, 15m, 30m or 1h do")
    return value


Slot = Annotated[Duration, AfterValidator(_slot)]


class Watched(Section):
    """A page or an endpoint, and the answer that is wanted."""

    name: str | None = Field(default=None, min_length=1, description="What it is called; its path when not given.")
    path: Path
    kind: Literal["page", "api"] = "page"
    environments: tuple[str, ...] = Field(default=(), description="Where to look; in every one when none is named.")
    method: Literal["GET", "HEAD"] = "GET"
    status: int = Field(default=200, ge=100, le=599)
    contains: str | None = Field(default=None, description="Text that the body must contain.")
    has: dict[str, str | int | float | bool | None] = Field(
        default={}, description="Dotted paths of the JSON answer, and the value wanted at each (null: any)."
    )
    limit: Duration | None = Field(default=None, description="Slower than this is degraded.")
    priority: PriorityName | None = Field(default=None, description="Of its outage; by its environment otherwise.")


class Environment(Section):
    """Another place where the application runs."""

    url: Site
    bypass: Variable | None = Field(
        default=None, description="NAME of the variable with this environment's protection bypass secret."
    )


class Redirect(Section):
    """A redirect that must stay."""

    start: Url
    to: str = Field(description="Exact address that it must lead to, in one step.")
    status: Literal[301, 302, 303, 307, 308] | None = None


class Name(Section):
    """A host name, and where it must lead."""

    host: Host
    leads_to: tuple[str, ...] = Field(
        default=(), description="Addresses or canonical names (with * for any part), one of which must be seen."
    )


class Vendor(Section):
    """A vendor whose trouble may be ours."""

    name: str
    url: Url = Field(description="Its status page's JSON.")
    format: Literal["statuspage", "stripe"] = "statuspage"
    components: tuple[str, ...] = Field(
        default=(), description="Parts of it that matter, by name with * for any part; its overall status otherwise."
    )


VENDORS = (
    Vendor(name="Vercel", url="https://www.vercel-status.com/api/v2/summary.json"),
    Vendor(name="Supabase", url="https://status.supabase.com/api/v2/summary.json"),
    Vendor(name="GitHub", url="https://www.githubstatus.com/api/v2/summary.json"),
    Vendor(name="Stripe", url="https://status.stripe.com/current", format="stripe"),
)


class DatabaseQuota(Section):
    """The size of a PostgreSQL database."""

    url: Variable = Field(default="DATABASE_URL", description="NAME of the environment variable.")
    limit_mb: float = Field(default=500, gt=0, description="Supabase's free tier has 500 MB.")


class SentryQuota(Section):
    """Errors that Sentry has accepted this month."""

    organization: str = Field(min_length=1)
    url: Site = "https://sentry.io"
    token: Variable = Field(default="SENTRY_AUTH_TOKEN", description="NAME of the environment variable.")
    limit: int = Field(default=5_000, gt=0, description="Sentry's free tier has 5,000 a month.")


class ActionsQuota(Section):
    """Minutes that GitHub Actions has charged this month."""

    owner: str = Field(min_length=1, description="Organisation or user that is charged.")
    organization: bool = True
    token: Variable = Field(default="GITHUB_BILLING_TOKEN", description="NAME of the environment variable.")
    limit: int = Field(default=2_000, gt=0, description="GitHub Free has 2,000 a month.")


class Quotas(Section):
    """Limits of free tiers, to be told of before they are reached."""

    warn_at: float = Field(default=0.8, gt=0, le=1, description="Share of a limit from which on it is degraded.")
    database: DatabaseQuota | None = None
    sentry: SentryQuota | None = None
    actions: ActionsQuota | None = None


class Maintenance(Section):
    """Announced work: failures meanwhile open no incident and count in no uptime."""

    starts: datetime = Field(description="With its time zone, as in 2026-12-01T02:00:00Z.")
    lasts: Duration
    repeats: Literal["never", "daily", "weekly"] = "never"
    environments: tuple[str, ...] = Field(default=(), description="Everywhere when none is named.")
    targets: tuple[str, ...] = Field(default=(), description="By name with * for any part; all when none is named.")
    reason: str = Field(default="maintenance", description="Shown on the status page, from two weeks before.")

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.starts.tzinfo is None:
            raise ValueError("`starts` needs its time zone, as in 2026-12-01T02:00:00Z")
        return self

    def covers(self, at: datetime, environment: str, target: str) -> bool:
        """Whether a probe of this target at this time falls into the window."""
        if self.environments and environment not in self.environments:
            return False
        if self.targets and not any(fnmatchcase(target, pattern) for pattern in self.targets):
            return False
        since = at.astimezone(UTC) - self.starts.astimezone(UTC)
        if since < timedelta(0):
            return False
        return (since % self._period if self._period else since) < self.lasts

    def begins(self, now: datetime) -> datetime | None:
        """When the window that is under way began, or the next one begins; None when there will be no other."""
        starts, now = self.starts.astimezone(UTC), now.astimezone(UTC)
        if self._period and starts < now:
            starts += (now - starts) // self._period * self._period
            if now - starts >= self.lasts:
                starts += self._period
        return starts if now - starts < self.lasts else None

    @property
    def _period(self) -> timedelta | None:
        return {"daily": timedelta(days=1), "weekly": timedelta(days=7)}.get(self.repeats)


class Flapping(Section):
    """What goes to and fro is one incident, until it is calm."""

    changes: int = Field(default=3, ge=2, description="Changes between well and failing that make it flapping …")
    within: int = Field(default=8, ge=3, le=100, description="… within so many of the latest probes.")


class Objective(Section):
    """The service level objective."""

    availability: float = Field(default=0.999, gt=0, lt=1)
    window: Duration = timedelta(days=30)
    apdex: Duration = Field(default=timedelta(milliseconds=500), description="Answers within this satisfy.")


class History(Section):
    """Where the records are kept when `--history` does not say it."""

    place: str = Field(
        default="branch:gonogo-history",
        description="A folder, `branch:NAME` of this repository, or `url:VARIABLE`, "
        "the NAME of the variable with a sqlite:// or postgresql:// URL.",
    )
    remote: str = Field(default="origin", description="The git remote that holds the branch.")


class Monitor(Section):
    """Is it still there, and how well has it been?"""

    interval: Slot = Field(default=timedelta(minutes=15), description="One round each: the slot that a probe covers.")
    environments: dict[str, Environment] = Field(
        default={}, description="Further environments by name; `production` is target.production."
    )
    targets: tuple[Watched, ...] = Field(
        default=(), description="What to look at; smoke.pages, smoke.api and smoke.health when none is named."
    )
    timeout: Duration = Field(default=timedelta(seconds=10), description="For one answer; no answer is down.")
    page_limit: Duration = Field(default=timedelta(seconds=5), description="A slower page is degraded.")
    api_limit: Duration = Field(default=timedelta(seconds=2), description="A slower endpoint is degraded.")
    recheck_after: Duration = Field(
        default=timedelta(seconds=1), description="Before the second try, on a fresh connection, of what failed."
    )
    witnesses: tuple[Url, ...] = Field(
        default=(
            "https://www.google.com/generate_204",
            "https://www.cloudflare.com/cdn-cgi/trace",
            "https://api.github.com/zen",
        ),
        min_length=1,
        description="One of these must answer, or the monitor is blind and says nothing about anybody.",
    )
    certificate_days: int = Field(default=14, ge=1, description="Fewer days left are degraded.")
    domain_days: int = Field(default=30, ge=1, description="Fewer days left are degraded.")
    rdap: Site | None = Field(
        default="https://rdap.org", description="Where to ask how long a domain is registered; null: do not ask."
    )
    names: tuple[Name, ...] = Field(default=(), description="Host names to resolve, besides those of the environments.")
    redirects: tuple[Redirect, ...] = ()
    headers: dict[str, str] = Field(
        default={}, description="Response headers of the first page, each with a pattern (regular expression)."
    )
    drift_settles: Duration = Field(
        default=timedelta(days=1), description="A change of what is watched for drift is told for so long."
    )
    vendors: tuple[Vendor, ...] = VENDORS
    quotas: Quotas = Quotas()
    maintenance: tuple[Maintenance, ...] = ()
    open_after: int = Field(default=2, ge=1, description="Failures in a row that open an incident.")
    close_after: int = Field(default=2, ge=1, description="Good probes in a row that close it.")
    silence: Duration = Field(
        default=timedelta(minutes=45),
        description="No round for so long is an incident; three intervals when not given.",
    )
    flapping: Flapping = Flapping()
    slo: Objective = Objective()
    history: History = History()
    alerts: Alerts = Alerts()
    page: Page = Page()

    @model_validator(mode="before")
    @classmethod
    def _silence_follows(cls, data: Any) -> Any:
        """Schedules are no clocks: a round that comes one interval late is no silence."""
        if isinstance(data, dict) and "interval" in data and "silence" not in data:
            with contextlib.suppress(ValidationError):
                return {**data, "silence": 3 * TypeAdapter(Slot).validate_python(data["interval"])}
        return data

    @model_validator(mode="after")
    def _longer_than_an_interval(self) -> Self:
        if self.silence <= self.interval:
            raise ValueError("`silence` must be longer than `interval`, or every round would come too late")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if "production" in self.environments:
            raise ValueError("`production` is target.production; `environments` names the others")
        unknown = {name for watched in self.targets for name in watched.environments} - {
            "production",
            *self.environments,
        }
        if unknown:
            raise ValueError(f"targets name environments that are not there: {', '.join(sorted(unknown))}")
        names = [(watched.kind, watched.name or watched.path) for watched in self.targets]
        if doubles := {name for kind, name in names if names.count((kind, name)) > 1}:
            raise ValueError(f"two targets have one name: {', '.join(sorted(doubles))}; give them a `name`")
        return self

    def secret_variables(self) -> tuple[str, ...]:
        """Names of the environment variables whose values must never be shown."""
        quotas = self.quotas
        names = [environment.bypass for environment in self.environments.values() if environment.bypass]
        names += [quotas.database.url] if quotas.database else []
        names += [quota.token for quota in (quotas.sentry, quotas.actions) if quota]
        names += [self.history.place.removeprefix("url:")] if self.history.place.startswith("url:") else []
        return (*names, *self.alerts.secret_variables())
