"""The rules by which records become incidents and figures: the part of the configuration that replay depends on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from ci.config.shape.monitor import Monitor
from ci.monitor.facts import Condition, Kind, Priority, Series

PRODUCTION = "production"

# By kind: the priority of what is down, and of what is degraded, in production (docs/runbook.md).
_PRIORITIES = {
    Kind.PAGE: (Priority.P0, Priority.P2),
    Kind.API: (Priority.P0, Priority.P2),
    Kind.HEALTH: (Priority.P0, Priority.P1),
    Kind.SERVICE: (Priority.P1, Priority.P1),
    Kind.CERTIFICATE: (Priority.P0, Priority.P1),
    Kind.DOMAIN: (Priority.P0, Priority.P1),
    Kind.DNS: (Priority.P0, Priority.P2),
    Kind.REDIRECT: (Priority.P2, Priority.P3),
    Kind.HEADERS: (Priority.P2, Priority.P3),
    Kind.QUOTA: (Priority.P1, Priority.P2),
    Kind.MONITOR: (Priority.P2, Priority.P2),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How many failures open an incident, what is flapping, how bad it is."""

    open_after: int = 2
    close_after: int = 2
    flap_changes: int = 3
    flap_within: int = 8
    silence: timedelta = timedelta(minutes=45)
    apdex_ms: float = 500
    priorities: tuple[tuple[Kind, str, Priority], ...] = ()
    """What the configuration says of single targets that are down."""

    @classmethod
    def of(cls, monitor: Monitor) -> Rules:
        return cls(
            open_after=monitor.open_after,
            close_after=monitor.close_after,
            flap_changes=monitor.flapping.changes,
            flap_within=monitor.flapping.within,
            silence=monitor.silence,
            apdex_ms=monitor.slo.apdex / timedelta(milliseconds=1),
            priorities=tuple(
                (Kind(watched.kind), watched.name or watched.path, Priority(watched.priority))
                for watched in monitor.targets
                if watched.priority
            ),
        )

    @property
    def digest(self) -> str:
        """Tells whether two roll-ups were made by the same rules."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def priority(self, series: Series, condition: Condition) -> Priority:
        """How bad it is that this series is in this condition."""
        if condition is Condition.UNKNOWN:
            return Priority.P2 if series.kind.serves or series.kind is Kind.MONITOR else Priority.P3
        if condition is Condition.DOWN:
            for kind, target, priority in self.priorities:
                if (kind, target) == (series.kind, series.target):
                    return priority
        down, degraded = _PRIORITIES[series.kind]
        if series.environment in {PRODUCTION, ""}:
            return down if condition is Condition.DOWN else degraded
        return max(down, Priority.P2) if condition is Condition.DOWN else Priority.P3
