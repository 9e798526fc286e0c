"""incidents.atom: an entry for each incident, brought up to date when it ends (RFC 4287). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as Tree

from ci.engine.inert import one_line
from ci.engine.wording import seconds_in_words
from ci.monitor.facts import Incident
from ci.monitor.page.view import INCIDENTS_SHOWN, StatusPage

ATOM = "http://www.w3.org/2005/Atom"


def render(page: StatusPage) -> str:
    shown = page.incidents[:INCIDENTS_SHOWN]
    feed = Tree.Element("feed", xmlns=ATOM)
    _add(feed, "title", f"Incidents of {page.title}")
    _add(feed, "id", _tag(page, "incidents"))
    _add(feed, "updated", _stamp(max(map(_changed, shown), default=page.now)))
    _add(_add(feed, "author"), "name", page.title)
    if page.page_url:
        _add(feed, "link", rel="self", type="application/atom+xml", href=f"{page.page_url}/incidents.atom")
        _add(feed, "link", rel="alternate", type="text/html", href=page.page_url)
    for incident in shown:
        _entry(feed, page, incident)
    Tree.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Tree.tostring(feed, encoding="unicode") + "\n"


def _entry(feed: Tree.Element, page: StatusPage, incident: Incident) -> None:
    entry = _add(feed, "entry")
    lasted = seconds_in_words(incident.duration(page.now).total_seconds())
    over = f"over after {lasted}" if not incident.open else "open"
    _add(entry, "title", f"[{incident.priority}] {incident.title} ({over})")
    _add(entry, "id", _tag(page, incident.id))
    _add(entry, "published", _stamp(incident.opened_at))
    _add(entry, "updated", _stamp(_changed(incident)))
    if page.page_url:
        _add(entry, "link", rel="alternate", type="text/html", href=f"{page.page_url}/#{incident.id}")
    cause = f" Likely cause: {incident.cause}." if incident.cause else ""
    end = f" It ended by {_stamp(incident.good_again)}." if incident.good_again else " It goes on."
    _add(entry, "summary", f"First seen {_stamp(incident.first_failure)}.{end}{cause}")


def _changed(incident: Incident) -> datetime:
    return incident.closed_at or incident.opened_at


def _tag(page: StatusPage, name: str) -> str:
    """RFC 4151."""
    return f"tag:{urlsplit(page.url).hostname},2026:{name}"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _add(parent: Tree.Element, name: str, words: str | None = None, **attributes: str) -> Tree.Element:
    child = Tree.SubElement(parent, name, attributes)
    child.text = one_line(words) if words is not None else None
    return child
