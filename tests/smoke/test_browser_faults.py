"""The page checks against pages with a fault, in a real browser that is started once."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci.config import parse_config
from ci.config.shape.smoke import Smoke
from ci.engine.http import HttpFactory
from ci.model import Outcome
from ci.smoke import suite
from ci.smoke.browsing import Browsing
from ci.smoke.visitor import Visitor
from ci.smoke.visits import render_problems
from tests.smoke.conftest import CONFIG, Prepare
from tests.smoke.examining import Examiner, Results, bad, told
from tests.smoke.shop import FAULTS, STRANGE, Shop

pytestmark = pytest.mark.browser
IDS = {"page-renders", "console-errors", "failed-requests", "mixed-content", "responsive", "login-journey"}
OF_PAGES = [fault for fault, check_id in FAULTS.items() if check_id.removeprefix("smoke/") in IDS]
ON_WAY_IN = [fault for fault in OF_PAGES if FAULTS[fault] == "smoke/login-journey"]
Look = Callable[..., tuple[Results, Path]]


@pytest.fixture(scope="module")  # an open Playwright owns the thread's event loop, which other modules need
def started(served_shop: tuple[Shop, str, Path]) -> Iterator[Browsing]:
    _, url, authority = served_shop
    environ = {"SSL_CERT_FILE": str(authority)}
    browsing = Browsing(HttpFactory.for_target(url, budget=10_000, environ=environ), environ, 2)
    yield browsing
    browsing.close()


@pytest.fixture
def look(examine: Examiner, prepare: Prepare, started: Browsing, url: str) -> Look:
    """Judges the pages, the journey, or both as they are now."""

    def looked(pages: bool = True, journey: bool = True) -> tuple[Results, Path]:
        run = prepare()
        folder = run.store.folder / "smoke"
        of_pages, of_journey = suite.browser()
        modules = [*([of_pages] if pages else []), *([of_journey] if journey else [])]
        visits = Visitor(started, parse_config(CONFIG.format(url=url)).smoke, folder).visits() if pages else ()
        return examine(modules, run=run, visits=visits, browser=started), folder

    return looked


def test_healthy_pages_pass(shop: Shop, look: Look) -> None:
    results, folder = look()
    assert {result.outcome for result in results.values()} == {Outcome.PASS}, told(results)
    assert not folder.exists(), "there is nothing to show"
    assert shop.logins == 1
    assert any("gonogo/" in agent and "Chrome" in agent for agent in shop.agents)


@pytest.mark.parametrize("fault", OF_PAGES)
def test_a_fault_fails_its_check(fault: str, shop: Shop, look: Look) -> None:
    shop.reset(fault)
    results, folder = look(pages=fault not in ON_WAY_IN, journey=fault in ON_WAY_IN)
    assert bad(results) == {FAULTS[fault]}, told(results)
    assert not bad(results, Outcome.ERROR), told(results)
    (result,) = (result for result in results.values() if result.outcome is Outcome.FAIL)
    named = {item.summary for finding in result.findings for item in finding.evidence}
    files = sorted(path.name for path in folder.iterdir())
    assert any(name.endswith(".png") for name in files)
    assert all(f"see smoke/{name} in the evidence folder" in named for name in files), (named, files)


def test_what_a_journey_leaves_holds_no_password(shop: Shop, look: Look) -> None:
    shop.reset("dead-button")
    _, folder = look(pages=False)
    assert [path.name for path in folder.iterdir()] == ["login-journey.png"], "a trace would hold the password"


def test_a_trace_can_be_read(shop: Shop, look: Look) -> None:
    shop.reset("script-throws")
    _, folder = look(journey=False)
    with zipfile.ZipFile(folder / "start-phone.trace.zip") as trace:
        lines = trace.read("trace.trace").decode().splitlines()
    assert any(json.loads(line)["type"] == "before" for line in lines)


def test_pages_that_answer_200_and_show_nothing(shop: Shop, prepare: Prepare, started: Browsing, url: str) -> None:
    paths = [f"/strange/{name}" for name in (*STRANGE, "here")]
    smoke = Smoke(pages=tuple(paths), widths={"desktop": 1280})
    visits = Visitor(started, smoke, prepare().store.folder / "smoke").visits()
    found = {visit.path.rpartition("/")[2]: {problem.key for problem in render_problems(visit)} for visit in visits}
    assert not [visit.no_answer for visit in visits if visit.no_answer]
    assert found == {
        "sound": set(),
        "slow": set(),
        "map": set(),
        "dialog": set(),
        "loading": {"waiting"},
        "busy": {"waiting"},
        "hollow": {"hollow"},
        "covered": {"hollow"},
        "invisible": {"text"},
        "apology": {"apology"},
        "missing": {"apology"},
        "circle": {"loop"},
        "here": {"loop"},
        "worker": {"worker"},
    }
