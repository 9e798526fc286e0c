"""What monitoring writes down: one record for each probe, and what follows from the records.

    probe -> ProbeRecord -> history -> Day (`ci.monitor.day`), Incident -> figures, page

Incidents and days are functions of the records, so they can always be made again; only a `Delivery` is a fact
of its own, written after somebody was told. Times are UTC; a line of the history is one record with short keys.
"""

from __future__ import annotations

import enum
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from ci.model import Model

DETAIL_LIMIT = 300
"""Characters of a record's detail that are kept."""


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    return value.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_utc)]


class Condition(enum.StrEnum):
    """How a target was found, best first."""

    UP = "up"
    DEGRADED = "degraded"
    """It answers, but not as it should: slow, a service of it down, a certificate about to expire."""
    DOWN = "down"
    UNKNOWN = "unknown"
    """Nobody could tell: never counted as up, and never as down."""

    @property
    def failing(self) -> bool:
        return self in {Condition.DEGRADED, Condition.DOWN}


class Kind(enum.StrEnum):
    """What a probe looks at."""

    MONITOR = "monitor"
    """The round itself: UNKNOWN when the monitor was blind."""
    PAGE = "page"
    API = "api"
    HEALTH = "health"
    """The application's own word on itself."""
    SERVICE = "service"
    """The application's word on one service that it needs."""
    CERTIFICATE = "certificate"
    DOMAIN = "domain"
    DNS = "dns"
    REDIRECT = "redirect"
    HEADERS = "headers"
    VENDOR = "vendor"
    QUOTA = "quota"
    ALL = "all"
    """A whole environment: down when anything that serves in it is; never probed, made of what is."""

    @property
    def serves(self) -> bool:
        """Whether users meet it: these alone make uptime, latency and error rate."""
        return self in {Kind.PAGE, Kind.API, Kind.HEALTH}


class Priority(enum.StrEnum):
    """How soon somebody must answer an incident (docs/runbook.md), worst first."""

    P0 = "P0"
    """Outage: production does not serve."""
    P1 = "P1"
    """Major: production serves, but something that people need does not work, or soon will not."""
    P2 = "P2"
    """Minor."""
    P3 = "P3"
    """Cosmetic."""

    @property
    def respond_within(self) -> timedelta:
        return {
            Priority.P0: timedelta(minutes=15),
            Priority.P1: timedelta(hours=1),
            Priority.P2: timedelta(hours=4),
            Priority.P3: timedelta(hours=24),
        }[self]


class Series(Model):
    """What is probed again and again: the identity of its records across rounds."""

    environment: str
    """Empty for what belongs to none: vendors, quotas, the monitor itself."""
    target: str
    kind: Kind

    def __str__(self) -> str:
        return "/".join(part for part in (self.environment, self.kind.value, self.target) if part)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.environment}\0{self.target}\0{self.kind}".encode()).hexdigest()[:16]


