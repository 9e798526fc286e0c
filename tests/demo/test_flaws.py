"""Every flaw changes the application as it says; without flaws no sign of any shows.

That a flaw breaks nothing else is what the drill demands: no other check of its stage may fail.
"""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from demo import flaws
from tests.demo import security_signs
from tests.demo.launching import HOST, PRODUCTION_HOST, client, running
from tests.demo.signs import SIGNS

assert security_signs.EVIL, "importing it declares its signs"
UNDER_LOAD = {
    *("slow-under-load", "errors-under-load", "slows-with-time"),
    *("slower-than-before", "slow-tail", "few-errors"),
}
DEMO = Path(flaws.__file__).parent


def test_every_flaw_has_its_sign() -> None:
    assert SIGNS.keys() | UNDER_LOAD == flaws.FLAWS.keys()


def test_the_code_asks_for_every_declared_flaw_and_no_other() -> None:
    sources = {*DEMO.rglob("*.py"), *DEMO.rglob("*.html")} - {DEMO / "flaws.py"}
    asked = {
        name
        for source in sources
        for name in re.findall(r"""(?:flaws\.active\(request, |flaw\()["']([a-z0-9-]+)["']""", source.read_text())
    }
    assert asked == flaws.FLAWS.keys()


@pytest.mark.parametrize("name", SIGNS)
def test_healthy_application_shows_no_sign_of(name: str, http: httpx.Client) -> None:
    assert not SIGNS[name](http)


@pytest.mark.parametrize("name", SIGNS)
def test_flaw_shows(name: str) -> None:
    with running(DEMO_FLAWS=name) as url, client(url) as http:
        assert SIGNS[name](http)


def test_slow_under_load_lets_one_request_through_at_a_time() -> None:
    with running(DEMO_FLAWS="slow-under-load") as url:
        took, statuses = asyncio.run(_crowd(url, "/", 20))
        assert took >= 20 * 0.06
        assert set(statuses) == {200}


def test_errors_under_load_fail_some_of_a_crowd_and_nobody_else(healthy_url: str) -> None:
    with running(DEMO_FLAWS="errors-under-load") as url, client(url) as http:
        assert {http.get("/api/health").status_code for _ in range(10)} == {200}
        # A slow machine may need a second burst to be a crowd.
        failures = (500 in asyncio.run(_crowd(url, "/api/health", 60))[1] for _ in range(20))
        assert any(failures)
    assert set(asyncio.run(_crowd(healthy_url, "/api/health", 60))[1]) == {200}


def test_every_tenth_answer_of_a_slow_tail_comes_later() -> None:
    with running(DEMO_FLAWS="slow-tail") as url, client(url) as http:
        took = [http.get("/api/health").elapsed.total_seconds() for _ in range(40)]
        assert sum(seconds >= 0.06 for seconds in took) >= 4


def test_few_errors_are_one_in_a_hundred_and_twenty_five() -> None:
    with running(DEMO_FLAWS="few-errors") as url:
        statuses = asyncio.run(_crowd(url, "/api/health", 250))[1]
        assert statuses.count(500) == 2


async def _crowd(url: str, path: str, size: int) -> tuple[float, list[int]]:
    """Ask ``size`` times at once; the seconds it took and the statuses."""
    started = asyncio.get_running_loop().time()
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        responses = await asyncio.gather(*(http.get(path) for _ in range(size)))
    return asyncio.get_running_loop().time() - started, [response.status_code for response in responses]


def test_flaws_in_production_show_only_by_the_production_host() -> None:
    with running(DEMO_FLAWS_IN_PRODUCTION="tiers-500,open-app", DEMO_FLAWS="no-nosniff") as url:
        with client(url, host=HOST) as candidate:
            assert not SIGNS["tiers-500"](candidate)
            assert not SIGNS["open-app"](candidate)
            assert SIGNS["no-nosniff"](candidate)
        with client(url, host=PRODUCTION_HOST.upper() + ":443") as production:
            assert SIGNS["tiers-500"](production)
            assert SIGNS["open-app"](production)
            assert SIGNS["no-nosniff"](production)


def test_identity_flickers_from_the_third_health_answer_on() -> None:
    with running(DEMO_FLAWS="identity-flickers") as url, client(url) as http:
        commits = [http.get("/api/health").json()["commit"] for _ in range(6)]
        true, other = commits[0], commits[2]
        assert commits == [true, true, other, true, other, true]
        assert true != other


def test_asking_for_an_undeclared_flaw_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="no-such-flaw"):
        flaws.active(httpx.Request("GET", "http://x"), "no-such-flaw")  # type: ignore[arg-type]


def test_unknown_flaw_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'no-hstss'.*'no-hsts'"):
        flaws.parse("no-csp, no-hstss")


def test_flaws_command_lists_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "flaws"], cwd=DEMO.parent, capture_output=True, timeout=60, check=True
    )
    listed = httpx.Response(200, content=done.stdout).json()
    assert [flaw["name"] for flaw in listed] == list(flaws.FLAWS)
    assert all(flaw.keys() == {"name", "breaks", "check", "also"} for flaw in listed)
