"""A round and the figures in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ci.engine.wording import seconds_in_words
from ci.monitor.facts import Condition, Incident, Kind, Round, Series
from ci.monitor.figures import Between, Figures, percent
from ci.monitor.overview import Overview

_WORDS = {Condition.UP: "UP", Condition.DEGRADED: "DEGRADED", Condition.DOWN: "DOWN", Condition.UNKNOWN: "UNKNOWN"}
_GAPS_SHOWN = 10


def round_in_words(made: Round, *, verbose: bool) -> str:
    """What is not well, or everything; then the sum."""
    shown = [record for record in made.records if verbose or record.outcome is not Condition.UP]
    lines = [
        f"{_WORDS[record.outcome]:8}  {named(record.series)}: {record.detail}"
        + (f" (maintenance: {record.maintenance})" if record.maintenance else "")
        for record in shown
    ]
    counts = {condition: sum(record.outcome is condition for record in made.records) for condition in Condition}
    total = ", ".join(f"{count} {condition}" for condition, count in counts.items() if count)
    lasted = seconds_in_words((made.finished_at - made.started_at).total_seconds())
    return "\n".join([*lines, f"round {made.id}: {total} ({lasted})"])


def figures_in_words(told: Overview) -> str:
    """Everything that is known, with how much of the time it is known for."""
    if not told.days:
        return "the history is empty: run `gonogo monitor run` first"
    return "\n".join(line for part in _parts(told) for line in (*part, "")).rstrip()


def _parts(told: Overview) -> Iterator[list[str]]:
    for window, figures in told.figures.items():
        whole = [one for one in figures.values() if one.series.kind is Kind.ALL]
        single = [one for one in figures.values() if one.series.kind.serves]
        yield [f"last {window}", *(line for one in (*whole, *single) for line in _figures(one))]
    if told.budget:
        budget = told.budget
        burn = ", ".join(f"{name} {rate:.1f}" for name, rate in budget.burn.items() if rate is not None)
        yield [
            f"error budget: {budget.left:.0%} left of {seconds_in_words(budget.allowed_s)} "
            f"({budget.left_at_worst:.0%} if all that was not observed was down); burn rate: {burn or 'unknown'}"
        ]
    yield ["incidents of the last 90 days", *(line for line in _responses(told))]
    if told.open:
        yield ["open now", *(incident_in_words(incident) for incident in told.open)]
    if told.gaps:
        slots = sum(gap.slots for gap in told.gaps)
        shown = [
            f"  {gap.begins:%Y-%m-%d %H:%M} to {gap.ends:%Y-%m-%d %H:%M} UTC: {gap.slots}"
            for gap in told.gaps[-_GAPS_SHOWN:]
        ]
        yield [f"missed rounds: {slots} in {len(told.gaps)} gaps; the latest:", *shown]
    if told.corrupt:
        yield [f"{told.corrupt} lines of the history cannot be read; they were skipped, and what they told is unknown"]


def named(series: Series) -> str:
    """As in `production page /login`."""
    if series.kind is Kind.ALL:
        return f"{series.environment} as a whole"
    return " ".join(part for part in (series.environment, series.kind.value, series.target) if part)


def _figures(one: Figures) -> list[str]:
    latencies = [
        f"{name} {value:.0f} ms"
        for name, value in (("p50", one.p50_ms), ("p95", one.p95_ms), ("p99", one.p99_ms))
        if value is not None
    ]
    rest = [*latencies]
    if one.error_rate is not None:
        rest.append(f"errors {percent(one.error_rate)}")
    if one.apdex is not None:
        rest.append(f"Apdex {one.apdex:.2f}")
    if one.degraded_s and one.observed_s:
        rest.append(f"degraded {percent(one.degraded_s / one.observed_s)}")
    return [f"  {named(one.series)}: {one}", *([f"    {' · '.join(rest)}"] if rest else [])]


def _responses(told: Overview) -> Iterator[str]:
    for response in told.responses:
        if not response.incidents:
            yield f"  {response.priority}: none"
            continue
        detect, recover = _between(response.detect), _between(response.recover)
        yield (
            f"  {response.priority}: {response.incidents} ({response.open} open), to be answered within "
            f"{seconds_in_words(response.priority.respond_within.total_seconds())}; "
            f"mean time to detect {detect}, to recover {recover}"
        )


def _between(mean: Between | None) -> str:
    if mean is None:
        return "unknown"
    if mean.high_s is None:
        return f"at least {seconds_in_words(mean.low_s)}"
    return f"{seconds_in_words(mean.low_s)} to {seconds_in_words(mean.high_s)}"


def incident_in_words(incident: Incident) -> str:
    """One line."""
    cause = f"; likely cause: {incident.cause}" if incident.cause else ""
    flapping = ", flapping" if incident.flapping else ""
    return (
        f"  {incident.priority} {incident.title} since {incident.first_failure:%Y-%m-%d %H:%M} UTC{flapping}: "
        f"{incident.evidence[-1] if incident.evidence else ''}{cause}"
    )
