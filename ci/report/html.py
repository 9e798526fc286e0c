"""report.html: one file that needs nothing else, no network and no script."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from jinja2 import Environment
from markupsafe import Markup

from ci.engine import webpage
from ci.engine.gfm import code_parts
from ci.engine.inert import printable
from ci.engine.wording import outcome_counts, stage_in_words
from ci.model import Plot, Release, StageReport, Verdict
from ci.report import plot, timeline
from ci.report.digest import TONE_OF_OUTCOME, Digest, Standing

_PACKAGE = "ci.report"

WAIVER_DAYS = 30
"""How far ahead the proposed expiry of a waiver lies."""


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """The whole report."""
    css, css_hash = webpage.stylesheet(_PACKAGE, "report.css")
    digest = Digest(reports, verdict, release)
    template = _environment().get_template("report.html.j2")
    return template.render(
        digest=digest,
        css=css,
        css_hash=css_hash,
        timeline=_figure(lambda name, width: timeline.draw(digest, name, width), "timeline"),
        plots=_plots(reports),
        waiver_end=_waiver_end(verdict),
        Standing=Standing,
    )


@functools.cache
def _environment() -> Environment:
    environment = webpage.environment(_PACKAGE)
    environment.filters.update(
        told=stage_in_words,
        outcomes=lambda report: outcome_counts(result.outcome for result in report.results),
        clock=_clock,
        linkable=_linkable,
        prose=_prose,
        tone=lambda outcome: TONE_OF_OUTCOME[outcome],
    )
    return environment


def _plots(reports: Sequence[StageReport]) -> list[tuple[str, str, Markup]]:
    """Title, description and picture of every plot."""
    return [
        (figure.title, plot.describe(figure), _figure(_drawer(figure), f"plot-{place}-{number_}"))
        for place, report in enumerate(reports, 1)
        for number_, figure in enumerate(report.plots, 1)
    ]


def _drawer(figure: Plot) -> webpage.Draw:
    return lambda name, width: plot.draw(figure, name, width)


def _figure(draw: webpage.Draw, name: str) -> Markup:
    return webpage.two_widths(draw, name, plot.NARROW, plot.WIDE)


def _waiver_end(verdict: Verdict | None) -> date | None:
    return verdict.decided_at.date() + timedelta(days=WAIVER_DAYS) if verdict else None


def _clock(value: datetime) -> str:
    return f"{value.astimezone(UTC):%H:%M:%S}"


def _linkable(text: str) -> bool:
    """Whether a text may become a link's address: web addresses alone, so that none can run a script."""
    return re.fullmatch(r"https?://[^\s<>\"']+", text) is not None


def _prose(text: str) -> Markup:
    """A message in which `words in backticks` are code, everything else escaped."""
    parts = code_parts(printable(text))
    return Markup("").join(Markup("<code>{}</code>").format(part) if is_code else part for is_code, part in parts)
