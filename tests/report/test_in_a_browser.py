"""report.html as a browser shows it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.report import html
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import STORIES, Story

sync_api = pytest.importorskip("playwright.sync_api")
BROWSER = os.environ.get("GONOGO_BROWSER") or next(
    filter(None, map(shutil.which, ("google-chrome", "chromium", "chromium-browser"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no browser here: set GONOGO_BROWSER to one"),
]
WIDTHS = (320, 390, 1280)
UNBROKEN = "x" * 400


@pytest.fixture(scope="module")
def page() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        try:
            yield browser.new_page()
        finally:
            browser.close()


STORIES_HERE: dict[str, Story] = {
    **{name: build() for name, build in STORIES.items()},
    "hostile": hostile_story("\n".join(HOSTILE)),
    "unbroken": hostile_story(UNBROKEN),
}


@pytest.mark.parametrize("name", STORIES_HERE)
def test_fits_asks_nobody_and_says_nothing_to_the_console(page, name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(*STORIES_HERE[name]), encoding="utf-8")
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{width} px, {scheme}"
    assert set(asked) == {path.as_uri()}
    assert not complaints
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(15, 18, 22)", "the policy has refused the report's own style sheet"


def test_paper_shows_what_is_folded(page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html.render(*STORIES["go"]()), encoding="utf-8")
    page.goto(path.as_uri())
    page.emulate_media(media="screen")
    folded = page.locator("details.fold .passed").first
    assert not folded.is_visible()
    page.emulate_media(media="print", color_scheme="light")
    assert folded.is_visible()
    page.emulate_media(media="screen")
