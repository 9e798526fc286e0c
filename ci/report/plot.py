"""Lines over a common axis as SVG: axes, ticks, limits and a legend, drawn for one width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci.engine.svg import apart, cut, element, figure, number, text, text_width, ticks
from ci.model import Measure, Plot, Series

NARROW = 340
"""Width for a phone, in CSS pixels, so that the letters keep their size there."""
WIDE = 860
_SIZE = 12
_ROOM_FOR_LIMITS = 4
"""A limit further away than so many times the largest value is told in words, or it would flatten the lines."""

_LARGEST = 1e15
"""Nothing measured is larger; what is, or is no number at all, is left out."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to units of the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw(plot: Plot, name: str, width: int) -> str:
    """The plot as an SVG element. `name` must be unique in the document."""
    drawn = [(series.name, points) for series, points in _with_points(plot)]
    everything = [point for _, points in drawn for point in points]
    if not everything:
        empty = text(width / 2, 34, "nothing was measured", class_="faint", text_anchor="middle")
        return figure(name, plot.title, "Nothing was measured.", width, 60, [empty])
    near, far = _limits(plot.limits, max(y for _, y in everything))
    bands = {index: band for index, (series, _) in enumerate(_with_points(plot)) if (band := _band(series))}
    return _Drawing(plot, name, width, drawn, near, far, bands).svg()


def describe(plot: Plot) -> str:
    """The plot in words."""
    told = []
    for series in plot.series:
        values = [y for _, y in _drawable(series)]
        if values:
            told.append(f"{series.name} from {number(min(values))} to {number(max(values))}, last {number(values[-1])}")
    limits = [_in_words(limit) for limit in plot.limits]
    moments = [_moment_in_words(moment) for moment in plot.moments]
    return f"{plot.y_label} over {plot.x_label}: " + "; ".join(told + limits + moments) + "."


def thinned(points: Points, columns: int) -> Points:
    """At most four points a column: its first, lowest, highest and last, so that no peak gets lost."""
    if len(points) <= 4 * columns:
        return points
    low, high = points[0][0], points[-1][0]
    groups: dict[int, Points] = {}
    for point in points:
        share = (point[0] - low) / (high - low) if high > low else 0
        groups.setdefault(int(share * columns), []).append(point)
    kept: Points = []
    for group in groups.values():
        extremes = {group[0], min(group, key=lambda p: p[1]), max(group, key=lambda p: p[1]), group[-1]}
        kept += sorted(extremes)
    return kept


def _with_points(plot: Plot) -> list[tuple[Series, Points]]:
    return [(series, points) for series in plot.series if (points := _drawable(series))]


def _drawable(series: Series) -> Points:
    return [point for point in series.points if all(abs(value) < _LARGEST for value in point)]


def _band(series: Series) -> list[tuple[float, float, float]]:
    return [place for place in series.band if all(abs(value) < _LARGEST for value in place)]


def _moment_in_words(moment: Measure) -> str:
    return f"{moment.name} at {number(moment.value)} {moment.unit}"


def _in_words(limit: Measure) -> str:
    return f"limit: {limit.name} {number(limit.value)} {limit.unit}"


