"""report.html: one file that needs nothing else, no network and no script."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup

from ci.engine.inert import printable
from ci.engine.wording import outcome_counts, seconds_in_words, stage_in_words
from ci.model import Plot, Release, StageReport, Verdict
from ci.report import plot, timeline
from ci.report.digest import (
    TONE_OF_OUTCOME,
    Digest,
    Standing,
    code_parts,
)
from ci.report.svg import number

_Draw = Callable[[str, int], str | None]
"""Draws a figure: its name and its width in, its SVG element out."""

WAIVER_DAYS = 30
"""How far ahead the proposed expiry of a waiver lies."""


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """The whole report. Its policy allows its own style sheet and nothing else (CSP Level 3)."""
    css = files("ci.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    digest = Digest(reports, verdict, release)
    template = _environment().get_template("report.html.j2")
    return template.render(
        digest=digest,
        css=Markup(css),  # noqa: S704 (our own file)
        css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        timeline=_two_widths(lambda name, width: timeline.draw(digest, name, width), "timeline"),
        plots=_plots(reports),
        waiver_end=_waiver_end(verdict),
        Standing=Standing,
    )


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ci.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        told=stage_in_words,
        outcomes=lambda report: outcome_counts(result.outcome for result in report.results),
        seconds=seconds_in_words,
        number=number,
        moment=_moment,
        clock=_clock,
        linkable=_linkable,
        prose=_prose,
        tone=lambda outcome: TONE_OF_OUTCOME[outcome],
    )
    return environment


def _inert(value: object) -> object:
    """Applied to every expression of the template, before it is escaped."""
    return value if isinstance(value, Markup | Undefined) else printable(str(value))


def _plots(reports: Sequence[StageReport]) -> list[tuple[str, str, Markup]]:
    """Title, description and picture of every plot."""
    return [
        (figure.title, plot.describe(figure), _two_widths(_drawer(figure), f"plot-{place}-{number_}"))
        for place, report in enumerate(reports, 1)
        for number_, figure in enumerate(report.plots, 1)
    ]


def _drawer(figure: Plot) -> _Draw:
    return lambda name, width: plot.draw(figure, name, width)


def _two_widths(draw: _Draw, name: str) -> Markup:
    """A figure for phones and one for larger screens: scaled down, letters could not be read."""
    narrow, wide = draw(f"{name}-narrow", plot.NARROW), draw(f"{name}-wide", plot.WIDE)
    if narrow is None or wide is None:
        return Markup()
    return Markup(f'<div class="narrow">{narrow}</div><div class="wide">{wide}</div>')  # noqa: S704 (svg.py escapes)


def _waiver_end(verdict: Verdict | None) -> date | None:
    return verdict.decided_at.date() + timedelta(days=WAIVER_DAYS) if verdict else None


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%d %B %Y, %H:%M:%S} UTC"


def _clock(value: datetime) -> str:
    return f"{value.astimezone(UTC):%H:%M:%S}"


def _linkable(text: str) -> bool:
    """Whether a text may become a link's address: web addresses alone, so that none can run a script."""
    return re.fullmatch(r"https?://[^\s<>\"']+", text) is not None


def _prose(text: str) -> Markup:
    """A message in which `words in backticks` are code, everything else escaped."""
    parts = code_parts(printable(text))
    return Markup("").join(Markup("<code>{}</code>").format(part) if is_code else part for is_code, part in parts)
