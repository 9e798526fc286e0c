"""Incidents that began together are one event to a visitor: told as one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci.monitor.facts import Condition, Incident, Kind, Priority
from ci.monitor.rules import PRODUCTION

NAMES_SHOWN = 4
_WHAT = {
    Condition.DOWN: ("is down", "was down"),
    Condition.DEGRADED: ("is degraded", "was degraded"),
    Condition.UNKNOWN: ("cannot be seen", "could not be seen"),
    Condition.UP: ("is up", "was up"),
}
_EXPIRING = {Kind.CERTIFICATE, Kind.DOMAIN}
_NAMED_WITH_KIND = {Kind.CERTIFICATE: "certificate of ", Kind.DOMAIN: "domain ", Kind.DNS: "DNS of "}
_RANKS = (Condition.UP, Condition.UNKNOWN, Condition.DEGRADED, Condition.DOWN)


@dataclass(frozen=True, slots=True)
class Episode:
    """Incidents of one environment that began within one interval, worst first. Never empty."""

    incidents: tuple[Incident, ...]

    @property
    def id(self) -> str:
        return self.incidents[0].id

    @property
    def open(self) -> bool:
        return any(one.open for one in self.incidents)

    @property
    def priority(self) -> Priority:
        return min(one.priority for one in self.incidents)

    @property
    def began(self) -> datetime:
        return min(one.first_failure for one in self.incidents)

    @property
    def last_failure(self) -> datetime:
        return max(one.last_failure for one in self.incidents)

    @property
    def ended(self) -> datetime | None:
        """When all of it was good again; None while any of it is open."""
        ends = [one.good_again for one in self.incidents]
        return None if None in ends else max(end for end in ends if end)

    @property
    def flapping(self) -> bool:
        return any(one.flapping for one in self.incidents)

    @property
    def causes(self) -> str:
        return "; ".join(dict.fromkeys(one.cause for one in self.incidents if one.cause))

    @property
    def evidence(self) -> tuple[str, ...]:
        """The first and the latest of each."""
        kept = ((one, dict.fromkeys((*one.evidence[:1], *one.evidence[-1:]))) for one in self.incidents)
        return tuple(f"{one.series.target}: {words}" for one, both in kept for words in both)

    @property
    def title(self) -> str:
        """As in `home, /api/login (staging) were down`."""
        first = self.incidents[0]
        if first.series.kind is Kind.MONITOR:
            return "The monitor could not see" if first.condition is Condition.UNKNOWN else "The monitor had stopped"
        names = list(dict.fromkeys(map(_name, self.incidents)))
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        where = f" ({first.series.environment})" if first.series.environment not in {PRODUCTION, ""} else ""
        if {one.series.kind for one in self.incidents} <= _EXPIRING:
            return f"{', '.join(names)}: {'about to expire' if self.open else 'was about to expire'}"
        what = _WHAT[max((one.condition for one in self.incidents), key=_RANKS.index)][0 if self.open else 1]
        if len(names) > 1:
            what = what.replace("is ", "are ").replace("was ", "were ")
        return f"{', '.join(names[:NAMES_SHOWN])}{more}{where} {what}"

    def lasted(self, now: datetime) -> timedelta:
        return (self.ended or now) - self.began


def episodes(incidents: Iterable[Incident], within: timedelta) -> tuple[Episode, ...]:
    """The open ones first, each the newest first."""
    found = [Episode(_worst_first(group)) for group in _groups(incidents, within)]
    return tuple(sorted(found, key=lambda one: (one.open, one.began), reverse=True))


def _groups(incidents: Iterable[Incident], within: timedelta) -> Iterator[list[Incident]]:
    """Together: begun within an interval of the first, in one environment, all open or all over."""
    growing: dict[tuple[str, bool, bool], list[Incident]] = {}
    for one in sorted(incidents, key=lambda one: one.first_failure):
        key = one.series.environment, one.open, one.series.kind is Kind.MONITOR
        group = growing.get(key)
        if group and one.first_failure - group[0].first_failure < within:
            group.append(one)
            continue
        if group:
            yield group
        growing[key] = [one]
    yield from growing.values()


def _name(incident: Incident) -> str:
    return _NAMED_WITH_KIND.get(incident.series.kind, "") + incident.series.target


def _worst_first(group: Sequence[Incident]) -> tuple[Incident, ...]:
    return tuple(sorted(group, key=lambda one: (-_RANKS.index(one.condition), one.priority)))
