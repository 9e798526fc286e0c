"""Roll-ups of a history: those that are kept, and those that must be made from records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ci.errors import CannotRun
from ci.monitor.day import Day
from ci.monitor.facts import ProbeRecord
from ci.monitor.history import History
from ci.monitor.rollup import midnight, roll
from ci.monitor.rules import Rules

DAY = timedelta(days=1)
_STRAGGLERS = timedelta(hours=2)
"""A day is kept when it has been over for so long; what comes later still takes it away again."""
_RECENT = timedelta(days=2)
_AHEAD = timedelta(minutes=2)
"""How far a clock may be ahead of ours; what was written down by one that was further ahead has yet to come."""


@dataclass(frozen=True, slots=True)
class Chronicle:
    """A whole history, told day by day."""

    now: datetime
    days: tuple[Day, ...]
    """Every day since history began, the last one up to now; none for an empty history."""
    recent: tuple[ProbeRecord, ...]
    """The records of the last 48 hours."""
    corrupt: int
    """Lines that could not be read, among those that had to be."""


async def chronicle(history: History, rules: Rules, now: datetime, every_s: int) -> Chronicle:
    """Tell the history up to `now`; days that are over are kept for the next time. `every_s`: the usual interval."""
    days = _usable(await history.days(), rules)
    kept = len(days)
    begins = days[-1].ends.date() if days else await history.begins()
    lately = (now - _RECENT).date()
    recent: list[ProbeRecord] = []
    corrupt = 0
    for since, until in _months(min(begins, lately) if begins else lately, now.date() + DAY):
        reading = await history.read(since, until)
        corrupt += reading.corrupt
        records = tuple(record for record in reading.records if record.at <= now + _AHEAD)
        _tell(days, records, rules, min(now, _midnight_of(until)), every_s)
        recent += (record for record in records if record.at >= now - _RECENT)
    over = [day for day in days[kept:] if day.ends <= midnight(now) and now - day.ends >= _STRAGGLERS]
    if over:
        with suppress(CannotRun):  # whoever may only read makes them again the next time
            await history.keep(over)
    return Chronicle(now, tuple(days), tuple(recent), corrupt)


def _tell(days: list[Day], records: tuple[ProbeRecord, ...], rules: Rules, until: datetime, every_s: int) -> None:
    """Add the days that follow, up to `until`."""
    by_day = defaultdict(list)
    for record in records:
        by_day[record.slot.date()].append(record)
    before = days[-1] if days else None
    cursor = before.ends if before else min((record.slot for record in records), default=until)
    while cursor < until:
        ends = min(midnight(cursor) + DAY, until)
        before = roll(by_day[cursor.date()], rules, begins=cursor, ends=ends, every_s=every_s, before=before)
        days.append(before)
        cursor = ends


def _months(since: date, until: date) -> Iterator[tuple[date, date]]:
    """The span cut at the begins of months: a history is read one month at a time."""
    while since < until:
        end = min((since.replace(day=1) + 32 * DAY).replace(day=1), until)
        yield since, end
        since = end


def _midnight_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _usable(days: tuple[Day, ...], rules: Rules) -> list[Day]:
    """The days made by these rules, from the first one on without a gap."""
    usable: list[Day] = []
    for day in days:
        if day.rules != rules.digest or (usable and day.begins != usable[-1].ends):
            break
        usable.append(day)
    return usable
