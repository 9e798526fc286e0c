from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.engine.check import Check
from ci.engine.runner import judge
from ci.model import CheckResult, ErrorKind, Outcome
from ci.security import headers
from ci.security.answer import Answer
from ci.security.stage import run, specs
from ci.security.surface import Surface
from tests.runs import run_on
from tests.servers import answers, hang, serving

GOOD = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
}

IDS = [f"security/{slug}" for slug in ("hsts", "nosniff", "framing", "referrer-policy", "csp")]


def surface(changed: dict[str, str | None] | None = None, url: str = "https://app.example.com/") -> Surface:
    merged = {name: value for name, value in (GOOD | (changed or {})).items() if value is not None}
    return Surface((Answer(url, 200, httpx.Headers(merged), "text/html"),))


def outcome(check: Check[Surface], changed: dict[str, str | None]) -> CheckResult:
    return judge(check, surface(changed))


@pytest.mark.parametrize(
    "check", [headers.hsts, headers.nosniff, headers.framing, headers.referrer_policy, headers.csp]
)
def test_a_sound_answer_passes_and_silence_does_not(check: Check[Surface]) -> None:
    assert judge(check, surface()).outcome is Outcome.PASS
    nothing = judge(check, Surface(()))
    assert nothing.error
    assert nothing.error.kind is ErrorKind.NO_DATA


@pytest.mark.parametrize(
    ("check", "header", "value"),
    [
        (headers.hsts, "strict-transport-security", None),
        (headers.hsts, "strict-transport-security", "max-age=0"),
        (headers.hsts, "strict-transport-security", "max-age=86400; includeSubDomains"),
        (headers.hsts, "strict-transport-security", "includeSubDomains"),
        (headers.hsts, "strict-transport-security", "max-age=many"),
        (headers.hsts, "strict-transport-security", "max-age=-31536000"),
        (headers.hsts, "strict-transport-security", "max-age=" + "9" * 400),
        (headers.nosniff, "x-content-type-options", None),
        (headers.nosniff, "x-content-type-options", "sniff"),
        (headers.referrer_policy, "referrer-policy", None),
        (headers.referrer_policy, "referrer-policy", "unsafe-url"),
        (headers.referrer_policy, "referrer-policy", "no-referrer-when-downgrade"),
        (headers.referrer_policy, "referrer-policy", "no-referrer, unsafe-url"),
        (headers.referrer_policy, "referrer-policy", "nonsense"),
        (headers.csp, "content-security-policy", None),
        (headers.csp, "content-security-policy", "frame-ancestors 'none'"),
        (headers.csp, "content-security-policy", ""),
    ],
)
def test_an_unsound_header_fails(check: Check[Surface], header: str, value: str | None) -> None:
    result = outcome(check, {header: value})
    assert result.outcome is Outcome.FAIL
    assert "https://app.example.com/" in result.findings[0].message


@pytest.mark.parametrize(
    ("check", "header", "value"),
    [
        (headers.hsts, "strict-transport-security", 'MAX-AGE="15552000"'),
        (headers.nosniff, "x-content-type-options", "NoSniff"),
        (headers.referrer_policy, "referrer-policy", "unsafe-url, strict-origin"),
        (headers.referrer_policy, "referrer-policy", "same-origin, a-future-policy"),
        (headers.csp, "content-security-policy", "object-src 'none', script-src 'self'"),
        (headers.csp, "content-security-policy", "SCRIPT-SRC 'none'"),
    ],
)
def test_other_sound_spellings_pass(check: Check[Surface], header: str, value: str) -> None:
    assert outcome(check, {header: value}).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("policy", "options", "wanted"),
    [
        (None, "DENY", Outcome.PASS),
        (None, "sameorigin", Outcome.PASS),
        (None, None, Outcome.FAIL),
        (None, "ALLOW-FROM https://a.example", Outcome.FAIL),
        ("default-src 'self'", None, Outcome.FAIL),
        ("frame-ancestors 'self'", None, Outcome.PASS),
        ("frame-ancestors *", "DENY", Outcome.FAIL),
        ("frame-ancestors https:", "DENY", Outcome.FAIL),
        ("frame-ancestors https://partner.example", None, Outcome.PASS),
        ("frame-ancestors", None, Outcome.PASS),
    ],
)
def test_framing(policy: str | None, options: str | None, wanted: Outcome) -> None:
    result = outcome(headers.framing, {"content-security-policy": policy, "x-frame-options": options})
    assert result.outcome is wanted


