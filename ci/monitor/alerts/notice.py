"""What is said of an episode, in the forms that the channels take. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ci.engine import gfm
from ci.engine.inert import one_line
from ci.engine.wording import seconds_in_words
from ci.monitor.episodes import Episode
from ci.monitor.facts import Condition, Incident

Event = Literal["opened", "updated", "closed"]
TARGETS_SHOWN = 50
"""Rows of the table in an issue."""
WORDS_SHOWN = 12
"""Details that are told of an episode; the history has all of them."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader finds more."""

    runbook: str | None = None
    page: str | None = None
    run: str | None = None
    """The page of the workflow run that tells this."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One episode as somebody is to be told of it now."""

    event: Event
    episode: Episode
    now: datetime
    links: Links = Links()

    @property
    def id(self) -> str:
        """Identity of what is told, the same when it is told again."""
        return f"{self.episode.id}.{self.event}.{self.episode.digest}"

    @property
    def title(self) -> str:
        """As in `[P0] page home (production) is down`, or `[P0] 12 targets (production) are down: home, /login …`."""
        over = f": over after {self.lasted}" if self.event == "closed" else ""
        return one_line(f"[{self.episode.priority}] {self._what}{over}")

    @property
    def lasted(self) -> str:
        return _spelled(self.episode.lasted(self.now))

    @property
    def deadline(self) -> str:
        """By when somebody should have answered."""
        within = self.episode.priority.respond_within
        return f"{_moment(self.episode.opened_at + within)} ({_spelled(within)} after it was known)"

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was seen, as much of it as a message holds."""
        seen = self.episode.evidence
        if len(seen) <= WORDS_SHOWN:
            return seen
        return (*seen[:WORDS_SHOWN], f"… and {len(seen) - WORDS_SHOWN} more, which the history has")

    def facts(self) -> dict[str, str]:
        """Name and value of what is known, for a table or a list."""
        episode = self.episode
        told = {"Priority": str(episode.priority), **self._targets()}
        told |= {
            "Began": _between(episode.good_before, episode.began, "no probe before it was good"),
            "Known": _moment(episode.opened_at),
        }
        if episode.open:
            told |= {"Last seen failing": _moment(episode.last_failure), "Lasts": self.lasted}
            told |= {"Answer by": self.deadline}
        else:
            told |= {"Ended": _between(episode.last_failure, episode.ended, "")}
            told |= {"Lasted": f"{self.lasted} ({_bounds(episode)})"}
        told |= {"Failing probes": str(episode.failures)}
        if episode.flapping:
            told |= {"Flapping": "yes: it went to and fro, and is told as one"}
        if episode.causes:
            told |= {"Likely cause": episode.causes}
        return told

    def markdown(self) -> str:
        """For GitHub: nothing that a probe saw acts on anything there."""
        return "\n\n".join(self._paragraphs())

    def plain(self) -> str:
        """For an e-mail."""
        lines = [f"{name}: {one_line(value)}" for name, value in self.facts().items()]
        seen = ["", "Seen:", *(f"- {one_line(words)}" for words in self.evidence)]
        links = ["", *(f"{name}: {url}" for name, url in self.named_links())]
        return "\n".join([self.title, "", *lines, *(seen if self.evidence else []), *links]) + "\n"

    def named_links(self) -> Iterator[tuple[str, str]]:
        if self.links.runbook:
            yield "What to do", f"{self.links.runbook}#{self.episode.priority.lower()}"
        if self.links.page:
            yield "Status page", self.links.page
        if self.links.run:
            yield "Monitoring run", self.links.run

    def farewell(self) -> str:
        """The one comment at the end."""
        last = max(self.episode.incidents, key=lambda one: one.last_failure).evidence
        seen = f" Last seen failing: {gfm.code(last[-1])}" if last else ""
        return f"It is over: it lasted {self.lasted} ({_bounds(self.episode)}).{seen}"

    @property
    def _what(self) -> str:
        told = self.episode.failing or self.episode.incidents
        if len(told) == 1:
            return told[0].title
        where = f" ({self.episode.environment})" if self.episode.environment else ""
        return f"{len(told)} targets{where} {_words(told)}: {self.episode.named}"

    def _targets(self) -> dict[str, str]:
        episode = self.episode
        if len(episode.incidents) == 1:
            return {"Target": str(episode.incidents[0].series)}
        return {
            "Targets": f"{len(episode.incidents)}, of which {len(episode.failing)} still fail: {episode.named}"
            if episode.open
            else f"{len(episode.incidents)}: {episode.named}"
        }

    def _paragraphs(self) -> Iterator[str]:
        state = "is over" if self.event == "closed" else "is open"
        yield f"This incident **{state}**. The text is kept up to date; comments stay as they are."
        rows = [f"| {name} | {gfm.inline(value)} |" for name, value in self.facts().items()]
        yield "\n".join(["| | |", "| --- | --- |", *rows])
        if len(self.episode.incidents) > 1:
            yield self._table()
        if self.evidence:
            yield "**Seen**\n\n" + "\n".join(f"- {gfm.code(words)}" for words in self.evidence)
        if links := [f"[{name}]({url})" for name, url in self.named_links()]:
            yield " · ".join(links)

    def _table(self) -> str:
        """One line for each target: those that still fail come first."""
        shown, left = self.episode.incidents[:TARGETS_SHOWN], len(self.episode.incidents) - TARGETS_SHOWN
        rows = [f"| {gfm.code(str(one.series))} | {_state(one)} | {_moment(one.first_failure)} |" for one in shown]
        more = [f"\n… and {left} more."] if left > 0 else []
        return "\n".join(["| Target | Now | Failing since |", "| --- | --- | --- |", *rows, *more])


def _words(told: tuple[Incident, ...]) -> str:
    match sorted({one.condition for one in told}):
        case [Condition.DOWN]:
            return "are down"
        case [Condition.DEGRADED]:
            return "are degraded"
        case [Condition.UNKNOWN]:
            return "cannot be seen"
        case _:
            return "are down or degraded"


def _state(incident: Incident) -> str:
    if not incident.open:
        return f"over: good again at {_moment(incident.good_again)}" if incident.good_again else "watched no more"
    return {Condition.DOWN: "**down**", Condition.UNKNOWN: "not seen"}.get(incident.condition, "degraded")


def _bounds(episode: Episode) -> str:
    """Probes see moments: the least and the most that it can have lasted."""
    least = episode.last_failure - episode.began
    if episode.good_before is None or episode.ended is None:
        return f"at least {_spelled(least)}"
    return f"between {_spelled(least)} and {_spelled(episode.ended - episode.good_before)}"


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
