"""Issues that are opened once, kept up to date in place, and closed: found again by a label and a hidden marker."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ci.engine.github import GitHub, Refused
from ci.errors import CannotRun
from ci.model import ErrorKind

TITLE_LIMIT = 256
BODY_LIMIT = 65_000
"""Characters of an issue's body or comment; GitHub takes 65,536."""
CLOCKS_APART = timedelta(hours=1)
"""How far GitHub's clock and ours may differ when issues are looked for by their time."""


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as GitHub told it last."""

    number: int
    open: bool
    title: str
    body: str
    url: str


@dataclass(frozen=True, slots=True)
class Issues:
    """The issues of one label. `key` is an issue's identity: the same key never gets a second issue.

    All methods raise CannotRun when GitHub does not do what it is asked.
    """

    github: GitHub
    label: str
    colour: str = "b60205"
    description: str = "Kept up to date by Gonogo"

    async def find(self, key: str, *, since: datetime) -> Issue | None:
        """The issue of `key`, open or closed, among those touched since; the oldest, should there be several."""
        found = [issue async for issue in self._with_key(key, since)]
        return min(found, key=lambda issue: issue.number, default=None)

    async def keep(self, key: str, title: str, body: str, *, since: datetime) -> Issue:
        """Open the issue of `key`, or bring it up to date in place; `since` is when the key came into being.

        An issue that somebody has closed by hand stays closed. Nothing is written where nothing has changed.
        """
        if issue := await self.find(key, since=since):
            return await self._update(issue, *self._texts(key, title, body))
        return await self._open(key, title, body, since)

    async def close(self, key: str, title: str, body: str, comment: str, *, since: datetime) -> Issue:
        """Bring the issue of `key` up to date, comment on it once, and close it. One that is closed stays as it is.

        Where there is none yet, it is opened first: what went unreported is told, even if late.
        """
        issue = await self.keep(key, title, body, since=since)
        if not issue.open:
            return issue
        marked = self._marked(f"{key} closed", comment)
        if not await self._has_comment(issue, marked):
            await self.github.post(f"/issues/{issue.number}/comments", {"body": marked})
        return await self._write(issue, {"state": "closed", "state_reason": "completed"})

    async def _open(self, key: str, title: str, body: str, since: datetime) -> Issue:
        await self._want_label()
        title, body = self._texts(key, title, body)
        made = _issue(await self.github.post("/issues", {"title": title, "body": body, "labels": [self.label]}))
        first = await self.find(key, since=since)
        if first is None or first.number >= made.number:
            return made
        # Somebody opened one at the same moment. The older one stands, whoever looks.
        await self._write(made, {"state": "closed", "state_reason": "not_planned", "title": f"Duplicate: {title}"})
        return first

    async def _update(self, issue: Issue, title: str, body: str) -> Issue:
        if (issue.title, _lines(issue.body)) == (title, _lines(body)):
            return issue
        return await self._write(issue, {"title": title, "body": body})

    async def _write(self, issue: Issue, changes: dict[str, Any]) -> Issue:
        return _issue(await self.github.patch(f"/issues/{issue.number}", changes))

    async def _with_key(self, key: str, since: datetime) -> AsyncIterator[Issue]:
        moment = (since - CLOCKS_APART).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        marker = _marker(key)
        listing = self.github.each("/issues", labels=self.label, state="all", since=moment, sort="created")
        async for entry in listing:
            # At the beginning alone: a quotation further down is somebody else's.
            if "pull_request" not in entry and str(entry.get("body") or "").startswith(marker):
                yield _issue(entry)

    async def _has_comment(self, issue: Issue, marked: str) -> bool:
        marker = marked.partition("\n")[0]
        async for entry in self.github.each(f"/issues/{issue.number}/comments"):
            if str(entry.get("body") or "").startswith(marker):
                return True
        return False

    async def _want_label(self) -> None:
        """An issue without its label would never be found again, and opened a second time."""
        try:
            await self.github.get(f"/labels/{self.label}")
        except Refused as refusal:
            if refusal.status != 404:
                raise
            wanted = {"name": self.label, "color": self.colour, "description": self.description}
            try:
                await self.github.post("/labels", wanted)
            except Refused as second:
                if second.status != 422:  # somebody has made it meanwhile
                    raise

    def _texts(self, key: str, title: str, body: str) -> tuple[str, str]:
        return self.github.redact(title)[:TITLE_LIMIT], self._marked(key, body)

    def _marked(self, key: str, body: str) -> str:
        return f"{_marker(key)}\n{self.github.redact(body)}"[:BODY_LIMIT]


def _marker(key: str) -> str:
    if not re.fullmatch(r"[\w .:/@-]+", key) or "--" in key:
        raise ValueError(f"{key!r} cannot stand in a comment of HTML")
    return f"<!-- gonogo: {key} -->"


def _lines(text: str) -> list[str]:
    """GitHub turns line ends into CRLF and may drop those at the end."""
    return text.rstrip().splitlines()


def _issue(entry: Any) -> Issue:
    try:
        return Issue(
            number=int(entry["number"]),
            open=entry["state"] == "open",
            title=str(entry.get("title") or ""),
            body=str(entry.get("body") or ""),
            url=str(entry.get("html_url") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CannotRun(ErrorKind.BAD_OUTPUT, "GitHub's answer about an issue has no number and state") from None
