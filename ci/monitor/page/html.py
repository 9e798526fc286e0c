"""index.html: the status page for people. Pure."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

from jinja2 import Environment
from markupsafe import Markup

from ci.engine import webpage
from ci.engine.wording import span_in_words
from ci.monitor.facts import Kind, Priority
from ci.monitor.figures import Between, percent
from ci.monitor.page import bars, latencies
from ci.monitor.page.latencies import Chart
from ci.monitor.page.states import State
from ci.monitor.page.view import GAPS_SHOWN, INCIDENTS_SHOWN, Part, StatusPage

_PACKAGE = "ci.monitor.page"

KINDS = {
    Kind.PAGE: "Page",
    Kind.API: "API",
    Kind.HEALTH: "Health",
    Kind.SERVICE: "Service",
    Kind.DNS: "DNS",
    Kind.REDIRECT: "Redirect",
    Kind.HEADERS: "Headers",
    Kind.CERTIFICATE: "Certificate",
    Kind.DOMAIN: "Domain registration",
    Kind.VENDOR: "Vendor",
    Kind.QUOTA: "Quota",
    Kind.MONITOR: "Monitoring",
    Kind.ALL: "Everything",
}


def render(page: StatusPage) -> str:
    css, css_hash = webpage.stylesheet(_PACKAGE, "status.css")
    return (
        _environment()
        .get_template("status.html.j2")
        .render(
            page=page,
            css=css,
            css_hash=css_hash,
            State=State,
            shown={"incidents": INCIDENTS_SHOWN, "gaps": GAPS_SHOWN},
        )
    )


PRIORITIES = {Priority.P0: "Outage", Priority.P1: "Major", Priority.P2: "Minor", Priority.P3: "Cosmetic"}


@functools.cache
def _environment() -> Environment:
    environment = webpage.environment(_PACKAGE)
    environment.filters.update(
        percent=lambda share: percent(share).replace(" ", "\u00a0"),
        duration=lambda seconds: span_in_words(timedelta(seconds=seconds)),
        bars=_bars,
        chart=_chart,
        kind=lambda kind: KINDS[kind],
        minute=_minute,
        between=_between,
        priority=lambda priority: f"{PRIORITIES[priority]} ({priority})",
        spelled=span_in_words,
        share=lambda value: f"{min(1.0, max(0.0, value)) * 100:.4g}",
    )
    return environment


def _bars(part: Part, name: str) -> Markup:
    words = f"{KINDS[part.series.kind]} {part.name}, day by day"
    return Markup(bars.draw(part.columns, name, words))  # noqa: S704 (svg.py escapes)


def _chart(chart: Chart, name: str) -> Markup:
    return webpage.two_widths(
        lambda own, width: latencies.draw(chart, own, width), name, latencies.NARROW, latencies.WIDE
    )


def _minute(value: datetime) -> str:
    return f"{value.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def _between(value: Between | None) -> str:
    """A mean that is known to lie between two."""
    if value is None:
        return "–"
    low = span_in_words(timedelta(seconds=value.low_s))
    if value.high_s is None:
        return f"at least {low}"
    high = span_in_words(timedelta(seconds=value.high_s))
    return low if low == high else f"{low} to {high}"
