"""The ways to tell somebody, as the configuration wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ci.config.shape.alerts import Alerts
from ci.engine.inert import log_line
from ci.engine.redaction import Redactor
from ci.monitor.alerts.issue import IssueChannel
from ci.monitor.alerts.mail import MailChannel
from ci.monitor.alerts.notice import Notice
from ci.monitor.alerts.webhook import WebhookChannel
from ci.monitor.facts import Priority


class Channel(Protocol):
    """One way to tell somebody."""

    @property
    def name(self) -> str: ...

    @property
    def at_least(self) -> Priority:
        """The mildest priority that it wants to hear of."""

    @property
    def in_place(self) -> bool:
        """Whether what was told is brought up to date, so that it hears of an open incident in every round."""

    async def deliver(self, notice: Notice) -> str:
        """Tell; returns the channel's own name of it. Raises CannotRun when it was not taken."""


@dataclass(frozen=True, slots=True)
class Console:
    """The log of the round; in GitHub Actions an annotation."""

    say: Callable[[str], None]
    annotate: bool
    name: str = "console"
    at_least: Priority = Priority.P3
    in_place: bool = False

    async def deliver(self, notice: Notice) -> str:
        if not self.annotate:
            self.say(log_line(notice.title))
            return ""
        kind = (
            "notice" if notice.event == "closed" else "error" if notice.episode.priority <= Priority.P1 else "warning"
        )
        self.say(f"::{kind}::{_escaped(notice.title)}")
        return ""


def channels(
    alerts: Alerts, environ: Mapping[str, str], redact: Redactor, say: Callable[[str], None]
) -> Iterator[Channel]:
    """Every channel that is configured; the console always is."""
    yield Console(say, annotate=environ.get("GITHUB_ACTIONS") == "true")
    if alerts.github:
        yield IssueChannel(alerts.github, environ, redact)
    if alerts.webhook:
        yield WebhookChannel(alerts.webhook, environ, redact)
    if alerts.mail:
        for to in alerts.mail.to:
            yield MailChannel(alerts.mail, to, environ, redact)


def _escaped(words: str) -> str:
    """For a workflow command's message."""
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
