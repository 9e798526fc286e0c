"""Following what a page does while it loads, and what that means."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci.engine.http import login_wall, origin
from ci.engine.walls import shows_wall
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.smoke.browsing import Browsing
from ci.smoke.visits import Failure

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Response

QUIET_S = 3.0
"""Seconds that a loaded page gets until its network is quiet; one that never is quiet is looked at all the same."""
_FORBIDDEN = "the page's own Content-Security-Policy forbids it; correct its nonce, or name the source in the policy"


class Happenings:
    """What a page does while it loads: console errors, requests and how they end."""

    def __init__(self, page: Page, browsing: Browsing) -> None:
        self.console: list[str] = []
        self.failures: list[Failure] = []
        self.urls: list[str] = []
        self.navigations = 0
        """How often the window went to another page, the first one included."""
        self.goes_round = False
        """Redirects led on and on."""
        self._pending: dict[int, Request] = {}
        self._budget = browsing.http.budget
        page.on("console", lambda message: self.console.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.console.append(f"uncaught {error.name or 'error'}: {error.message}"))
        page.on("request", self._started)
        page.on("framenavigated", lambda frame: self._navigated(frame == page.main_frame))
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def give_up_on_pending(self, seconds: float) -> None:
        """Count what has not been answered yet as failed."""
        for request in self._pending.values():
            self.failures.append(Failure(request.url, f"no answer after {seconds:g} s"))

    def _started(self, request: Request) -> None:
        self._budget.spent += 1
        self.urls.append(request.url)
        if not request.url.startswith(("data:", "blob:")):
            self._pending[id(request)] = request

    def _navigated(self, is_window: bool) -> None:
        self.navigations += is_window

    def _ended(self, request: Request) -> None:
        self._pending.pop(id(request), None)

    def _failed(self, request: Request) -> None:
        self._ended(request)
        reason = _FORBIDDEN if request.failure == "csp" else request.failure or "no reason given"
        # The page itself gives such requests up, by navigation or by AbortController.
        if "ERR_ABORTED" not in reason:
            self.failures.append(Failure(request.url, reason))

    def _answered(self, response: Response) -> None:
        asks_who_is_there = response.status == 401 and response.request.resource_type in {"fetch", "xhr"}
        if response.status >= 400 and not response.request.is_navigation_request() and not asks_who_is_there:
            self.failures.append(Failure(response.url, f"status {response.status}"))


def settle(page: Page, happened: Happenings, timeout_ms: float) -> None:
    """Wait until the page is loaded and quiet; what keeps it from that is a failed request, not the end."""
    from playwright.sync_api import TimeoutError as Late

    try:
        page.wait_for_load_state("load", timeout=timeout_ms)
    except Late:
        happened.give_up_on_pending(timeout_ms / 1000)
        return
    with contextlib.suppress(Late):
        page.wait_for_load_state("networkidle", timeout=QUIET_S * 1000)


def leave(page: Page) -> None:
    """Go to an empty page: a window that goes on and on has been seen to keep its context from closing."""
    from playwright.sync_api import Error

    for _ in range(3):  # the page's own navigation may come in between
        with contextlib.suppress(Error):
            page.goto("about:blank", wait_until="commit")
            return


def refuse_walls(response: Response | None) -> None:
    """Raise CannotRun when a firewall or deployment protection answered in the application's place."""
    if response is None:
        return
    headers, url = response.headers, response.url
    if mitigation := headers.get("x-vercel-mitigated"):
        raise CannotRun(
            ErrorKind.CHALLENGED,
            f"Vercel's firewall answered {url} with `{mitigation}`; let the checks pass by a firewall bypass rule",
        )
    if response.status == 429:
        raise CannotRun(ErrorKind.RATE_LIMITED, f"{url} limits our requests: 429; the checks stop rather than press on")
    if origin(url)[1] == "vercel.com":
        raise login_wall(url)
    is_page = response.status == 401 and "html" in headers.get("content-type", "")
    # Playwright keeps cookies out of `headers`.
    if is_page and shows_wall(response.header_value("set-cookie") or "", response.text()):
        raise login_wall(url)


def no_answer(error: Any, what: str) -> CannotRun:
    """What an exception of Playwright means for a visit."""
    from playwright.sync_api import TimeoutError as Late

    first = str(error).strip().splitlines()[0]
    if isinstance(error, Late):
        return CannotRun(ErrorKind.TIMEOUT, f"{what} did not load in time: {first}")
    if "net::" in first:
        return CannotRun(ErrorKind.UNREACHABLE, f"{what} could not be loaded: {first}")
    return CannotRun(ErrorKind.TOOL_FAILED, f"the browser failed at {what}: {first}")


def take_screenshot(page: Page, folder: Path, name: str) -> tuple[str, ...]:
    """Save what the window shows, with every password field masked; return the file's name in the evidence folder.

    What was found stands without its picture: when the browser is too busy to draw one, there is none.
    """
    from playwright.sync_api import Error

    folder.mkdir(parents=True, exist_ok=True)
    try:
        page.screenshot(path=folder / f"{name}.png", mask=[page.locator("input[type=password]")])
    except Error:
        return ()
    return (f"{folder.name}/{name}.png",)
