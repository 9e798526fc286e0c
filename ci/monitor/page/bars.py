"""A series' days as columns: what share of each was up, degraded, down, or not observed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ci.engine.svg import element, figure
from ci.engine.wording import span_in_words
from ci.monitor.day import Day, SeriesDay
from ci.monitor.figures import percent

HEIGHT = 34
PITCH = 5
"""Units from one column to the next; a column is one narrower."""
_LEAST = 4.0
"""Height of the shortest piece: a minute of a day must be seen, too."""
_FROM_ABOVE = ("down", "degraded", "maintenance", "unknown", "up")


@dataclass(frozen=True, slots=True)
class Column:
    """One day of one series: seconds by state. Nothing at all where it was not watched yet."""

    day: date
    seconds: dict[str, float]

    @classmethod
    def of(cls, day: Day, told: SeriesDay | None, *, watched: bool) -> Column:
        """`watched` says whether the series was known before this day: then a day without it is unknown."""
        if told is None:
            whole = (day.ends - day.begins).total_seconds()
            return cls(day.day, {"unknown": whole} if watched else {})
        seconds = {"down": told.down_s, "degraded": told.degraded_s, "maintenance": told.maintenance_s, "up": told.up_s}
        window = (day.ends - max(day.begins, told.since)).total_seconds()
        unknown = window - sum(seconds.values())
        # Less than a second is rounding, not blindness.
        return cls(day.day, {name: s for name, s in {**seconds, "unknown": unknown}.items() if s >= 1})

    @property
    def calm(self) -> bool:
        return set(self.seconds) <= {"up"}

    def __str__(self) -> str:
        if not self.seconds:
            return f"{self.day:%d %b %Y}: not watched yet"
        served = self.seconds.get("up", 0) + self.seconds.get("degraded", 0)
        observed = served + self.seconds.get("down", 0)
        uptime = [f"{percent(served / observed)} up of what was observed"] if observed else []
        rest = [
            f"{name} {span_in_words(timedelta(seconds=self.seconds[name]))}"
            for name in _FROM_ABOVE[:-1]
            if self.seconds.get(name)
        ]
        return f"{self.day:%d %b %Y}: " + ", ".join(uptime + rest)


def draw(columns: Sequence[Column], name: str, title: str) -> str:
    """The columns as an SVG element that may be stretched. `name` must be unique in the document."""
    shapes: dict[str, list[str]] = defaultdict(list)
    hints = []
    for place, column in enumerate(columns):
        x = place * PITCH
        for state, y, height in _pieces(column):
            shapes[state].append(f"M{x} {y:.4g}h{PITCH - 1}v{height:.4g}h-{PITCH - 1}z")
        if not column.calm:
            spot = element("rect", element("title", str(column)), x=x, y=0, width=PITCH, height=HEIGHT, class_="hint")
            hints.append(spot)
    parts = [element("path", d="".join(paths), class_=f"day {state}") for state, paths in shapes.items()]
    picture = figure(name, title, summary(columns), len(columns) * PITCH - 1, HEIGHT, parts + hints)
    return picture.replace("<svg ", '<svg preserveAspectRatio="none" ', 1)


def summary(columns: Iterable[Column]) -> str:
    """The columns in words."""
    watched = [column for column in columns if column.seconds]
    if not watched:
        return "Not watched yet."
    told = [f"{len(watched)} days watched, {sum(column.calm for column in watched)} of them up throughout"]
    counts = {state: sum(state in column.seconds for column in watched) for state in _FROM_ABOVE[:-1]}
    told += [f"{count} with some time {state}" for state, count in counts.items() if count]
    return "; ".join(told) + "."


def _pieces(column: Column) -> Iterable[tuple[str, float, float]]:
    """State, top and height of each piece, from above: the least for each, the rest by its share of the time."""
    if not column.seconds:
        return [("unwatched", HEIGHT - 3.0, 3.0)]
    total = sum(column.seconds.values())
    room = HEIGHT - _LEAST * len(column.seconds)
    pieces, y = [], 0.0
    for state in _FROM_ABOVE:
        if seconds := column.seconds.get(state):
            height = _LEAST + room * seconds / total
            pieces.append((state, y, height))
            y += height
    return pieces
