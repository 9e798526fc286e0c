"""What failed together is one event to people: alerts tell it as one, and the page shows it as one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
_KINDS = list(Kind)
_RANKS = (Condition.UP, Condition.UNKNOWN, Condition.DEGRADED, Condition.DOWN)


@dataclass(frozen=True, slots=True)
class Episode:
    """Incidents of one environment that opened together: the open ones first, the worst of them first. Never empty."""

    id: str
    incidents: tuple[Incident, ...]

    @property
    def digest(self) -> str:
        """Of what people should hear again when it changes: how bad it is, and of how many incidents it is made."""
        return f"{self.priority}+{len(self.incidents)}"

    @property
    def environment(self) -> str:
        return self.incidents[0].series.environment

    @property
    def failing(self) -> tuple[Incident, ...]:
        """The incidents that are open."""
        return tuple(one for one in self.incidents if one.open)

    @property
    def open(self) -> bool:
        return bool(self.failing)

    @property
    def priority(self) -> Priority:
        """The worst it has been."""
        return min(one.priority for one in self.incidents)

    @property
    def condition(self) -> Condition:
        """The worst of what the title speaks of."""
        return max((one.condition for one in self._told), key=_RANKS.index)

    @property
    def opened_at(self) -> datetime:
        return min(one.opened_at for one in self.incidents)

    @property
    def closed_at(self) -> datetime | None:
        """When it was known that all of it is over; None while any of it is open."""
        return None if self.open else max(one.closed_at for one in self.incidents if one.closed_at)

    @property
    def began(self) -> datetime:
        return min(one.first_failure for one in self.incidents)

    @property
    def good_before(self) -> datetime | None:
        """The last good probe before it began; None when there was none."""
        return min(self.incidents, key=lambda one: one.first_failure).good_before

    @property
    def last_failure(self) -> datetime:
        return max(one.last_failure for one in self.incidents)

    @property
    def ended(self) -> datetime | None:
        """When all of it was good again; None while any of it is open, or when nobody saw it."""
        ends = [one.good_again for one in self.incidents]
        return None if None in ends else max(end for end in ends if end)

    @property
    def failures(self) -> int:
        return sum(one.failures for one in self.incidents)

    @property
    def flapping(self) -> bool:
        return any(one.flapping for one in self.incidents)

    @property
    def causes(self) -> str:
        return "; ".join(dict.fromkeys(one.cause for one in self.incidents if one.cause))

    @property
    def evidence(self) -> tuple[str, ...]:
        """Of a single incident all that is kept; of several the first and the latest of each."""
        if len(self.incidents) == 1:
            return self.incidents[0].evidence
        kept = ((one, dict.fromkeys((*one.evidence[:1], *one.evidence[-1:]))) for one in self.incidents)
        return tuple(f"{one.series.target}: {words}" for one, both in kept for words in both)

    @property
    def title(self) -> str:
        """As in `home, /api/login (staging) were down`. While it is open it names what still fails."""
        told = self._told
        if told[0].series.kind is Kind.MONITOR:
            return "The monitor could not see" if told[0].condition is Condition.UNKNOWN else "The monitor had stopped"
        where = f" ({self.environment})" if self.environment not in {PRODUCTION, ""} else ""
        if {one.series.kind for one in told} <= _EXPIRING and self.condition is not Condition.DOWN:
            return f"{self.named}: {'about to expire' if self.open else 'was about to expire'}"
        what = _WHAT[self.condition][0 if self.open else 1]
        if len(told) > 1:
            what = what.replace("is ", "are ").replace("was ", "were ")
        return f"{self.named}{where} {what}"

    @property
    def named(self) -> str:
        """What it is about, as in `home, /api/login and 3 more`."""
        names = list(dict.fromkeys(map(_name, self._told)))
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        return f"{', '.join(names[:NAMES_SHOWN])}{more}"

    def lasted(self, now: datetime) -> timedelta:
        """From the first failure to the first good probe, or to its close, or to now."""
        return (self.ended or self.closed_at or now) - self.began

    def under(self, name: str) -> Episode:
        """The same by another id."""
        return replace(self, id=name)

    @property
    def _told(self) -> tuple[Incident, ...]:
        return self.failing or self.incidents


def episodes(incidents: Iterable[Incident]) -> tuple[Episode, ...]:
    """The open ones first, each the newest first."""
    groups: dict[str, list[Incident]] = defaultdict(list)
    for one in incidents:
        groups[one.episode or one.id].append(one)
    found = [Episode(name, _worst_first(group)) for name, group in groups.items()]
    return tuple(sorted(found, key=lambda one: (one.open, one.began), reverse=True))


def _name(incident: Incident) -> str:
    return _NAMED_WITH_KIND.get(incident.series.kind, "") + incident.series.target


def _worst_first(group: Sequence[Incident]) -> tuple[Incident, ...]:
    return tuple(
        sorted(
            group,
            key=lambda one: (
                not one.open,
                -_RANKS.index(one.condition),
                one.priority,
                _KINDS.index(one.series.kind),
                one.series.target,
            ),
        )
    )
