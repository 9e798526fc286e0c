"""The figures: uptime with its coverage and bounds, latency, Apdex, the error budget, and how fast people were told.

Uptime is a share of what was observed; it says nothing about the rest, so it is never printed without the coverage
and the two bounds between which the truth lies: all that was not observed down, or all of it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from ci.model import Model
from ci.monitor.day import Day, SeriesDay
from ci.monitor.facts import Condition, Incident, Kind, Priority, Series, Time
from ci.monitor.latency import merged, quantile


class Figures(Model):
    """One series over one window. Shares are from 0 to 1; None means that there is nothing to tell from."""

    series: Series
    begins: Time
    ends: Time
    up_s: float
    degraded_s: float
    """Served, but not as it should be: within uptime, and told beside it."""
    down_s: float
    maintenance_s: float
    maybe_down_s: float
    maybe_up_s: float
    probes: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    apdex: float | None

    @property
    def window_s(self) -> float:
        """The window without announced maintenance."""
        return (self.ends - self.begins).total_seconds() - self.maintenance_s

    @property
    def served_s(self) -> float:
        return self.up_s + self.degraded_s

    @property
    def observed_s(self) -> float:
        return self.served_s + self.down_s

    @property
    def unknown_s(self) -> float:
        return max(0.0, self.window_s - self.observed_s)

    @property
    def uptime(self) -> float | None:
        return self.served_s / self.observed_s if self.observed_s else None

    @property
    def coverage(self) -> float:
        return self.observed_s / self.window_s if self.window_s else 0.0

    @property
    def low(self) -> float:
        """Uptime if all that was not observed was down."""
        return self.served_s / self.window_s if self.window_s else 0.0

    @property
    def high(self) -> float:
        """Uptime if all that was not observed was up."""
        return (self.served_s + self.unknown_s) / self.window_s if self.window_s else 1.0

    @property
    def surely(self) -> tuple[float, float]:
        """The bounds, wider by the time between two probes that disagree: when in between it changed is not known."""
        if not self.window_s:
            return 0.0, 1.0
        return (
            max(0.0, self.low - self.maybe_down_s / self.window_s),
            min(1.0, self.high + self.maybe_up_s / self.window_s),
        )

    @property
    def error_rate(self) -> float | None:
        return self.failures / self.probes if self.probes else None

    def __str__(self) -> str:
        if self.uptime is None:
            return "nothing observed"
        return (
            f"{percent(self.uptime)} of the {percent(self.coverage)} observed; "
            f"between {percent(self.low)} and {percent(self.high)}"
        )


class Budget(Model):
    """What the objective leaves for failure over its whole window, in seconds."""

    allowed_s: float
    spent_s: float
    unknown_s: float
    burn: dict[str, float | None]
    """By window: how many times faster than allowed it is spent (1 uses it up exactly at the end)."""

    @property
    def left(self) -> float:
        """Share that is left; negative when it is overspent."""
        return 1 - self.spent_s / self.allowed_s

    @property
    def left_at_worst(self) -> float:
        """Share that is left if all that was not observed was down."""
        return 1 - (self.spent_s + self.unknown_s) / self.allowed_s


class Between(Model):
    """A mean that is known to lie between two, in seconds."""

    low_s: float
    high_s: float | None
    """None when one of them began before anything was observed."""


class Response(Model):
    """How incidents of one priority went: the mean time to detect, and to recover."""

    priority: Priority
    incidents: int
    open: int
    detect: Between | None
    """From its begin to the probe that confirmed it; the gap before the first failing probe makes the upper bound."""
    recover: Between | None
    """From its begin to its end; of closed incidents alone."""


def percent(share: float) -> str:
    """As in 99.95 %; never rounded up to 100, nor down to 0."""
    shown = f"{share * 100:.2f}"
    if shown == "100.00" and share < 1:
        shown = "99.99"
    if shown == "0.00" and share > 0:
        shown = "0.01"
    return f"{shown} %"


def all_series(days: Iterable[Day]) -> tuple[Series, ...]:
    """Every series of these days, whole environments first."""
    found = {told.series for day in days for told in day.series}
    return tuple(sorted(found, key=lambda series: (series.kind is not Kind.ALL, str(series))))


def figures(series: Series, days: Sequence[Day]) -> Figures | None:
    """Of one series over adjoining days; None when it does not occur in them.

    The window begins with the series and ends when it is watched no more.
    """
    told = [(day, one) for day in days for one in day.series if one.series == series]
    if not told:
        return None
    parts = [one for _, one in told]
    histogram = merged(one.latency for one in parts)
    probes = sum(one.probes for one in parts)
    return Figures(
        series=series,
        begins=parts[0].since,
        ends=told[-1][0].ends,
        up_s=_sum(parts, "up_s"),
        degraded_s=_sum(parts, "degraded_s"),
        down_s=_sum(parts, "down_s"),
        maintenance_s=_sum(parts, "maintenance_s"),
        maybe_down_s=_sum(parts, "maybe_down_s"),
        maybe_up_s=_sum(parts, "maybe_up_s"),
        probes=probes,
        failures=sum(one.failures for one in parts),
        p50_ms=quantile(histogram, 0.50),
        p95_ms=quantile(histogram, 0.95),
        p99_ms=quantile(histogram, 0.99),
        apdex=sum(one.satisfied + one.tolerating / 2 for one in parts) / probes if probes else None,
    )


def _sum(parts: Sequence[SeriesDay], name: str) -> float:
    return float(sum(getattr(part, name) for part in parts))


def budget(told: Figures, availability: float, window: timedelta, shorter: dict[str, Figures | None]) -> Budget:
    """Of the objective: `told` over its window, `shorter` windows by name for the burn rate.

    Burn rates: Google, The Site Reliability Workbook, chapter 5.
    """
    allowed = 1 - availability
    return Budget(
        allowed_s=allowed * window.total_seconds(),
        spent_s=told.down_s,
        unknown_s=told.unknown_s,
        burn={
            name: (1 - one.uptime) / allowed if one and one.uptime is not None else None
            for name, one in shorter.items()
        },
    )


def responses(incidents: Sequence[Incident]) -> tuple[Response, ...]:
    """By priority, worst first; a priority without incidents is told with 0. The monitor's own are left out."""
    return tuple(
        _response(priority, [i for i in incidents if i.priority is priority and _counts(i)]) for priority in Priority
    )


