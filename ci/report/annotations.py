"""Workflow commands by which GitHub Actions shows findings at the lines of a change.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ci.engine.inert import one_line
from ci.model import Location, Release, StageReport, Verdict
from ci.report.digest import Digest, Standing, Tone

PER_LEVEL = 10
"""GitHub keeps no more annotations of one level from one step, and drops the others without a word."""
MESSAGE_LIMIT = 600

_LEVELS = {
    Standing.STANDS: "error",
    Standing.UNJUDGED: "warning",
    Standing.MINOR: "warning",
    Standing.WAIVED: "notice",
}
_VERDICT_LEVELS = {Tone.GO: "notice", Tone.NO_GO: "error", Tone.HOLD: "error"}


class Annotation(NamedTuple):
    """One line on the run's page, and in the diff where its file is part of it."""

    level: str
    title: str
    message: str
    location: Location = Location()

    def __str__(self) -> str:
        place = {"file": self.location.path, "line": self.location.line or 1} if self.location.path else {}
        properties = ",".join(
            f"{name}={_property(str(value))}" for name, value in {**place, "title": self.title}.items()
        )
        return f"::{self.level} {properties}::{_data(one_line(self.message, MESSAGE_LIMIT))}"


def of_problem(text: str) -> str:
    """What ended a command, a line each; `gonogo.yaml:12: …` is shown at that line."""
    told = []
    for line in filter(str.strip, text.splitlines()):
        found = re.match(r"([\w./-]+\.ya?ml):(\d+): ", line)
        location = Location(path=found[1], line=int(found[2])) if found else Location()
        told.append(Annotation("error", "Gonogo", line, location))
    return "".join(f"{annotation}\n" for annotation in _kept(told))


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """The headline, then what stands against a GO; what GitHub would drop is counted in a line of its own."""
    digest = Digest(reports, verdict, release)
    return "".join(f"{annotation}\n" for annotation in _kept(list(_annotations(digest))))


def _annotations(digest: Digest) -> Iterator[Annotation]:
    headline = digest.headline
    yield Annotation(_VERDICT_LEVELS[headline.tone], f"Gonogo: {headline.word}", headline.sentence)
    for entry in digest.failed:
        for finding in entry.result.findings:
            standing = digest.standing(finding)
            at = f" ({finding.location.url})" if finding.location.url else ""
            waived = f" [{standing}]" if standing is not Standing.STANDS else ""
            message = f"{finding.severity}: {finding.message}{at}{waived}"
            yield Annotation(_LEVELS[standing], finding.check_id, message, finding.location)
    for stage, reason in digest.empty_stages:
        yield Annotation("error", stage, f"could not be decided: {reason}")
    for entry in digest.errors:
        error = entry.result.error
        assert error is not None
        yield Annotation("error", entry.result.spec.id, f"could not be decided: {error.kind}: {error.message}")


def _kept(annotations: Sequence[Annotation]) -> Iterator[Annotation]:
    for level in ("error", "warning", "notice"):
        of_level = [annotation for annotation in annotations if annotation.level == level]
        if len(of_level) <= PER_LEVEL:
            yield from of_level
            continue
        yield from of_level[: PER_LEVEL - 1]
        left = len(of_level) - PER_LEVEL + 1
        yield Annotation(level, "Gonogo", f"{left} more of this kind stand in the run's summary and in report.html")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
