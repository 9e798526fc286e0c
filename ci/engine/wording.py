"""Results in words, the same in the terminal and in every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from ci.model import CheckResult, Outcome, StageReport

OUTCOME_WORDS = {Outcome.FAIL: "failed", Outcome.ERROR: "undecided", Outcome.PASS: "passed", Outcome.SKIP: "skipped"}
"""What became of a check, in the order in which people want to know it."""


def outcome_counts(outcomes: Iterable[Outcome]) -> dict[Outcome, int]:
    """How many there are of each outcome; those that do not occur are left out."""
    counts = Counter(outcomes)
    return {outcome: counts[outcome] for outcome in OUTCOME_WORDS if counts[outcome]}


def counts_in_words(outcomes: Iterable[Outcome]) -> str:
    """As in `1 failed, 12 passed`."""
    told = [f"{count} {OUTCOME_WORDS[outcome]}" for outcome, count in outcome_counts(outcomes).items()]
    return ", ".join(told) or "nothing checked"


def stage_word(report: StageReport) -> str:
    """The stage's outcome in capitals, or that it was not run."""
    return "NOT RUN" if report.not_run else report.outcome.value.upper()


def stage_in_words(report: StageReport) -> str:
    """As in `1 failed, 12 passed`, or why the stage was not run; and what was left out."""
    if report.not_run:
        return report.not_run
    left_out = f"; left out: {report.left_out}" if report.left_out else ""
    return counts_in_words(result.outcome for result in report.results) + left_out


def result_in_words(result: CheckResult) -> Iterator[tuple[str, str]]:
    """A word in capitals and a message for the result; for a FAIL a pair for each finding."""
    name = result.spec.id
    if result.error:
        yield "ERROR", f"{name}: {result.error.kind}: {result.error.message}"
    elif result.skip_reason:
        yield "SKIP", f"{name}: {result.skip_reason}"
    elif result.findings:
        for finding in result.findings:
            place = f" ({finding.location})" if str(finding.location) else ""
            yield "FAIL", f"{name}: {finding.severity}: {finding.message}{place}"
    elif result.flaky:
        yield "FLAKY", f"{name}: passed at try {result.attempts}"
    else:
        yield "PASS", f"{name}: {result.spec.title}"


def seconds_in_words(seconds: float) -> str:
    """A duration for people: 0.42 s, 12.3 s, 2 min 05 s, 1 h 02 min."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def span_in_words(span: timedelta) -> str:
    """As in 40 s, 15 min, 1 h 30 min, 3 d 4 h: to the minute, and to the hour when it is longer than a day."""
    minutes = round(span / timedelta(minutes=1))
    if minutes < 1:
        return f"{span.total_seconds():.0f}\u00a0s"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h")] if days else [(hours, "h"), (minutes, "min")]
    return " ".join(f"{count}\u00a0{unit}" for count, unit in parts if count)
