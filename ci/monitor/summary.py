"""A round in Markdown, for the page of its workflow run."""

from __future__ import annotations

from collections.abc import Iterator

from ci.engine import gfm
from ci.monitor.episodes import episodes
from ci.monitor.facts import Condition, Kind, Round
from ci.monitor.overview import Overview

_ICONS = {Condition.UP: "🟢", Condition.DEGRADED: "🟡", Condition.DOWN: "🔴", Condition.UNKNOWN: "⚪"}
_WORST_FIRST = (Condition.DOWN, Condition.DEGRADED, Condition.UNKNOWN, Condition.UP)


def summary(made: Round, told: Overview) -> str:
    """What is not well first, then what is open, then the figures."""
    return "\n\n".join(_blocks(made, told)) + "\n"


def _blocks(made: Round, told: Overview) -> Iterator[str]:
    counts = {one: sum(record.outcome is one for record in made.records) for one in _WORST_FIRST}
    worst = next((condition for condition in _WORST_FIRST if counts[condition]), Condition.UNKNOWN)
    yield f"## {_ICONS[worst]} Round {gfm.code(made.id)}"
    yield ", ".join(f"{count} {condition}" for condition, count in counts.items() if count) or "nothing was probed"
    if unwell := sorted(
        (record for record in made.records if record.outcome is not Condition.UP),
        key=lambda record: _WORST_FIRST.index(record.outcome),
    ):
        rows = [
            f"| {_ICONS[one.outcome]} {one.outcome} | {gfm.code(str(one.series))} | {gfm.inline(one.detail)} |"
            for one in unwell
        ]
        yield "\n".join(["| | Target | Seen |", "| --- | --- | --- |", *rows])
    for episode in episodes(told.open):
        since = f"since {episode.began:%Y-%m-%d %H:%M} UTC"
        yield f"**Open: {episode.priority}** {gfm.inline(episode.title)}, {since}"
    for window, figures in told.figures.items():
        whole = (one for one in figures.values() if one.series.kind is Kind.ALL)
        yield from (f"{gfm.inline(one.series.environment)}, last {window}: {one}" for one in whole)
    if told.corrupt:
        yield f"{told.corrupt} lines of the history cannot be read; they were skipped."
