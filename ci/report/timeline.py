"""When each stage and each phase of the release ran, as an SVG Gantt chart drawn for one width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from ci.engine.svg import cut, element, figure, text, text_width, ticks
from ci.engine.wording import seconds_in_words
from ci.model import Event
from ci.report.digest import TONE_OF_OUTCOME, Digest
from ci.report.plot import NARROW

_SIZE = 12
_ROW = 26
_BAR = 14
_MIN_BAR = 3.0
"""Units: what lasted no time at all is still seen."""


@dataclass(frozen=True, slots=True)
class Span:
    """One bar: what ran, when, and how it ended in a word and a tone (none for a phase of the release)."""

    name: str
    start: datetime
    finish: datetime
    word: str = ""
    tone: str = "phase"
    moments: tuple[datetime, ...] = ()

    @property
    def seconds(self) -> float:
        return (self.finish - self.start).total_seconds()


def spans(digest: Digest) -> list[Span]:
    """The stages, and the phases of the release, in the order of their start."""
    stages = [
        Span(
            name=report.stage,
            start=report.started_at,
            finish=report.finished_at,
            word="not run" if report.not_run else report.outcome.value,
            tone=TONE_OF_OUTCOME[report.outcome],
        )
        for report in digest.reports
    ]
    events = digest.release.events if digest.release else ()
    return sorted([*stages, *_phases(events)], key=lambda span: (span.start, span.finish))


def _phases(events: tuple[Event, ...]) -> Iterator[Span]:
    """Neighbouring events of one phase are one bar, which lasts until the next phase begins."""
    groups: list[list[Event]] = []
    for event in sorted(events, key=lambda event: event.at):
        if groups and groups[-1][0].phase == event.phase:
            groups[-1].append(event)
        else:
            groups.append([event])
    for group, following in zip_longest(groups, groups[1:]):
        finish = following[0].at if following else group[-1].at
        yield Span(f"release: {group[0].phase}", group[0].at, finish, moments=tuple(event.at for event in group))


def draw(digest: Digest, name: str, width: int) -> str | None:
    """The chart as an SVG element, or nothing when nothing ran. `name` must be unique in the document."""
    rows = spans(digest)
    if not rows:
        return None
    return _Chart(rows, name, width).svg()


class _Chart:
    def __init__(self, rows: list[Span], name: str, width: int) -> None:
        self._rows, self._name, self._width = rows, name, width
        self._narrow = width <= NARROW
        self._begin = min(row.start for row in rows)
        lasted = (max(row.finish for row in rows) - self._begin).total_seconds()
        marks = ticks(0, max(lasted, 0.001), 4 if self._narrow else 8)
        self._whole = lasted or 1.0
        self._marks = [mark for mark in marks if mark <= self._whole]
        names = 0.0 if self._narrow else min(220.0, 16 + max(text_width(row.name, _SIZE) for row in rows))
        self._left, self._right = names + 8, width - (12.0 if self._narrow else 104.0)
        self._row = _ROW + 16 if self._narrow else _ROW
        self._bottom = 8 + self._row * len(rows)

    def svg(self) -> str:
        parts = [*self._axis(), *(part for place, row in enumerate(self._rows) for part in self._bar(place, row))]
        told = "; ".join(
            f"{row.name} from {seconds_in_words(self._since(row.start))} for {seconds_in_words(row.seconds)}"
            + (f", {row.word}" if row.word else "")
            for row in self._rows
        )
        return figure(self._name, "Timeline of the run", told + ".", self._width, self._bottom + 30, parts)

    def _axis(self) -> Iterator[str]:
        for place, mark in enumerate(self._marks):
            x = self._place(mark)
            anchor = "start" if place == 0 else "middle" if x < self._right - 16 else "end"
            yield element("line", x1=x, x2=x, y1=6, y2=self._bottom + 4, class_="grid")
            yield text(x, self._bottom + 20, _mark(mark), class_="faint", text_anchor=anchor)

    def _bar(self, place: int, row: Span) -> Iterator[str]:
        top = 8 + place * self._row + (16 if self._narrow else 0)
        start = self._place(self._since(row.start))
        width = max(_MIN_BAR, self._place(self._since(row.finish)) - start)
        lasted = seconds_in_words(row.seconds) if row.seconds else ""
        told = " ".join(filter(None, (lasted, row.word)))
        if self._narrow:
            room = self._width - 16
            yield text(self._left, top - 3, cut(" · ".join(filter(None, (row.name, told))), _SIZE, room))
        else:
            yield text(self._left - 14, top + 12, cut(row.name, _SIZE, self._left - 16), text_anchor="end")
            yield text(start + width + 7, top + 12, told, class_="faint")
        yield element("rect", x=start, y=top, width=width, height=_BAR, rx=3, class_=f"bar {row.tone}")
        for moment in row.moments:
            yield element("circle", cx=self._place(self._since(moment)), cy=top + _BAR / 2, r=2.5, class_="moment")

    def _since(self, moment: datetime) -> float:
        return (moment - self._begin).total_seconds()

    def _place(self, seconds: float) -> float:
        return self._left + seconds / self._whole * (self._right - self._left)


def _mark(seconds: float) -> str:
    if seconds >= 3600 and seconds % 60 == 0:
        return f"{seconds / 3600:g} h"
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"
