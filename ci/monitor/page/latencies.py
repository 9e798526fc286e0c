"""Response times over time, with a gap wherever nothing was measured. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ci.engine.svg import cut, element, figure, number, text, text_width, ticks

NARROW, WIDE = 340, 860
"""Widths for a phone and for larger screens, in CSS pixels, so that letters keep their size."""
_SIZE = 12
_HEIGHT = 180
_STEPS = tuple(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 24 * 7, 24 * 14, 24 * 30, 24 * 90))

Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Chart:
    """Milliseconds over time. Two points further apart than `gap` are not joined."""

    title: str
    begins: datetime
    ends: datetime
    lines: Sequence[Line]
    gap: timedelta
    limit_ms: float | None = None
    """What still satisfies."""

    @property
    def empty(self) -> bool:
        return not any(line.points for line in self.lines)

    def __str__(self) -> str:
        measured = [(line.name, [value for _, value in line.points]) for line in self.lines if line.points]
        told = [
            f"{name} from {number(min(values))} to {number(max(values))} ms, last {number(values[-1])}"
            for name, values in measured
        ]
        return ("; ".join(told) or "nothing was measured").capitalize() + "."


def draw(chart: Chart, name: str, width: int) -> str:
    """The chart as an SVG element. `name` must be unique in the document."""
    values = [value for line in chart.lines for _, value in line.points]
    if not values:
        empty = text(width / 2, 34, "nothing was measured", class_="faint", text_anchor="middle")
        return figure(name, chart.title, "Nothing was measured.", width, 60, [empty])
    return _Drawing(chart, name, width, max(values)).svg()


class _Drawing:
    def __init__(self, chart: Chart, name: str, width: int, largest: float) -> None:
        self._chart, self._name, self._width = chart, name, width
        near = chart.limit_ms if chart.limit_ms and chart.limit_ms <= 2 * largest else None
        self._limit = near
        self._y_ticks = ticks(0.0, max(largest, near or 0.0), 4)
        self._left = 14 + max(text_width(number(tick), _SIZE) for tick in self._y_ticks)
        self._right = width - 10.0
        self._top = 44.0 if len(chart.lines) > 1 else 24.0
        self._bottom = self._top + _HEIGHT

    def svg(self) -> str:
        parts = [*self._legend(), *self._values(), *self._times(), *self._limits(), *self._lines()]
        return figure(self._name, self._chart.title, str(self._chart), self._width, self._bottom + 28, parts)

    def _x(self, at: datetime) -> float:
        share = (at - self._chart.begins) / (self._chart.ends - self._chart.begins)
        return self._left + share * (self._right - self._left)

    def _y(self, value: float) -> float:
        return self._bottom - value / self._y_ticks[-1] * (self._bottom - self._top)

    def _legend(self) -> Iterator[str]:
        yield text(4, self._top - 12, "milliseconds", class_="faint")
        if len(self._chart.lines) == 1:  # the title names it
            return
        x = 4.0
        room = (self._width - 8) / len(self._chart.lines)
        for place, line in enumerate(self._chart.lines):
            label = cut(line.name, _SIZE, max(40.0, room - 34))
            yield element("line", x1=x, x2=x + 20, y1=10, y2=10, class_=f"line s{place}")
            yield text(x + 25, 14, label)
            x += 37 + text_width(label, _SIZE)

    def _values(self) -> Iterator[str]:
        for tick in self._y_ticks:
            y = self._y(tick)
            yield element("line", x1=self._left, x2=self._right, y1=y, y2=y, class_="grid" if tick else "axis")
            yield text(self._left - 6, y + 4, number(tick), class_="faint", text_anchor="end")

    def _times(self) -> Iterator[str]:
        span = self._chart.ends - self._chart.begins
        wanted = 4 if self._width <= NARROW else 8
        step = next((step for step in _STEPS if span / step <= wanted), _STEPS[-1])
        day = datetime(1970, 1, 1, tzinfo=UTC)
        at = day + math.ceil((self._chart.begins - day) / step) * step
        while at <= self._chart.ends:
            x = self._x(at)
            label = f"{at:%d %b}" if step >= timedelta(days=1) or not at.hour else f"{at:%H:%M}"
            half = text_width(label, _SIZE) / 2
            yield element("line", x1=x, x2=x, y1=self._bottom, y2=self._bottom + 5, class_="axis")
            if self._left - 10 <= x - half and x + half <= self._width:
                yield text(x, self._bottom + 19, label, class_="faint", text_anchor="middle")
            at += step

    def _limits(self) -> Iterator[str]:
        if self._limit:
            y = self._y(self._limit)
            yield element("line", x1=self._left, x2=self._right, y1=y, y2=y, class_="limit")
            label = f"target {number(self._limit)} ms"
            yield text(self._right, self._top - 12, label, class_="faint", text_anchor="end")

    def _lines(self) -> Iterator[str]:
        for place, line in enumerate(self._chart.lines):
            for run in _runs(line.points, self._chart.gap):
                places = [(self._x(at), self._y(value)) for at, value in run]
                if len(places) == 1:
                    yield element("circle", cx=places[0][0], cy=places[0][1], r=2.5, class_=f"dot s{place}")
                    continue
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
                yield element("polyline", points=path, class_=f"line s{place}")


def _runs(points: Sequence[Point], gap: timedelta) -> Iterator[list[Point]]:
    """The points in pieces that may be joined."""
    run: list[Point] = []
    for point in points:
        if run and point[0] - run[-1][0] > gap:
            yield run
            run = []
        run.append(point)
    if run:
        yield run
