"""The login journey: a person fills in the form, presses its button, arrives, and stays logged in."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ci.config.shape.smoke import Login
from ci.smoke.browsing import Browsing
from ci.smoke.examination import Examination
from ci.smoke.happenings import Happenings, no_answer, refuse_walls, settle, take_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

BUTTONS = (
    "button[type=submit], input[type=submit], button:not([type])",
    "button, input[type=button], [role=button]",
)
"""What sends a form: a button made for it, else any button in it."""


def log_in(
    exam: Examination, browsing: Browsing, login: Login, username: str, password: str, *, width: int, evidence: Path
) -> None:
    """Log in by the form, and look again after a reload. No trace is kept: it would hold the password."""
    from playwright.sync_api import Error

    assert login.page
    with contextlib.closing(browsing.context(width)) as context:
        page = browsing.page(context)
        try:
            problem = _journey(exam, page, browsing, login, username, password)
            if problem:
                files = take_screenshot(page, evidence, "login-journey")
                exam.finding(problem, url=browsing.http.target + login.page, key="journey", files=files)
        except Error as error:
            raise no_answer(error, login.page) from error


def _journey(
    exam: Examination, page: Page, browsing: Browsing, login: Login, username: str, password: str
) -> str | None:
    """How the journey failed, or None."""
    from playwright.sync_api import TimeoutError as Late

    assert login.page
    happened = Happenings(page, browsing)
    response = page.goto(login.page, wait_until="domcontentloaded")
    refuse_walls(response)
    settle(page, happened, browsing.timeout_ms)
    exam.saw(f"{login.page}: {response.status if response else 'no answer'}")
    form = _form(page)
    if form is None:
        return f"{login.page} shows no field for a password, so nobody can log in there; see smoke.login.page"
    name = _first(
        form.locator(f"input[name={login.username_field!r}], input[autocomplete=username], input[type=email]")
    )
    button = _first(form.locator(BUTTONS[0])) or _first(form.locator(BUTTONS[1]))
    if name is None or button is None:
        missing = f"field `{login.username_field}`" if name is None else "button to send it"
        return f"the login form of {login.page} has no {missing} that can be seen"
    try:
        name.fill(username)
        form.locator("input[type=password]").first.fill(password)
        button.click()
    except Late as late:
        return (
            f"the login form of {login.page} can be seen, but neither filled in nor sent within "
            f"{browsing.timeout_ms / 1000:g} s: {_hindrance(str(late))}"
        )
    if not _arrives(page, login, browsing.timeout_ms):
        wanted = login.after or f"another page than {login.page}"
        return f"after the form was sent the browser is at {_path(page.url)}, wanted {wanted}"
    exam.saw(f"the form was sent, and the browser arrived at {_path(page.url)}")
    arrived = _path(page.url)
    settle(page, happened, browsing.timeout_ms)
    if _path(page.url) == login.page.rstrip("/") != arrived:
        return f"after the login {arrived} sent the browser back to {login.page}: the session is not known there"
    again = page.reload(wait_until="domcontentloaded")
    if _path(page.url) != arrived or (again and not again.ok):
        status = again.status if again else "nothing"
        return (
            f"after a reload of {arrived} the browser is at {_path(page.url)} with {status}: the session did not last"
        )
    exam.saw(f"{arrived} again after a reload: {again.status if again else 'from the cache'}")
    return None


def _hindrance(told: str) -> str:
    """What Playwright says is in the way."""
    if covering := re.search(r"(<[^\n]{1,100}?>)[^\n]{0,200} intercepts pointer events", told):
        return f"{covering[1]} lies over it"
    return "it is disabled" if "not enabled" in told or "not editable" in told else "it does not hold still"


def _arrives(page: Page, login: Login, timeout_ms: float) -> bool:
    """Wait until the browser is where a login leads."""
    from playwright.sync_api import TimeoutError as Late

    def there(url: str) -> bool:
        return _path(url) == login.after.rstrip("/") if login.after else _path(url) != (login.page or "").rstrip("/")

    try:
        page.wait_for_url(there, timeout=timeout_ms, wait_until="commit")
    except Late:
        return False
    return True


def _form(page: Page) -> Locator | None:
    """The form with the password field, or the whole page when scripts do without a form."""
    if _first(page.locator("input[type=password]")) is None:
        return None
    form = page.locator("form", has=page.locator("input[type=password]"))
    return form.first if form.count() else page.locator("body")


def _first(locator: Locator) -> Locator | None:
    """The first one of several that can be seen."""
    return next((one for one in locator.all() if one.is_visible()), None)


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")
