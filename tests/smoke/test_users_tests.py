"""A user's own pytest files: plain ones, declared ones, broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.model import CheckResult, ErrorKind, Outcome, Severity
from ci.smoke import stage
from ci.smoke.user_tests import user_id
from tests.smoke.conftest import Prepare
from tests.smoke.shop import Shop

PLAIN = """
import os
import httpx, pytest

def test_price(client, target_url):
    "Tiers have a price."
    assert client.get("/api/tiers").json()["tiers"][0]["price"] == 0
    assert target_url.startswith("https://")

def test_wrong(client):
    assert client.get("/api/tiers").status_code == 418, "a teapot was wanted"

def test_explodes():
    {}["nothing"]

def test_unreachable():
    httpx.get("http://127.0.0.1:9/")

def test_without_target(): pass

@pytest.fixture
def broken(): raise RuntimeError("no such thing")

def test_broken_setup(broken): pass

def test_left_out(): pytest.skip("not on Fridays")

@pytest.mark.xfail(reason="known")
def test_known(): assert False

@pytest.mark.xfail(strict=True)
def test_unexpectedly_fine(): pass

@pytest.mark.parametrize("path", ["/api/tiers", "/api-tiers"])
def test_each(client, path): assert client.get(path).status_code == 200

def test_profile(logged_in_client, from_conftest):
    assert logged_in_client.get("/api/me").json()["email"] == from_conftest
    assert logged_in_client.post("/api/chat", json={"message": "hello"}).status_code == 200

def test_own_variables(): assert "VERCEL_TOKEN" not in os.environ and "SHOP_USER" in os.environ

class TestInAClass:
    def test_method(self, client): assert client.get("/").is_success
"""

DECLARED = """
import pytest
from ci.engine.check import declare
from ci.model import CheckSpec, Severity

def spec(name):
    return CheckSpec(id=f"smoke/{name}", title="It holds", severity=Severity.LOW, why="w", remediation="r")

@declare(spec("mine"))
@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/neither"])
def test_mine(client, exam, path):
    if client.get(path).status_code != 200:
        exam.finding(f"{path} is not there, wanted it", url=path)

@declare(spec("idle"))
def test_idle(): pass

@declare(spec("endless").model_copy(update={"timeout_s": 0.5}))
def test_endless(client):
    client.get("/")
    while True:
        pass

@declare(spec("deep").model_copy(update={"timeout_s": 0.5}))
def test_deep(client):
    def dig(depth):
        while depth > 900:
            pass
        dig(depth + 1)
    dig(0)

@declare(spec("halfway"))
def test_halfway(client, exam):
    exam.finding("the first thing is wrong", key="first")
    client.get("/")
    raise RuntimeError("then it broke")
"""

CONFTEST = """
import pytest

