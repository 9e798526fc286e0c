"""What each way of probing costs in minutes of GitHub Actions, and how soon it notices an outage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

MONTH = timedelta(days=30)
FREE_MINUTES = {"Free": 2_000, "Pro and Team": 3_000, "Enterprise": 50_000}
"""Minutes a month that private repositories have by plan; public ones pay nothing (GitHub Docs, billing)."""
DOLLARS_PER_MINUTE = 0.006
"""A Linux runner with two cores."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A schedule, and how long each of its jobs goes on."""

    schedule: timedelta
    """Between the begins of two jobs."""
    job: timedelta
    """How long one job lasts; each is charged in whole minutes."""
    every: timedelta
    """Between two rounds within a job."""
    open_after: int

    @property
    def name(self) -> str:
        if self.every >= self.schedule:
            return f"one round every {_minutes(self.schedule)}"
        lasts = self.job // timedelta(minutes=1)
        return f"every {_minutes(self.schedule)}, --for {lasts}m --every {self.every.total_seconds():g}s"

    @property
    def minutes_a_month(self) -> int:
        return int(MONTH / self.schedule) * max(1, ceil(self.job / timedelta(minutes=1)))

    @property
    def noticed_after(self) -> timedelta:
        """At the latest, when no round is late: an outage begins just after a good round."""
        return min(self.every, self.schedule) * self.open_after

    def dollars_beyond(self, free: int) -> float:
        """A month's price of the minutes beyond those that are free."""
        return max(0, self.minutes_a_month - free) * DOLLARS_PER_MINUTE


def choices(interval: timedelta, open_after: int, round_lasts: timedelta = timedelta(seconds=40)) -> list[Choice]:
    """The configured schedule first, then others to compare it with. A job's set-up is part of `round_lasts`."""
    schedules = dict.fromkeys([interval, *(timedelta(minutes=m) for m in (5, 15, 30, 60))])
    single = [Choice(schedule, round_lasts, schedule, open_after) for schedule in schedules]
    nearly = max(interval, timedelta(minutes=15))
    filled = nearly - timedelta(minutes=1) + round_lasts
    return [*single, Choice(nearly, filled, timedelta(minutes=1), open_after)]


def table(all_choices: list[Choice]) -> str:
    """The choices side by side, for a terminal."""
    rows = [("choice", "minutes/month", "of Free's 2,000", "beyond Free", "noticed within")]
    for choice in all_choices:
        minutes = choice.minutes_a_month
        rows.append(
            (
                choice.name,
                f"{minutes:,}",
                f"{minutes / FREE_MINUTES['Free']:.0%}",
                f"${choice.dollars_beyond(FREE_MINUTES['Free']):,.2f}",
                _minutes(choice.noticed_after),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_placed(row, widths)).rstrip() for row in rows]
    others = ", ".join(f"{plan} {minutes:,}" for plan, minutes in FREE_MINUTES.items())
    return "\n".join(
        [
            *lines,
            f"Private repositories: a job is charged in whole minutes, beyond the plan's at ${DOLLARS_PER_MINUTE} each "
            f"(free a month: {others}). Public repositories: free.",
            "Scheduled jobs are often late or dropped; `noticed within` is without that.",
        ]
    )


def _placed(row: tuple[str, ...], widths: list[int]) -> list[str]:
    first, *rest = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]


def _minutes(value: timedelta) -> str:
    return f"{value / timedelta(minutes=1):g} min"
