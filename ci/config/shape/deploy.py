"""`deploy`: the way to production."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ci.config.shape.scalars import Duration, Section, Site, Variable


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
    by: Literal["pipeline", "vercel"] = Field(
        default="pipeline", description="Who builds and deploys a push: the pipeline, or Vercel's Git integration."
    )
    build: Literal["cli", "vercel", "none"] = Field(
        default="cli",
        description="Where the pipeline's deployments are built: on the runner by Vercel's command line, at Vercel, "
        "or nowhere, because `.vercel/output` is there already.",
    )
    staging: Site | None = Field(
        default=None, description="URL that shows what was pushed to `develop`; an alias that is not of production."
    )
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
