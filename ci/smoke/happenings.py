"""Following what a page does while it loads, and what that means."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci.engine.http import login_wall, origin
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.smoke.browsing import Browsing
from ci.smoke.visits import Failure

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Response

QUIET_S = 3.0
"""Seconds that a loaded page gets until its network is quiet; one that never is quiet is looked at all the same."""


class Happenings:
    """What a page does while it loads: console errors, requests and how they end."""

    def __init__(self, page: Page, browsing: Browsing) -> None:
        self.console: list[str] = []
        self.failures: list[Failure] = []
        self.urls: list[str] = []
        self._pending: dict[int, Request] = {}
        self._budget = browsing.http.budget
        page.on("console", lambda message: self.console.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.console.append(f"uncaught {error.name or 'error'}: {error.message}"))
        page.on("request", self._started)
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

    def _ended(self, request: Request) -> None:
        self._pending.pop(id(request), None)

    def _failed(self, request: Request) -> None:
        self._ended(request)
        reason = request.failure or "no reason given"
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
    if origin(url)[1] == "vercel.com" or "_vercel_sso_nonce" in headers.get("set-cookie", ""):
        raise login_wall(url)
    if response.status == 401 and "html" in headers.get("content-type", "") and "_vercel_sso_nonce" in response.text():
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


def take_screenshot(page: Page, folder: Path, name: str) -> str:
    """Save what the window shows, with every password field masked; return the file's name in the evidence folder."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", mask=[page.locator("input[type=password]")])
    return f"{folder.name}/{name}.png"
