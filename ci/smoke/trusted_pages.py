"""A browser's way past deployment protection by Trusted Sources: the token goes to the target's own origin alone.

As a header of the whole browser context it would go to every origin that a page loads from, and break CORS there. And
Playwright's own routes carry a changed header along when a request is redirected; the protocol below them does not.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ci.engine.http import HttpFactory
from ci.errors import CannotRun

if TYPE_CHECKING:
    from playwright.sync_api import Page


def show_token(page: Page, http: HttpFactory) -> None:
    """Add the token to what this page asks of the target.

    https://chromedevtools.github.io/devtools-protocol/tot/Fetch/#method-continueRequest
    """
    from playwright.sync_api import Error

    session = page.context.new_cdp_session(page)

    def paused(event: dict[str, Any]) -> None:
        asked, answer = event["request"], {"requestId": event["requestId"]}
        # The page may be gone by now, and with it the request.
        with contextlib.suppress(Error):
            try:
                headers = {**asked["headers"], **http.key(asked["url"])}
            except CannotRun:
                session.send("Fetch.failRequest", {**answer, "errorReason": "AccessDenied"})
                return
            told = [{"name": name, "value": value} for name, value in headers.items()]
            session.send("Fetch.continueRequest", {**answer, "headers": told})

    session.on("Fetch.requestPaused", paused)
    session.send("Fetch.enable", {"patterns": [{"urlPattern": f"{http.target}/*"}]})