class ProbeRecord(Model):
    """One line of the history. Short keys in the file, full names in code."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

    schema_version: Literal[1] = Field(default=1, alias="v")
    round_id: str = Field(alias="r", min_length=1)
    """The round's slot and run: two rounds in one slot are told apart, one round written twice is not."""
    slot: Time = Field(alias="s")
    """Begin of the time that this record may speak for."""
    every_s: int = Field(alias="i", gt=0)
    """Seconds that the slot lasts."""
    at: Time = Field(alias="at")
    """When the probe was made."""
    environment: str = Field(default="", alias="e")
    target: str = Field(alias="t", min_length=1)
    kind: Kind = Field(alias="k")
    outcome: Condition = Field(alias="o")
    latency_ms: float | None = Field(default=None, alias="ms", ge=0)
    """From the first byte sent, connection included, to the last received."""
    detail: str = Field(default="", alias="d")
    """What was seen, what was wanted; redacted."""
    tries: int = Field(default=1, alias="n", ge=1)
    """2 when a first failure was tried again on a fresh connection."""
    value: str = Field(default="", alias="x")
    """What is watched for drift: where a redirect leads, what a name resolves to."""
    measure: float | None = Field(default=None, alias="m")
    """Days left, or the share of a quota that is used."""
    maintenance: str = Field(default="", alias="w")
    """The reason of the maintenance window that the probe fell into."""

    @property
    def series(self) -> Series:
        return Series(environment=self.environment, target=self.target, kind=self.kind)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a record the same record when it is met twice."""
        return self.round_id, self.environment, self.target, self.kind.value

    def line(self) -> str:
        """As it stands in the history."""
        return f'{{"v":{self.schema_version},{self.model_dump_json(by_alias=True, exclude_defaults=True)[1:]}\n'


class Round(Model):
    """All probes made at one time."""

    id: str
    slot: Time
    every_s: int
    started_at: Time
    finished_at: Time
    records: tuple[ProbeRecord, ...]

    @property
    def blind(self) -> str | None:
        """Why the monitor could not see, or None when it could."""
        return next((r.detail for r in self.records if r.kind is Kind.MONITOR and r.outcome is Condition.UNKNOWN), None)

    @property
    def down(self) -> tuple[ProbeRecord, ...]:
        return tuple(record for record in self.records if record.outcome is Condition.DOWN)


class Incident(Model):
    """A confirmed run of failures of one series, with what is known of its begin and its end.

    Probes see moments: it began after `good_before` and no later than `first_failure`; it ended after
    `last_failure` and no later than `good_again`.
    """

    schema_version: Literal[1] = 1
    series: Series
    priority: Priority
    """The worst it has been."""
    condition: Condition
    """The worst it has been."""
    opened_at: Time
    """When it was known: the probe that confirmed it."""
    good_before: Time | None
    """The last probe that found it well; None when there was none."""
    first_failure: Time
    last_failure: Time
    good_again: Time | None = None
    """The first probe of those that found it well for good; None while it is open, or when it is watched no more."""
    closed_at: Time | None = None
    """When it was known to be over; None while it is open."""
    failures: int = Field(ge=0)
    """Probes that found it failing."""
    flapping: bool = False
    cause: str = ""
    """A vendor's trouble at the same time: the likely cause."""
    evidence: tuple[str, ...] = ()
    """The first and the latest details, each with its time."""
    episode: str = ""
    """The id of the incident that began the episode to which it belongs; empty: it is one by itself."""

    @property
    def fingerprint(self) -> str:
        return self.series.fingerprint

    @property
    def id(self) -> str:
        """Identity of this very incident: no two of one fingerprint begin at one time."""
        return f"{self.fingerprint}-{self.first_failure:%Y%m%dT%H%M%SZ}"

    @property
    def open(self) -> bool:
        return self.closed_at is None

    @property
    def title(self) -> str:
        what = {Condition.DOWN: "is down", Condition.UNKNOWN: "cannot be seen"}.get(self.condition, "is degraded")
        if self.series.kind is Kind.MONITOR:
            what = "had stopped" if self.condition is Condition.DEGRADED else "was blind"
        where = f" ({self.series.environment})" if self.series.environment else ""
        return f"{self.series.kind.value} {self.series.target}{where} {what}"

    def duration(self, now: datetime) -> timedelta:
        """From the first failure to the first good probe, or to its close, or to now."""
        return (self.good_again or self.closed_at or now) - self.first_failure


class Delivery(Model):
    """That somebody was told: written after the channel took it, never before."""

    schema_version: Literal[1] = 1
    incident: str
    """The episode's id, which is that of the incident that began it."""
    event: Literal["opened", "updated", "closed"]
    channel: str
    at: Time
    digest: str = ""
    """Of what was told, so that the same is not told again."""
    reference: str = ""
    """The channel's own name of it, as an issue's number."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.incident, self.event, self.channel, self.digest

    def line(self) -> str:
        return self.model_dump_json(exclude_defaults=True) + "\n"
