"""The pages in a real browser, healthy and with the flaws that only a browser sees."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.demo.launching import EMAIL, PASSWORD, running
from tests.demo.tls import https

pytestmark = pytest.mark.browser
PHONE, DESKTOP = (390, 844), (1280, 800)
MILLISECONDS = 15_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = os.environ.get("GONOGO_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"needs a browser: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and what the browser complained about."""

    page: Page
    console: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@contextmanager
def _visit(chromium: Browser, address: str, size: tuple[int, int] = DESKTOP) -> Iterator[Visit]:
    context = chromium.new_context(
        ignore_https_errors=True, viewport={"width": size[0], "height": size[1]}, base_url=address
    )
    context.set_default_timeout(MILLISECONDS)
    visit = Visit(context.new_page())
    visit.page.on("console", lambda message: visit.console.append(message.text) if message.type == "error" else None)
    visit.page.on("pageerror", lambda error: visit.console.append(str(error)))
    visit.page.on("requestfailed", lambda request: visit.failed.append(request.url))
    visit.page.on("response", lambda answer: visit.failed.append(answer.url) if answer.status >= 400 else None)
    visit.page.on("request", lambda request: visit.requested.append(request.url))
    yield visit
    context.close()


@pytest.fixture(scope="module")
def address(healthy_url: str) -> Iterator[str]:
    with https(healthy_url) as address:
        yield address


def _sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_nothing_goes_wrong(chromium: Browser, address: str, size: tuple[int, int], scheme: str) -> None:
    with _visit(chromium, address, size) as visit:
        visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in ("/", "/login"):
            visit.page.goto(path, wait_until="networkidle")
            assert visit.page.get_by_role("heading", level=1).is_visible()
            assert visit.overflow() <= 0
        assert (visit.console, visit.failed) == ([], [])
        assert all(url.startswith("https://") for url in visit.requested)
        background = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(246, 248, 250)" if scheme == "light" else "rgb(14, 21, 28)")


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_login_chat_and_logout(chromium: Browser, address: str, size: tuple[int, int]) -> None:
    with _visit(chromium, address, size) as visit:
        page = visit.page
        page.goto("/app", wait_until="networkidle")
        assert page.url == f"{address}/login?next=/app"
        _sign_in(page)
        page.wait_for_url(f"{address}/app", wait_until="networkidle")
        assert page.locator("#user").inner_text() == EMAIL
        assert visit.overflow() <= 0

        page.get_by_label("Your message").fill("<b>Anything</b> new?")
        page.get_by_role("button", name="Send").click()
        page.locator("#conversation .reply").wait_for()
        assert page.locator("#conversation .mine").inner_text() == "<b>Anything</b> new?"
        assert page.evaluate("document.cookie") == ""

        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{address}/login", wait_until="networkidle")
        page.goto("/app", wait_until="networkidle")
        assert page.url == f"{address}/login?next=/app"
        assert (visit.console, visit.failed) == ([], [])


def test_wrong_password_is_told(chromium: Browser, address: str) -> None:
    with _visit(chromium, address) as visit:
        visit.page.goto("/login")
        _sign_in(visit.page, "wrong")
        visit.page.get_by_text("E-mail or password is wrong.").wait_for()


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_login_goes_on_to_own_pages_only(chromium: Browser, address: str, target: str) -> None:
    with _visit(chromium, address) as visit:
        visit.page.goto(f"/login?next={target}")
        _sign_in(visit.page)
        visit.page.wait_for_url(f"{address}/app")


def test_policy_keeps_injected_scripts_and_styles_out(chromium: Browser, address: str) -> None:
    with _visit(chromium, address) as visit:
        visit.page.goto("/")
        visit.page.evaluate("""() => {
            document.body.insertAdjacentHTML('beforeend', '<img src="/static/none.png" onerror="window.stolen = 1">');
            const script = document.createElement('script');
            script.textContent = 'window.stolen = 2';
            const style = document.createElement('style');
            style.textContent = 'body { background: red }';
            document.body.append(style);
        }""")
        visit.page.wait_for_load_state("networkidle")
        assert visit.page.evaluate("window.stolen") is None
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 0, 0)"


@contextmanager
def _flawed(chromium: Browser, flaw: str, size: tuple[int, int] = DESKTOP) -> Iterator[Visit]:
    with running(DEMO_FLAWS=flaw) as url, https(url) as address, _visit(chromium, address, size) as visit:
        visit.page.goto("/login", wait_until="networkidle")
        yield visit


def test_console_error_shows_and_is_reported_home(chromium: Browser) -> None:
    with _flawed(chromium, "console-error") as visit:
        assert any("flaw: console-error" in text for text in visit.console)
        assert visit.failed == []


def test_missing_asset_fails_to_load(chromium: Browser) -> None:
    with _flawed(chromium, "missing-asset") as visit:
        assert {url.rpartition("/")[2] for url in visit.failed} == {"missing.000000000000.js"}


def test_mixed_content_is_really_fetched(chromium: Browser) -> None:
    with _flawed(chromium, "mixed-content") as visit:
        assert [url for url in visit.requested if url.startswith("http://")]


def test_dead_login_button_leaves_one_where_one_is(chromium: Browser) -> None:
    with _flawed(chromium, "login-button-dead") as visit:
        asked_before = len(visit.requested)
        _sign_in(visit.page)
        visit.page.get_by_label("Password").press("Enter")
        visit.page.wait_for_load_state("networkidle")
        assert visit.page.url.endswith("/login")
        assert len(visit.requested) == asked_before


def test_phone_overflow_is_wider_than_a_phone(chromium: Browser) -> None:
    with _flawed(chromium, "phone-overflow", PHONE) as visit:
        assert visit.overflow() > 1000