def test_report_only_is_called_by_its_name() -> None:
    changed = {"content-security-policy": None, "content-security-policy-report-only": "default-src 'self'"}
    assert "only reports" in outcome(headers.csp, changed).findings[0].message


def test_plain_http_cannot_have_hsts() -> None:
    assert judge(headers.hsts, surface(url="http://app.example.com/")).outcome is Outcome.FAIL


def test_a_finding_is_the_same_at_the_next_deployment() -> None:
    prints = {
        judge(headers.nosniff, surface({"x-content-type-options": None}, url)).findings[0].fingerprint
        for url in ("https://a.vercel.app/", "https://b.vercel.app/")
    }
    assert len(prints) == 1


@given(value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_no_header_value_breaks_a_check(value: str) -> None:
    made = surface(dict.fromkeys(GOOD, value))
    for check in (headers.hsts, headers.nosniff, headers.framing, headers.referrer_policy, headers.csp):
        assert judge(check, made).outcome in {Outcome.PASS, Outcome.FAIL}


async def test_a_healthy_foreign_server(tmp_path: Path) -> None:
    routes = {"/": answers("<h1>hi</h1>", headers=GOOD), "*": answers("no", status=404, headers=GOOD)}
    async with serving(routes) as url:
        report = await run(run_on(url, tmp_path), only=IDS)
    by_id = {result.spec.id: result for result in report.results}
    assert by_id.pop("security/hsts").outcome is Outcome.FAIL, "it is served over plain HTTP"
    assert {result.outcome for result in by_id.values()} == {Outcome.PASS}
    assert set(by_id) | {"security/hsts"} == set(IDS) <= {spec.id for spec in specs(run_on(url, tmp_path).config)}


async def test_redirects_on_the_own_origin_are_followed_and_loops_end(tmp_path: Path) -> None:
    routes = {
        "/": answers(status=307, headers={"location": "/en"}),
        "/en": answers("<h1>hi</h1>", headers=GOOD),
        "*": answers("no", status=404, headers=GOOD),
    }
    async with serving(routes) as url:
        report = await run(run_on(url, tmp_path), only=["security/csp"])
        assert [result.outcome for result in report.results] == [Outcome.PASS]
        assert any(evidence.summary.startswith(f"{url}/en") for evidence in report.results[0].evidence)
    async with serving({"*": answers(status=302, headers={"location": "/"})}) as url:
        report = await run(run_on(url, tmp_path), only=IDS)
        assert {r.error and r.error.kind for r in report.results} == {ErrorKind.BAD_OUTPUT}


async def test_only_server_errors_are_nothing_to_judge(tmp_path: Path) -> None:
    async with serving({"*": answers(status=500, headers=GOOD)}) as url:
        report = await run(run_on(url, tmp_path), only=IDS)
    assert {r.error and r.error.kind for r in report.results} == {ErrorKind.NO_DATA}


async def test_a_target_that_hangs_or_is_gone(tmp_path: Path) -> None:
    async with serving({"*": hang}) as url:
        report = await run(run_on(url, tmp_path, target={"timeout": "100ms"}), only=IDS)
        assert {r.error and r.error.kind for r in report.results} == {ErrorKind.TIMEOUT}
    report = await run(run_on(url, tmp_path), only=IDS)
    assert {r.error and r.error.kind for r in report.results} == {ErrorKind.UNREACHABLE}
