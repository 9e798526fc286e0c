"""All that a history tells, put together once for the command line, the alerts and the status page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci.config.shape.monitor import Monitor
from ci.config.shape.scalars import spelled
from ci.monitor.day import Day, Gap
from ci.monitor.days import DAY, Chronicle, chronicle
from ci.monitor.facts import Incident, Kind, ProbeRecord, Series
from ci.monitor.figures import Budget, Figures, Response, all_series, budget, figures, responses
from ci.monitor.history import History
from ci.monitor.rollup import midnight, roll, slot_of
from ci.monitor.rules import PRODUCTION, Rules

PRODUCTION_SERIES = Series(environment=PRODUCTION, target="all", kind=Kind.ALL)
WINDOWS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
_BURN = {"1h": timedelta(hours=1), "6h": timedelta(hours=6), "24h": DAY}


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to tell. Windows of whole days end now and begin at a midnight (UTC)."""

    now: datetime
    days: tuple[Day, ...]
    """Every day since history began, the last one up to now; none for an empty history."""
    recent: tuple[ProbeRecord, ...]
    """The records of the last 48 hours, by time."""
    corrupt: int
    incidents: tuple[Incident, ...]
    """The open ones first, then the closed ones, each the newest first."""
    figures: dict[str, dict[Series, Figures]]
    """By window (`24h`, `7d`, `30d`, `90d`) and series."""
    budget: Budget | None
    """Production's error budget; None when production was never observed."""
    responses: tuple[Response, ...]
    """By priority, of the incidents of the last 90 days."""
    gaps: tuple[Gap, ...]
    """Slots without a round in the last 90 days, joined across midnight."""

    @property
    def open(self) -> tuple[Incident, ...]:
        return tuple(incident for incident in self.incidents if incident.open)


async def overview(history: History, monitor: Monitor, now: datetime) -> Overview:
    """Read the history and tell it; keeps roll-ups of days that are over."""
    rules = Rules.of(monitor)
    every_s = int(monitor.interval.total_seconds())
    return told(await chronicle(history, rules, now, every_s), monitor)


def told(chronicle: Chronicle, monitor: Monitor) -> Overview:
    """The overview of a chronicle."""
    rules = Rules.of(monitor)
    days, now = chronicle.days, chronicle.now
    quarter = _since(days, WINDOWS["90d"])
    longer = {name: _figures(_since(days, long)) for name, long in WINDOWS.items() if name != "24h"}
    windows = {"24h": _figures(_latest(chronicle, rules, DAY)), **longer}
    closed = [incident for day in reversed(days) for incident in reversed(day.closed)]
    still_open = sorted(days[-1].open, key=lambda incident: incident.opened_at, reverse=True) if days else []
    lately = [incident for incident in closed if incident.opened_at >= now - WINDOWS["90d"]]
    return Overview(
        now=now,
        days=days,
        recent=chronicle.recent,
        corrupt=chronicle.corrupt,
        incidents=(*still_open, *closed),
        figures=windows,
        budget=_budget(chronicle, monitor, rules),
        responses=responses([*still_open, *lately]),
        gaps=_joined([gap for day in quarter for gap in day.gaps]),
    )


def _since(days: Sequence[Day], window: timedelta) -> Sequence[Day]:
    """The days of a window: the latest, and as many before it as make the window whole."""
    return [day for day in days if day.begins > midnight(days[-1].begins) - window]


def _latest(chronicle: Chronicle, rules: Rules, window: timedelta) -> Sequence[Day]:
    """The window to the slot, told from the recent records."""
    if not chronicle.days:
        return []
    every_s = chronicle.days[-1].every_s
    begins = slot_of(chronicle.now - window, every_s)
    before = next((day for day in reversed(chronicle.days) if day.ends <= begins), None)
    begins = max(begins, chronicle.days[0].begins)
    records = [record for record in chronicle.recent if record.slot >= begins]
    return [roll(records, rules, begins=begins, ends=chronicle.now, every_s=every_s, before=before)]


def _figures(days: Sequence[Day]) -> dict[Series, Figures]:
    made = {series: figures(series, days) for series in all_series(days)}
    return {series: one for series, one in made.items() if one}


def _budget(chronicle: Chronicle, monitor: Monitor, rules: Rules) -> Budget | None:
    objective = monitor.slo
    whole = figures(PRODUCTION_SERIES, _since(chronicle.days, objective.window))
    if whole is None:
        return None
    burn = {name: figures(PRODUCTION_SERIES, _latest(chronicle, rules, window)) for name, window in _BURN.items()}
    burn[spelled(objective.window)] = whole
    return budget(whole, objective.availability, objective.window, burn)


def _joined(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    joined: list[Gap] = []
    for gap in gaps:
        if joined and joined[-1].ends == gap.begins:
            last = joined.pop()
            gap = Gap(begins=last.begins, ends=gap.ends, slots=last.slots + gap.slots)
        joined.append(gap)
    return tuple(joined)
