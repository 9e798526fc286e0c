"""Visiting pages in a browser: each page is loaded once per width, and what happens is written down."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ci.config.shape.smoke import Smoke
from ci.engine.http import origin
from ci.errors import CannotRun
from ci.smoke.browsing import Browsing
from ci.smoke.happenings import Happenings, no_answer, refuse_walls, settle, take_screenshot
from ci.smoke.visits import Visit, problems

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Response

T = TypeVar("T")

MOST_PAGES = 30
AT_ONCE = 4
"""Pages that load at the same time: most of a visit is waiting for a page to become quiet."""
PATIENCE = 2
"""Visits in a row without any answer, after which no other page is visited."""

_LOOK = """() => {
  const root = document.documentElement, width = root.clientWidth;
  const overflow = Math.max(root.scrollWidth, document.body ? document.body.scrollWidth : 0) - width;
  let widest = '', farthest = width + 1;
  if (overflow > 1) for (const element of document.querySelectorAll('body *')) {
    const right = element.getBoundingClientRect().right + window.scrollX;
    if (right > farthest) {
      farthest = right;
      const name = element.id ? '#' + element.id : element.classList.length ? '.' + element.classList[0] : '';
      widest = '<' + element.tagName.toLowerCase() + name + '>';
    }
  }
  const parts = ['img[src]', 'script[src]', 'iframe[src]', 'audio[src]', 'video[src]', 'source[src]', 'embed[src]',
    'object[data]', 'form[action]', 'link[rel~=stylesheet][href]', 'link[rel~=icon][href]', 'link[rel~=preload][href]',
    'link[rel~=modulepreload][href]', 'link[rel~=manifest][href]'];
  const insecure = [...document.querySelectorAll(parts.join(','))]
    .map(element => ['src', 'data', 'action', 'href'].map(name => element.getAttribute(name)).find(Boolean) || '')
    .filter(address => /^http:/i.test(address.trim()));
  const text = document.body ? document.body.innerText.trim().length : 0;
  return {title: document.title, text, overflow, widest, insecure};
}"""


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
        context = contexts.enter_context(contextlib.closing(self._browsing.context(visit.width)))
        if self._traces:
            context.tracing.start(screenshots=True, snapshots=True)
        page = self._browsing.page(context)
        happened = Happenings(page, self._browsing)
        response = page.goto(visit.path, wait_until="commit")
        return _Opened(context, page, happened, response)

    def _look(self, visit: Visit, opened: _Opened) -> Visit:
        page, happened = opened.page, opened.happened
        refuse_walls(opened.response)
        settle(page, happened, self._browsing.timeout_ms)
        # Not `evaluate`, which has no deadline: a script of the page may never end.
        seen = page.wait_for_function(_LOOK, polling=100).json_value()
        visit = replace(
            visit,
            status=opened.response.status if opened.response else None,
            title=seen["title"],
            text_length=seen["text"],
            overflow_px=seen["overflow"],
            widest=seen["widest"],
            console=tuple(happened.console),
            failures=tuple(happened.failures),
            insecure=tuple(_insecure(page.url, [*seen["insecure"], *happened.urls])),
        )
        return replace(visit, files=self._souvenirs(visit, opened))

    def _souvenirs(self, visit: Visit, opened: _Opened) -> tuple[str, ...]:
        """A screenshot and a trace of a visit that some check will find fault with."""
        if not any(problems(visit, self._smoke.ignore_console)):
            return ()
        name = f"{_slug(visit.path)}-{_slug(visit.screen)}"
        screenshot = take_screenshot(opened.page, self._evidence, name)
        if not self._traces:
            return (screenshot,)
        opened.context.tracing.stop(path=self._evidence / f"{name}.trace.zip")
        return (screenshot, f"{self._evidence.name}/{name}.trace.zip")


def _insecure(page_url: str, addresses: list[str]) -> Iterator[str]:
    """Addresses that are mixed content on a page that came over HTTPS (W3C Mixed Content, section 4)."""
    if origin(page_url)[0] == "https":
        yield from (address.strip() for address in addresses if address.strip().lower().startswith("http:"))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "start"
