"""incidents.atom: an entry for each episode, brought up to date when it ends (RFC 4287). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as Tree

from ci.engine.inert import one_line
from ci.engine.wording import seconds_in_words
from ci.monitor.episodes import Episode
from ci.monitor.page.view import INCIDENTS_SHOWN, StatusPage

ATOM = "http://www.w3.org/2005/Atom"


def render(page: StatusPage) -> str:
    shown = page.episodes[:INCIDENTS_SHOWN]
    feed = Tree.Element("feed", xmlns=ATOM)
    _add(feed, "title", f"Incidents of {page.title}")
    _add(feed, "id", _tag(page, "incidents"))
    _add(feed, "updated", _stamp(max(map(_changed, shown), default=page.now)))
    _add(_add(feed, "author"), "name", page.title)
    if page.page_url:
        _add(feed, "link", rel="self", type="application/atom+xml", href=f"{page.page_url}/incidents.atom")
        _add(feed, "link", rel="alternate", type="text/html", href=page.page_url)
    for episode in shown:
        _entry(feed, page, episode)
    Tree.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Tree.tostring(feed, encoding="unicode") + "\n"


def _entry(feed: Tree.Element, page: StatusPage, episode: Episode) -> None:
    entry = _add(feed, "entry")
    lasted = seconds_in_words(episode.lasted(page.now).total_seconds())
    over = f"over after {lasted}" if not episode.open else "open"
    _add(entry, "title", f"[{episode.priority}] {episode.title} ({over})")
    _add(entry, "id", _tag(page, episode.id))
    _add(entry, "published", _stamp(episode.opened_at))
    _add(entry, "updated", _stamp(_changed(episode)))
    if page.page_url:
        _add(entry, "link", rel="alternate", type="text/html", href=f"{page.page_url}/#{episode.id}")
    cause = f" Likely cause: {episode.causes}." if episode.causes else ""
    end = f" It ended by {_stamp(episode.ended)}." if episode.ended else " It goes on." if episode.open else ""
    _add(entry, "summary", f"First seen {_stamp(episode.began)}.{end}{cause}")


def _changed(episode: Episode) -> datetime:
    """When it last became something else: it closed, or the latest of its incidents opened."""
    return episode.closed_at or max(one.opened_at for one in episode.incidents)


def _tag(page: StatusPage, name: str) -> str:
    """RFC 4151."""
    return f"tag:{urlsplit(page.url).hostname},2026:{name}"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _add(parent: Tree.Element, name: str, words: str | None = None, **attributes: str) -> Tree.Element:
    child = Tree.SubElement(parent, name, attributes)
    child.text = one_line(words) if words is not None else None
    return child
