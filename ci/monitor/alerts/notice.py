"""What is said of an incident, in the forms that the channels take. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ci.engine import gfm
from ci.engine.inert import one_line
from ci.engine.wording import seconds_in_words
from ci.monitor.facts import Incident

Event = Literal["opened", "updated", "closed"]


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader finds more."""

    runbook: str | None = None
    page: str | None = None
    run: str | None = None
    """The page of the workflow run that tells this."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One incident as somebody is to be told of it now."""

    event: Event
    incident: Incident
    now: datetime
    links: Links = Links()

    @property
    def id(self) -> str:
        """Identity of what is told, the same when it is told again."""
        return f"{self.incident.id}.{self.event}.{self.incident.priority}"

    @property
    def title(self) -> str:
        """As in `[P0] page home (production) is down`."""
        over = f": over after {self.lasted}" if self.event == "closed" else ""
        return one_line(f"[{self.incident.priority}] {self.incident.title}{over}")

    @property
    def lasted(self) -> str:
        return _spelled(self.incident.duration(self.now))

    @property
    def deadline(self) -> str:
        """By when somebody should have answered."""
        within = self.incident.priority.respond_within
        return f"{_moment(self.incident.opened_at + within)} ({_spelled(within)} after it was known)"

    def facts(self) -> dict[str, str]:
        """Name and value of what is known, for a table or a list."""
        incident = self.incident
        told = {
            "Priority": str(incident.priority),
            "Target": str(incident.series),
            "Began": _between(incident.good_before, incident.first_failure, "no probe before it was good"),
            "Known": _moment(incident.opened_at),
        }
        if incident.open:
            told |= {"Last seen failing": _moment(incident.last_failure), "Lasts": self.lasted}
            told |= {"Answer by": self.deadline}
        else:
            told |= {"Ended": _between(incident.last_failure, incident.good_again, "")}
            told |= {"Lasted": f"{self.lasted} ({_bounds(incident)})"}
        told |= {"Failing probes": str(incident.failures)}
        if incident.flapping:
            told |= {"Flapping": "yes: it went to and fro, and is told as one"}
        if incident.cause:
            told |= {"Likely cause": incident.cause}
        return told

    def markdown(self) -> str:
        """For GitHub: nothing that a probe saw acts on anything there."""
        return "\n\n".join(self._paragraphs())

    def plain(self) -> str:
        """For an e-mail."""
        lines = [f"{name}: {one_line(value)}" for name, value in self.facts().items()]
        seen = ["", "Seen:", *(f"- {one_line(words)}" for words in self.incident.evidence)]
        links = ["", *(f"{name}: {url}" for name, url in self.named_links())]
        return "\n".join([self.title, "", *lines, *(seen if self.incident.evidence else []), *links]) + "\n"

    def named_links(self) -> Iterator[tuple[str, str]]:
        if self.links.runbook:
            yield "What to do", f"{self.links.runbook}#{self.incident.priority.lower()}"
        if self.links.page:
            yield "Status page", self.links.page
        if self.links.run:
            yield "Monitoring run", self.links.run

    def farewell(self) -> str:
        """The one comment at the end."""
        last = f" Last seen failing: {gfm.code(self.incident.evidence[-1])}" if self.incident.evidence else ""
        return f"It is over: it lasted {self.lasted} ({_bounds(self.incident)}).{last}"

    def _paragraphs(self) -> Iterator[str]:
        state = "is over" if self.event == "closed" else "is open"
        yield f"This incident **{state}**. The text is kept up to date; comments stay as they are."
        rows = [f"| {name} | {gfm.inline(value)} |" for name, value in self.facts().items()]
        yield "\n".join(["| | |", "| --- | --- |", *rows])
        if self.incident.evidence:
            yield "**Seen**\n\n" + "\n".join(f"- {gfm.code(words)}" for words in self.incident.evidence)
        if links := [f"[{name}]({url})" for name, url in self.named_links()]:
            yield " · ".join(links)


def _bounds(incident: Incident) -> str:
    """Probes see moments: the least and the most that it can have lasted."""
    least = incident.last_failure - incident.first_failure
    if incident.good_before is None or incident.good_again is None:
        return f"at least {_spelled(least)}"
    return f"between {_spelled(least)} and {_spelled(incident.good_again - incident.good_before)}"


def _between(low: datetime | None, high: datetime | None, otherwise: str) -> str:
    if high is None:
        return otherwise
    if low is None:
        return f"{_moment(high)}, or before: {otherwise}"
    return f"between {_moment(low)} and {_moment(high)}"


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _spelled(value: timedelta) -> str:
    return seconds_in_words(value.total_seconds()) if value else "0 s"
