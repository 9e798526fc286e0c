"""Fixtures with a browser: for the page suites, and `page` for users' own tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ci.config.shape.smoke import Smoke
from ci.smoke.browsing import Browsing
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.plugin import HTTP
from ci.smoke.visitor import Visitor
from ci.smoke.visits import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page


@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config, job: Job) -> Iterator[Browsing]:
    """The browser, started once per process."""
    started = Browsing(pytestconfig.stash[HTTP], os.environ, job.config.target.timeout.total_seconds())
    yield started
    started.close()


@pytest.fixture(scope="session")
def visits(browser: Browsing, smoke: Smoke, job: Job) -> tuple[Visit, ...]:
    """Every configured page at every width, loaded once."""
    return Visitor(browser, smoke, job.evidence).visits()


@pytest.fixture
def page(exam: Examination, browser: Browsing, smoke: Smoke) -> Iterator[Page]:
    """A Playwright page for a user's test: `page.goto("/prices")` goes to the target."""
    with contextlib.closing(browser.context(max(smoke.widths.values(), default=1280))) as context:
        opened = browser.page(context)

        def navigated(frame: Frame) -> None:
            if frame == opened.main_frame:
                exam.saw(f"the browser went to {frame.url.partition('?')[0]}")

        opened.on("framenavigated", navigated)
        yield opened
