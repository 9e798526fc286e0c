"""The status page as a browser shows it: it fits, asks nobody, and is accessible."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci.monitor.page.files import write
from ci.monitor.page.view import build
from tests.monitor.stories import STORIES, story

sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
BROWSER = os.environ.get("GONOGO_BROWSER") or next(
    filter(None, map(shutil.which, ("google-chrome", "chromium", "chromium-browser"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no browser here: set GONOGO_BROWSER to one"),
]
WIDTHS = (320, 390, 1280)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@pytest.mark.parametrize("name", STORIES)
def test_fits_and_asks_nobody(browser, name: str, tmp_path: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    opened(page, name, tmp_path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} px"
    page.close()
    assert set(asked) == {(tmp_path / "index.html").as_uri()}
    assert not complaints


@pytest.mark.parametrize(
    ("name", "scheme"), [("empty", "light"), ("year", "light"), ("all-down", "light"), ("all-down", "dark")]
)
def test_axe_finds_nothing(browser, name: str, scheme: str, tmp_path: Path) -> None:
    # The policy of the page forbids scripts; axe is one, and comes in from outside.
    context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 390, "height": 800})
    page = context.new_page()
    opened(page, name, tmp_path)
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert len(found["passes"]) > 15  # it has looked
    context.close()


def opened(page: Any, name: str, folder: Path) -> None:
    """The page of a story with nothing folded."""
    write(build(*story(name)), folder)
    page.goto((folder / "index.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


def test_its_own_policy_lets_its_style_through_and_no_script(browser, tmp_path: Path) -> None:
    write(build(*story("first-round")), tmp_path)
    page = browser.new_page(color_scheme="dark")
    page.goto((tmp_path / "index.html").as_uri())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
    with pytest.raises(sync_api.Error, match="Content Security Policy"):
        page.add_script_tag(content="document.title = 'changed'")
    page.close()