def _counts(incident: Incident) -> bool:
    return incident.series.kind is not Kind.MONITOR and incident.condition is not Condition.UNKNOWN


def _response(priority: Priority, incidents: Sequence[Incident]) -> Response:
    over = [incident for incident in incidents if not incident.open]
    return Response(
        priority=priority,
        incidents=len(incidents),
        open=len(incidents) - len(over),
        detect=_mean([detected(incident) for incident in incidents]),
        recover=_mean([recovered(incident) for incident in over if incident.good_again]),
    )


def detected(incident: Incident) -> Between:
    """How long until it was known."""
    low = (incident.opened_at - incident.first_failure).total_seconds()
    high = (incident.opened_at - incident.good_before).total_seconds() if incident.good_before else None
    return Between(low_s=low, high_s=high)


def recovered(incident: Incident) -> Between:
    """How long it lasted."""
    assert incident.good_again
    low = (incident.last_failure - incident.first_failure).total_seconds()
    high = (incident.good_again - incident.good_before).total_seconds() if incident.good_before else None
    return Between(low_s=low, high_s=high)


def _mean(parts: Sequence[Between]) -> Between | None:
    if not parts:
        return None
    highs = [part.high_s for part in parts if part.high_s is not None]
    return Between(
        low_s=sum(part.low_s for part in parts) / len(parts),
        high_s=sum(highs) / len(highs) if len(highs) == len(parts) else None,
    )
