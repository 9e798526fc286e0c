"""Visiting pages in a browser: each page is loaded once per width, and what happens is written down."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ci.config.shape.smoke import Smoke
from ci.engine.http import origin
from ci.errors import CannotRun
from ci.smoke.browsing import Browsing
from ci.smoke.happenings import Happenings, leave, no_answer, refuse_walls, settle, take_screenshot
from ci.smoke.looking import has_worker, look_at
from ci.smoke.visits import Visit, problems

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Response

T = TypeVar("T")

MOST_PAGES = 30
AT_ONCE = 4
"""Pages that load at the same time: most of a visit is waiting for a page to become quiet."""
MOST_NAVIGATIONS = 8
"""Pages in a row to which a page may send its visitor before it is quiet; by HTTP alone browsers bear 20."""
PATIENCE = 2
"""Visits in a row without any answer, after which no other page is visited."""


@dataclass(slots=True)
class _Opened:
    """A page under way."""

    context: BrowserContext
    page: Page
    happened: Happenings
    response: Response | None


class Visitor:
    """Loads pages and looks at them; where something is wrong it leaves a screenshot and a trace."""

    def __init__(self, browsing: Browsing, smoke: Smoke, evidence: Path) -> None:
        self._browsing = browsing
        self._smoke = smoke
        self._evidence = evidence
        self._target = browsing.http.target
        # A trace holds cookies and headers in clear, and so what deployment protection gave us.
        self._traces = not browsing.http.protected
        self._unanswered: list[CannotRun] = []

    def visits(self) -> tuple[Visit, ...]:
        """Every configured page, and the login page, at every width."""
        login = [self._smoke.login.page] if self._smoke.login and self._smoke.login.page else []
        pages = tuple(dict.fromkeys((*self._smoke.pages, *login)))[:MOST_PAGES]
        wanted = [
            Visit(path=path, url=self._target + path, screen=screen, width=width)
            for path in pages
            for screen, width in self._smoke.widths.items()
        ]
        waves = (wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE))
        return tuple(itertools.chain.from_iterable(map(self._wave, waves)))

    def _wave(self, wanted: list[Visit]) -> list[Visit]:
        """Open some pages, then look at each: they load while others are looked at."""
        with contextlib.ExitStack() as contexts:
            opened = [self._guarded(visit, lambda visit: self._open(visit, contexts)) for visit in wanted]
            return [
                replace(visit, no_answer=page) if isinstance(page, CannotRun) else self._seen(visit, page)
                for visit, page in zip(wanted, opened, strict=True)
            ]

    def _seen(self, visit: Visit, opened: _Opened) -> Visit:
        seen = self._guarded(visit, lambda visit: self._look(visit, opened))
        return replace(visit, no_answer=seen) if isinstance(seen, CannotRun) else seen

    def _guarded(self, visit: Visit, step: Callable[[Visit], T]) -> T | CannotRun:
        """One step of a visit, or why it came to nothing."""
        from playwright.sync_api import Error

        if len(self._unanswered) >= PATIENCE:
            return self._unanswered[-1]
        try:
            result = step(visit)
        except Error as error:
            reason = no_answer(error, visit.place)
        except CannotRun as error:
            reason = error
        else:
            self._unanswered.clear()
            return result
        self._unanswered.append(reason)
        return reason

    def _open(self, visit: Visit, contexts: contextlib.ExitStack) -> _Opened:
        from playwright.sync_api import Error

        context = contexts.enter_context(contextlib.closing(self._browsing.context(visit.width)))
        if self._traces:
            context.tracing.start(screenshots=True, snapshots=True)
        page = self._browsing.page(context)
        happened = Happenings(page, self._browsing)
        response: Response | None = None
        try:
            response = page.goto(visit.path, wait_until="commit")
        except Error as error:
            if "ERR_TOO_MANY_REDIRECTS" not in str(error):
                raise
            happened.goes_round = True
        return _Opened(context, page, happened, response)

    def _look(self, visit: Visit, opened: _Opened) -> Visit:
        page, happened = opened.page, opened.happened
        if happened.goes_round:
            return replace(visit, goes_round=True)
        refuse_walls(opened.response)
        seen = self._come_to_rest(opened)
        if seen is None:
            leave(page)
            return replace(visit, goes_round=True)
        from_worker = self._look_again(visit, opened, seen["title"]) if has_worker(page) else ""
        visit = replace(
            visit,
            status=opened.response.status if opened.response else None,
            title=seen["title"],
            text_length=seen["text"],
            shown=seen["shown"],
            is_waiting=seen["waiting"],
            hollow=seen["hollow"],
            from_worker=from_worker,
            overflow_px=seen["overflow"],
            widest=seen["widest"],
            console=tuple(happened.console),
            failures=tuple(happened.failures),
            insecure=tuple(_insecure(page.url, [*seen["insecure"], *happened.urls])),
        )
        return replace(visit, files=self._souvenirs(visit, opened))

    def _come_to_rest(self, opened: _Opened) -> dict[str, Any] | None:
        """What the page shows when it has stopped going on to others; None when it does not stop."""
        from playwright.sync_api import Error

        for _ in range(MOST_NAVIGATIONS):
            settle(opened.page, opened.happened, self._browsing.timeout_ms)
            if opened.happened.navigations > MOST_NAVIGATIONS:
                break
            before = opened.happened.navigations
            try:
                return look_at(opened.page, self._browsing.timeout_ms)
            except Error as error:
                if opened.happened.navigations == before and "because of a navigation" not in str(error):
                    raise
        return None

    def _look_again(self, visit: Visit, opened: _Opened, title: str) -> str:
        """The title of the second visit, which the service worker answers, when it is not the first one's."""
        page = opened.page
        response = page.goto(visit.path, wait_until="commit")
        settle(page, opened.happened, self._browsing.timeout_ms)
        second: str = look_at(page, self._browsing.timeout_ms)["title"]
        by_worker = response is not None and response.from_service_worker
        return second or "no title" if by_worker and _steady(second) != _steady(title) else ""

    def _souvenirs(self, visit: Visit, opened: _Opened) -> tuple[str, ...]:
        """A screenshot and a trace of a visit that some check will find fault with."""
        if not any(problems(visit, self._smoke.ignore_console)):
            return ()
        name = f"{_slug(visit.path)}-{_slug(visit.screen)}"
        screenshot = take_screenshot(opened.page, self._evidence, name)
        if not self._traces:
            return screenshot
        opened.context.tracing.stop(path=self._evidence / f"{name}.trace.zip")
        return (*screenshot, f"{self._evidence.name}/{name}.trace.zip")


def _insecure(page_url: str, addresses: list[str]) -> Iterator[str]:
    """Addresses that are mixed content on a page that came over HTTPS (W3C Mixed Content, section 4)."""
    if origin(page_url)[0] == "https":
        yield from (address.strip() for address in addresses if address.strip().lower().startswith("http:"))


def _steady(title: str) -> str:
    """A title without the numbers that it may count up."""
    return re.sub(r"\W*\d+\W*", " ", title).strip()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "start"
