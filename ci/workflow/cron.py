"""How often a schedule of GitHub Actions fires: POSIX cron's five fields, in UTC."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: n for n, name in enumerate(_MONTHS, 1)}
DAYS = {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
SUNDAY_AGAIN = 7
"""cron's second name for day 0."""
SAMPLE = range(2025, 2029)
"""Four years, one of them a leap year: what an average month is taken over."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule: the sets of minutes, hours, days of the month, months, and days of the week (0 is Sunday)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Both kinds of days are restricted: POSIX then lets a day fit when either of them does."""

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read the five fields. Raises ValueError that says which one is not understood."""
        fields = text.lower().split()
        if len(fields) != 5:
            raise ValueError(f"the schedule {text!r} has {len(fields)} fields; wanted: minute hour day month weekday")
        minute, hour, day, month, weekday = fields
        return cls(
            minutes=_field(minute, 0, 59),
            hours=_field(hour, 0, 23),
            days=_field(day, 1, 31),
            months=_field(month, 1, 12, MONTHS),
            weekdays=frozenset(n % SUNDAY_AGAIN for n in _field(weekday, 0, SUNDAY_AGAIN, DAYS)),
            either_day=not (day.startswith("*") or weekday.startswith("*")),
        )

    def fires_on(self, day: date) -> bool:
        """Whether it fires at all on this day."""
        of_month, of_week = day.day in self.days, day.isoweekday() % SUNDAY_AGAIN in self.weekdays
        fits = of_month or of_week if self.either_day else of_month and of_week
        return fits and day.month in self.months

    @property
    def per_month(self) -> float:
        """How often it fires in an average month."""
        months = [(year, month) for year in SAMPLE for month in range(1, 13)]
        days = sum(
            self.fires_on(date(year, month, day))
            for year, month in months
            for day in range(1, monthrange(year, month)[1] + 1)
        )
        return days * len(self.minutes) * len(self.hours) / len(months)


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    chosen: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        try:
            start = low if first == "*" else _number(first, names)
            end = high if first == "*" or (step and not dash) else _number(last, names) if dash else start
            stride = int(step) if step else 1
        except ValueError:
            raise ValueError(f"{item!r} in a schedule is not understood; wanted: numbers, *, lists, a-b, */n") from None
        if not (low <= start <= end <= high and stride > 0):
            raise ValueError(f"{item!r} in a schedule is outside {low} to {high}")
        chosen.update(range(start, end + 1, stride))
    return frozenset(chosen)


def _number(text: str, names: dict[str, int] | None) -> int:
    return names[text] if names and text in names else int(text)
