"""A day of a history: what every figure is made of, small enough to be kept beside the records."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from ci.model import Model
from ci.monitor.facts import Incident, ProbeRecord, Series, Time


class SeriesDay(Model):
    """One series on one day (UTC). Seconds of the day that are in none of the five were not observed."""

    series: Series
    since: Time
    """Midnight, or the series' first slot ever when that is on this day."""
    up_s: float = 0
    degraded_s: float = 0
    down_s: float = 0
    blind_s: float = 0
    """Probed, but without an answer to the question: unknown."""
    maintenance_s: float = 0
    """Announced: in neither uptime nor the window."""
    maybe_down_s: float = 0
    """Of what is told as served: how much may lie after an outage's true begin, or before its true end."""
    maybe_up_s: float = 0
    """Of what is told as down: how much may lie before the outage's true begin, or after its true end."""
    probes: int = 0
    """Those that had an answer."""
    failures: int = 0
    """Probes that found it down."""
    satisfied: int = 0
    tolerating: int = 0
    """Apdex counts among the probes (Apdex Technical Specification 1.1)."""
    latency: dict[int, int] = Field(default={})
    """Histogram of the latencies (`ci.monitor.latency`)."""
    last: ProbeRecord | None = None
    """The latest record; of a whole environment the one that was worst in its latest slot."""


class Gap(Model):
    """Slots in a row in which no round was made."""

    begins: Time
    ends: Time
    slots: int = Field(ge=1)


class Watch(Model):
    """What the detector remembers of one series from one record to the next."""

    series: Series
    failing: int = 0
    """Failures in a row."""
    unseen: int = 0
    """Probes in a row that failed or had no answer."""
    well: int = 0
    """Good probes in a row."""
    counted_at: Time | None = None
    """The latest probe that was counted: two at once count as one."""
    last_well: Time | None = None
    first_failing: Time | None = None
    first_well: Time | None = None
    recent: str = ""
    """The latest counted probes, oldest first: `w` well, `f` failing."""
    incident: Incident | None = None
    """The one that is open."""


class Day(Model):
    """Everything about one day (UTC), from which every figure is made; the file `days/2026-11-20.json`."""

    schema_version: Literal[1] = 1
    rules: str
    """Digest of the rules by which it was told; with other rules it is told again."""
    day: date
    begins: Time
    """Midnight, or the first slot of all when history begins on this day."""
    ends: Time
    """The next midnight, or the time up to which this day is told so far."""
    every_s: int
    """The latest interval between rounds, in seconds."""
    rounds: int = 0
    gaps: tuple[Gap, ...] = ()
    series: tuple[SeriesDay, ...] = ()
    closed: tuple[Incident, ...] = ()
    """Incidents that were closed on this day."""
    watches: tuple[Watch, ...] = ()
    """The detector's memory at its end."""
    covered_to: Time | None = None
    """The end of the latest slot with a round."""
    last_round: Time | None = None

    @property
    def open(self) -> tuple[Incident, ...]:
        """Incidents open at its end."""
        return tuple(watch.incident for watch in self.watches if watch.incident)

    @property
    def missed(self) -> int:
        """Slots without a round."""
        return sum(gap.slots for gap in self.gaps)