def _settled(band: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """The later part: at its beginning a band is as wide as can be, and the axis is not made for that."""
    return band[len(band) // 4 :]


def _limits(limits: Sequence[Measure], largest: float) -> tuple[list[Measure], list[Measure]]:
    finite = [limit for limit in limits if abs(limit.value) < _LARGEST]
    near = [limit for limit in finite if limit.value <= _ROOM_FOR_LIMITS * max(largest, 0)]
    return near, [limit for limit in finite if limit not in near]


class _Drawing:
    def __init__(
        self,
        plot: Plot,
        name: str,
        width: int,
        lines: list[tuple[str, Points]],
        limits: list[Measure],
        far_limits: list[Measure],
        bands: dict[int, list[tuple[float, float, float]]],
    ) -> None:
        self._plot, self._name, self._width, self._lines, self._limits = plot, name, width, lines, limits
        self._far, self._bands = far_limits, bands
        xs = [x for _, points in lines for x, _ in points]
        self._moments = [moment for moment in plot.moments if min(xs) <= moment.value <= max(xs)]
        ys = [y for _, points in lines for _, y in points] + [limit.value for limit in limits]
        ys += [end for band in bands.values() for _, *ends in _settled(band) for end in ends]
        self._y_ticks = ticks(min(0.0, *ys), max(ys), 5)
        self._legend_rows = list(self._legend_layout())
        left = 14 + max(text_width(number(tick), _SIZE) for tick in self._y_ticks)
        self._top = 30 + 20 * len(self._legend_rows)
        self._bottom = self._top + (190 if width <= NARROW else 230)
        self._x_ticks = [t for t in ticks(min(xs), max(xs), 5 if width <= NARROW else 9) if min(xs) <= t <= max(xs)]
        self._x = _Scale(min(xs), apart(min(xs), max(xs)), left, width - 14)
        self._y = _Scale(self._y_ticks[0], self._y_ticks[-1], self._bottom, self._top)

    def svg(self) -> str:
        parts = [
            *self._legend(),
            *self._axes(),
            *self._band_shapes(),
            *self._limit_lines(),
            *self._marks(),
            *self._series(),
        ]
        return figure(self._name, self._plot.title, describe(self._plot), self._width, self._bottom + 46, parts)

    def _legend_layout(self) -> Iterator[list[tuple[str, str]]]:
        """Style and words of each entry, in rows that fit the width. No words stand among the lines."""
        entries = [(f"line s{index % 6}", label) for index, (label, _) in enumerate(self._lines)]
        entries += [("limit", _in_words(limit)) for limit in self._limits]
        entries += [("limit", f"{_in_words(limit)}, above the plot") for limit in self._far]
        entries += [("mark", _moment_in_words(moment)) for moment in self._moments]
        row: list[tuple[str, str]] = []
        used = 0.0
        for style, label in entries:
            fitting = cut(label, _SIZE, self._width - 50)
            needed = 46 + text_width(fitting, _SIZE)
            if row and used + needed > self._width:
                yield row
                row, used = [], 0.0
            row.append((style, fitting))
            used += needed
        yield row

    def _legend(self) -> Iterator[str]:
        for number_of_row, row in enumerate(self._legend_rows):
            x, y = 4.0, 14 + 20 * number_of_row
            for style, label in row:
                yield element("line", x1=x, x2=x + 24, y1=y - 4, y2=y - 4, class_=style)
                yield text(x + 30, y, label)
                x += 46 + text_width(label, _SIZE)

    def _axes(self) -> Iterator[str]:
        left, right = self._x.start, self._x.end
        yield text(4, self._top - 10, cut(self._plot.y_label, _SIZE, self._width - 8), class_="faint")
        for tick in self._y_ticks:
            y = self._y(tick)
            yield element("line", x1=left, x2=right, y1=y, y2=y, class_="grid" if tick else "axis")
            yield text(left - 6, y + 4, number(tick), class_="faint", text_anchor="end")
        yield element("line", x1=left, x2=right, y1=self._bottom, y2=self._bottom, class_="axis")
        for tick in self._x_ticks:
            x = self._x(tick)
            yield element("line", x1=x, x2=x, y1=self._bottom, y2=self._bottom + 5, class_="axis")
            yield text(x, self._bottom + 19, number(tick), class_="faint", text_anchor="middle")
        label = cut(self._plot.x_label, _SIZE, right - left)
        yield text((left + right) / 2, self._bottom + 38, label, class_="faint", text_anchor="middle")

    def _limit_lines(self) -> Iterator[str]:
        for limit in self._limits:
            y = self._y(limit.value)
            yield element("line", x1=self._x.start, x2=self._x.end, y1=y, y2=y, class_="limit")

    def _marks(self) -> Iterator[str]:
        for moment in self._moments:
            x = self._x(moment.value)
            yield element("line", x1=x, x2=x, y1=self._top, y2=self._bottom, class_="mark")

    def _band_shapes(self) -> Iterator[str]:
        """Filled between the ends; what lies beyond the axis is cut off there, so that it does not flatten the rest."""
        low, high = self._y.low, self._y.high
        for index, band in self._bands.items():
            upper = [(x, min(max(end, low), high)) for x, _, end in band]
            lower = [(x, min(max(start, low), high)) for x, start, _ in reversed(band)]
            shape = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in upper + lower)
            yield element("polygon", points=shape, class_=f"band s{index % 6}")

    def _series(self) -> Iterator[str]:
        columns = int(self._x.end - self._x.start)
        for index, (_, points) in enumerate(self._lines):
            places = [(self._x(x), self._y(y)) for x, y in thinned(points, columns)]
            if len(places) == 1:
                yield element("circle", cx=places[0][0], cy=places[0][1], r=3.5, class_=f"dot s{index % 6}")
                continue
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield element("polyline", points=path, class_=f"line s{index % 6}")