@pytest.fixture
def from_conftest(): return "ada@example.com"
"""


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def run_own(shop: Shop, prepare: Prepare) -> object:
    login = (
        "login: {{path: /api/login, username: SHOP_USER, password: SHOP_PASSWORD, token: auth.access, "
        "whoami: /api/me, csrf: {{header: x-csrf, field: csrf}}}}"
    )

    async def ran(*paths: str, **environ: str) -> dict[str, CheckResult]:
        text = (
            f"target: {{{{production: {{url}}}}}}\nsmoke: {{{{browser: false, {login}, paths: [{', '.join(paths)}]}}}}"
        )
        wanted = {"smoke/user-tests", "smoke/not-found"}
        report = await stage.run(prepare(text, **environ), only=wanted)
        return {result.spec.id: result for result in report.results}

    return ran


def outcome(results: dict[str, CheckResult], test: str, file: str = "own/test_plain.py") -> CheckResult:
    return results[user_id(f"{file}::{test}")]


async def test_plain_tests_are_checks(tests: Path, run_own: object) -> None:
    (tests / "test_plain.py").write_text(PLAIN)
    results = await run_own("own", VERCEL_TOKEN="a-token-of-vercel", PYTEST_ADDOPTS="--nonsense")

    price = outcome(results, "test_price")
    assert price.outcome is Outcome.PASS
    assert price.spec.title == "Tiers have a price"
    assert any("GET /api/tiers → 200" in item.summary for item in price.evidence)

    wrong = outcome(results, "test_wrong")
    assert wrong.outcome is Outcome.FAIL
    assert wrong.findings[0].message.startswith("a teapot was wanted")
    assert wrong.findings[0].severity is Severity.HIGH
    assert str(wrong.findings[0].location).startswith("own/test_plain.py:")

    assert "KeyError" in outcome(results, "test_explodes").findings[0].message
    unreachable = outcome(results, "test_unreachable").error
    assert unreachable and unreachable.kind is ErrorKind.UNREACHABLE
    assert outcome(results, "test_without_target").outcome is Outcome.PASS
    setup = outcome(results, "test_broken_setup").error
    assert setup and "no such thing" in setup.message
    assert outcome(results, "test_left_out").skip_reason == "not on Fridays"
    assert outcome(results, "test_known").skip_reason == "expected to fail: known"
    assert outcome(results, "test_unexpectedly_fine").outcome is Outcome.FAIL
    assert outcome(results, "test_each[/api/tiers]").outcome is Outcome.PASS
    assert outcome(results, "test_each[/api-tiers]").outcome is Outcome.FAIL
    assert outcome(results, "test_profile").outcome is Outcome.PASS
    assert outcome(results, "test_own_variables").outcome is Outcome.PASS
    assert outcome(results, "TestInAClass::test_method").outcome is Outcome.PASS
    assert results["smoke/user-tests"].outcome is Outcome.PASS


async def test_declared_tests_are_held_to_their_declaration(tests: Path, run_own: object) -> None:
    (tests / "test_declared.py").write_text(DECLARED)
    results = await run_own("own")
    mine = results["smoke/mine"]
    assert [finding.location.url for finding in mine.findings] == ["/nowhere", "/neither"]
    idle = results["smoke/idle"].error
    assert idle and idle.kind is ErrorKind.NO_DATA
    for check_id in ("smoke/endless", "smoke/deep"):
        error = results[check_id].error
        assert error and error.kind is ErrorKind.TIMEOUT, error
        assert error.message == "the check did not end within 0.5 s"
    halfway = results["smoke/halfway"]
    assert [finding.message for finding in halfway.findings] == ["the first thing is wrong"]
    assert any("then it broke" in item.summary for item in halfway.evidence)


async def test_a_file_that_cannot_be_imported_stops_no_other(tests: Path, run_own: object) -> None:
    (tests / "test_good.py").write_text("def test_good(client): assert client.get('/').is_success\n")
    (tests / "test_bad.py").write_text("import no_such_library\n")
    results = await run_own("own")
    assert results["smoke/not-found"].outcome is Outcome.PASS
    assert outcome(results, "test_good", "own/test_good.py").outcome is Outcome.PASS
    bad = results[user_id("own/test_bad.py")].error
    assert bad and "no_such_library" in bad.message
    collection = results["smoke/user-tests"].error
    assert collection and "own/test_bad.py" in collection.message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no test was found in own"),
        ("import pytest\n\n\ndef test_a(): pytest.skip('no')\n", "none of 1 tests in own ran"),
    ],
)
async def test_tests_that_say_nothing_are_no_pass(tests: Path, run_own: object, content: str, says: str) -> None:
    (tests / "test_nothing.py").write_text(content)
    error = (await run_own("own"))["smoke/user-tests"].error
    assert error and says in error.message


async def test_a_path_that_does_not_exist(tests: Path, run_own: object) -> None:
    error = (await run_own("elsewhere"))["smoke/user-tests"].error
    assert error and error.kind is ErrorKind.NO_DATA
    assert "no test was found in elsewhere" in error.message


async def test_a_broken_conftest(tests: Path, run_own: object) -> None:
    (tests / "conftest.py").write_text("import no_such_library\n")
    (tests / "test_good.py").write_text("def test_good(): pass\n")
    results = await run_own("own")
    assert results["smoke/not-found"].outcome is Outcome.PASS
    error = results["smoke/user-tests"].error
    assert error and "no_such_library" in error.message


async def test_a_crash_keeps_what_was_found(tests: Path, run_own: object) -> None:
    (tests / "test_crash.py").write_text(
        "import os, signal\n\n\ndef test_a(client): assert client.get('/').is_success\n\n\n"
        "def test_b(): os.kill(os.getpid(), signal.SIGKILL)\n\n\ndef test_c(): pass\n"
    )
    results = await run_own("own")
    file = "own/test_crash.py"
    assert outcome(results, "test_a", file).outcome is Outcome.PASS
    for name in ("test_b", "test_c"):
        error = outcome(results, name, file).error
        assert error and error.kind is ErrorKind.TOOL_FAILED
        assert "signal 9" in error.message
    assert results["smoke/user-tests"].outcome is Outcome.ERROR


async def test_a_crash_halfway_through_a_parametrised_check_is_no_pass(tests: Path, run_own: object) -> None:
    (tests / "test_half.py").write_text(
        "import os, signal, pytest\nfrom ci.engine.check import declare\nfrom ci.model import CheckSpec, Severity\n\n"
        "@declare(CheckSpec(id='smoke/half', title='t', severity=Severity.LOW, why='w', remediation='r'))\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_half(client, n):\n"
        "    client.get('/')\n"
        "    if n == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    half = (await run_own("own"))["smoke/half"]
    assert half.outcome is Outcome.ERROR
    assert half.error and "signal 9" in half.error.message


async def test_damaged_results_are_no_pass(tests: Path, run_own: object) -> None:
    (tests / "test_scribble.py").write_text(
        "import json, os, pathlib\n\n\ndef test_scribble():\n"
        "    job = json.loads(pathlib.Path(os.environ['GONOGO_SMOKE_JOB']).read_text())\n"
        "    with open(job['results'], 'a') as file: file.write('nonsense\\n')\n"
    )
    results = await run_own("own")
    assert results["smoke/not-found"].outcome is Outcome.PASS
    error = results["smoke/user-tests"].error
    assert error and error.kind is ErrorKind.BAD_OUTPUT


@pytest.mark.browser
async def test_a_page_for_users(tests: Path, run_own: object) -> None:
    (tests / "test_page.py").write_text(
        "def test_heading(page):\n    page.goto('/')\n    assert page.locator('h1').inner_text() == 'Shop'\n"
    )
    result = outcome(await run_own("own"), "test_heading", "own/test_page.py")
    assert result.outcome is Outcome.PASS, result
    assert any("the browser went to https://" in item.summary for item in result.evidence)
