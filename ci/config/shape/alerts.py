"""`monitor.alerts` and `monitor.page`: who is told of incidents, and what the public sees."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ci.config.shape.scalars import Section, Site, Variable

PriorityName = Literal["P0", "P1", "P2", "P3"]
Address = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")]


class GitHubAlerts(Section):
    """One issue for each episode, kept up to date in place; needs GITHUB_TOKEN with `issues: write`."""

    label: str = Field(default="incident", pattern=r"^[\w.-]+$", description="By which the issues are found again.")
    at_least: PriorityName = "P3"


class WebhookAlerts(Section):
    """A message in Slack's format; Mattermost, Discord (`…/slack`) and others take it, too."""

    url: Variable = Field(default="ALERT_WEBHOOK_URL", description="NAME of the environment variable.")
    at_least: PriorityName = "P2"


class MailAlerts(Section):
    """E-mail by SMTP."""

    server: str = Field(min_length=1, description="Host name of the SMTP server.")
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="`none` sends in the clear, and takes no password along."
    )
    user: str | None = None
    password: Variable | None = Field(default=None, description="NAME of the environment variable.")
    sender: Address
    to: tuple[Address, ...] = Field(min_length=1)
    at_least: PriorityName = "P0"

    @model_validator(mode="after")
    def _kept_secret(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` (the NAME of a variable) belong together")
        if self.user and self.security == "none":
            raise ValueError("a password must not travel in the clear: use `security: starttls` or `tls`")
        return self


class CheckIn(Section):
    """Sentry's cron monitoring: it raises the alarm when no round reports in any more."""

    dsn: Variable = Field(default="SENTRY_DSN", description="NAME of the environment variable.")
    monitor: str = Field(default="gonogo-monitor", pattern=r"^[a-z0-9_-]+$", description="Its slug in Sentry.")
    margin_minutes: int = Field(default=30, ge=1, description="How late a round may be: schedules are no clocks.")


class Alerts(Section):
    """Who is told. What could not be delivered is tried again in the next round."""

    github: GitHubAlerts | None = Field(default=GitHubAlerts(), description="Without a token this says so and rests.")
    webhook: WebhookAlerts | None = None
    mail: MailAlerts | None = None
    check_in: CheckIn | None = None
    runbook: Site | None = Field(
        default=None,
        description="Your runbook; alerts link to it with the priority as fragment, as in …/runbook.md#p0.",
    )
    page: Site | None = Field(default=None, description="Where the status page is published; alerts link to it.")

    def secret_variables(self) -> tuple[str, ...]:
        """Names of the environment variables whose values must never be shown."""
        names = [self.webhook.url if self.webhook else None, self.mail.password if self.mail else None]
        return tuple(name for name in (*names, self.check_in.dsn if self.check_in else None) if name)


class Page(Section):
    """The status page."""

    title: str = Field(default="", description="The application's name; the host of target.production when not given.")
    hide: tuple[str, ...] = Field(
        default=(), description="Targets that are nobody else's business, by name with * for any part."
    )
    details: bool = Field(default=False, description="Show what the probes saw; it may name what should stay inside.")
    contact: Site | None = Field(default=None, description="Where visitors find help.")
