"""Every live check on a foreign application: a sound one passes, a faulty one fails, and silence is no pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ci.engine.check import Check
from ci.engine.run import Run
from ci.engine.runner import judge
from ci.model import ErrorKind, Measure, Outcome, Severity
from ci.security import live
from ci.security.answer import Answer
from ci.security.bundles import Bundle
from ci.security.cookies import Jar
from ci.security.csrf import Attempts
from ci.security.exposure import Exposure
from ci.security.guards import Guarded
from ci.security.handshakes import Transport
from ci.security.health import Health
from ci.security.inputs import Meal
from ci.security.likeness import Strangers
from ci.security.limits import Burst
from ci.security.recovery import rate_limit_recovery
from ci.security.reflection import Reflections
from ci.security.surface import Surface
from ci.security.transport import HANDSHAKE_CHECKS, https_redirect
from ci.security.ways import user_enumeration
from tests.security.conftest import Opened
from tests.security.foreign import BURST, CONFIG
from tests.servers import Handler, answers, serving

APPLICATION_CHECKS = [check for check in live.CHECKS if check not in (*HANDSHAKE_CHECKS, https_redirect)]


async def test_a_sound_application_passes_everything(shop: Opened) -> None:
    measured: list[Measure] = []
    async with shop("") as (served, run):
        results = await live.results(run, measured=measured.append)
        again = await live.results(run)
    told = {
        result.spec.id: result.error or [f.message for f in result.findings] or result.skip_reason for result in results
    }
    assert {check_id: why for check_id, why in told.items() if why} == {
        "security/https-redirect": "the target is not on port 443, so its plain port is not known: "
        "write it as security.tls.plain_port"
    }
    assert [result.outcome for result in again] == [result.outcome for result in results]
    assert len(served.asked) < 650, "in two runs"
    assert measured[0].value >= 100
    assert "A+" in measured[0].name


@pytest.mark.parametrize("check", APPLICATION_CHECKS, ids=lambda check: check.spec.id.partition("/")[2])
async def test_the_named_check_fails(check: Check[Any], shop: Opened) -> None:
    async with shop(check.spec.id.partition("/")[2]) as (_, run):
        (result,) = await live.results(run, [check.spec.id])
    assert result.outcome is Outcome.FAIL, result.error or result.skip_reason or result.evidence
    assert {finding.check_id for finding in result.findings} == {check.spec.id}


def _empty(check: Check[Any]) -> Any:
    """Evidence of the check's group in which nothing was seen."""
    answer = Answer("https://localhost/", 503, httpx.Headers(), "text/html")
    limit = live_config().security.rate_limit
    assert limit
    surface = Surface(())
    by_activity = {
        "fetching pages and answers": surface,
        "shaking hands": Transport("https://localhost", "localhost", 443, (), 14),
        "looking into cookies": Jar((), frozenset(), frozenset(), 1.0, None, None),
        "asking as another site": (),
        "forging requests": Attempts(answer, answer, ()),
        "walking around the guards": Guarded((), (), (), Strangers(()), frozenset()),
        "asking to be sent elsewhere": (),
        "returning uninvited": (),
        "looking for what lies open": Exposure({}, Strangers(()), (), surface, frozenset()),
        "reading scripts": Bundle((), (), (), (), 0),
        "feeding it nonsense": Meal((), (), (), (), "mark"),
        "sending it markup": Reflections((), "mark"),
        "asking for its health": Health(()),
        "pressing the rate limit": Burst(limit, (), (), ()),
    }
    group = next(group for group in live.GROUPS if check in group.checks)
    return by_activity.get(group.activity)


def live_config() -> Any:
    from ci.config import Config

    return Config.model_validate({"target": {"production": "https://localhost"}, **CONFIG})


# The evidence of these is made of answers that are always there, so it cannot be empty.
@pytest.mark.parametrize(
    "check",
    [c for c in live.CHECKS if c not in (user_enumeration, rate_limit_recovery)],
    ids=lambda check: check.spec.id.partition("/")[2],
)
def test_silence_is_no_pass(check: Check[Any]) -> None:
    assert judge(check, _empty(check)).outcome in {Outcome.ERROR, Outcome.SKIP}


def test_every_check_says_what_to_do() -> None:
    for check in live.CHECKS:
        spec = check.spec
        assert spec.remediation.endswith("."), spec.id
        assert spec.why.endswith("."), spec.id
        assert len(spec.references) >= 2, spec.id


async def test_checks_that_are_not_configured_name_the_key(running_on: Callable[..., Run], tls: Any) -> None:
    async with serving({"*": answers("<h1>hi</h1>")}, tls=tls) as url:
        results = await live.results(running_on(url))
    skipped = {r.spec.id: r.skip_reason for r in results if r.outcome is Outcome.SKIP}
    assert "security.rate_limit" in str(skipped["security/rate-limit"])
    assert "smoke.login" in str(skipped["security/csrf-missing"])
    assert "smoke.protected" in str(skipped["security/protected-methods"])
    assert "smoke.health" in str(skipped["security/health-details"])
    for name in ("secure", "httponly", "samesite", "prefix", "lifetime"):
        assert "no cookie was set by" in str(skipped[f"security/cookie-{name}"])
        assert "smoke.login" in str(skipped[f"security/cookie-{name}"])
    assert "security.pages" in str(skipped["security/token-in-url"])


async def test_a_login_that_is_configured_but_impossible_is_no_skip(shop: Opened) -> None:
    async with shop("") as (_, run):
        environ = {key: value for key, value in run.environ.items() if key != "SHOP_PASSWORD"}
        run = Run(run.config, run.subject, environ, run.http, run.store, run.progress)
        (result,) = await live.results(run, ["security/session-fixation"])
    assert result.error
    assert result.error.kind is ErrorKind.MISCONFIGURED
    assert "SHOP_PASSWORD" in result.error.message


async def test_the_limit_gets_no_more_requests_than_configured(shop: Opened) -> None:
    async with shop("rate-limit") as (served, run):
        await live.results(run, [check.spec.id for check in live.CHECKS if "limit" in check.spec.id])
    assert served.asked.count("POST /vote") == BURST + 1
    assert served.asked.count("GET /hook") == BURST + 1


async def test_one_login_serves_all(shop: Opened) -> None:
    async with shop("") as (served, run):
        await live.results(run, ["security/csrf-missing", "security/open-redirect", "security/cookie-secure"])
        assert served.asked.count("POST /session") == 2, "one login, and one with a planted cookie"


async def test_a_catch_all_page_is_no_finding(running_on: Callable[..., Run], tls: Any) -> None:
    async with serving({"*": answers("<title>App</title><div id=root></div>")}, tls=tls) as url:
        results = await live.results(running_on(url))
    exposed = {"exposed-files", "exposed-repository", "exposed-backups", "debug-pages", "directory-listing", "api-docs"}
    outcomes = {r.spec.id: r.outcome for r in results if r.spec.id.partition("/")[2] in {*exposed, "source-maps"}}
    assert set(outcomes.values()) == {Outcome.PASS}
    assert len(outcomes) == 7


def test_severities_are_calibrated() -> None:
    advice = {"hsts-scope", "permissions-policy", "opener-policy", "resource-policy", "embedder-policy"}
    advice |= {"server-banner", "csp-base-uri", "csp-form-action", "subresource-integrity", "api-docs"}
    advice |= {"internal-addresses", "unknown-fields", "retry-after"}
    mild = {c.spec.id.partition("/")[2] for c in live.CHECKS if c.spec.severity.rank < Severity.MEDIUM.rank}
    assert mild == advice


async def test_chunks_and_preloaded_scripts_are_read_too(running_on: Callable[..., Run], tls: Any) -> None:
    loaded = "<link rel=modulepreload href=/assets/early.js><script src=/_next/static/chunks/main.js></script>"
    key = "wh" + "sec_" + "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA"

    def script(text: str) -> Handler:
        return answers(text, type_="text/javascript")

    routes = {
        "/": answers(f"<title>a</title>{loaded}"),
        "/assets/early.js": script("import('./assets/late-1.js')"),
        "/assets/late-1.js": script("late()"),
        "/_next/static/chunks/main.js": script("load('static/chunks/77.js')"),
        "/_next/static/chunks/77.js": script(f"const key = '{key}'"),
        "*": answers("no", status=404),
    }
    async with serving(routes, tls=tls) as url:
        (result,) = await live.results(running_on(url), ["security/bundle-secrets"])
    assert [finding.location.url for finding in result.findings] == [f"{url}/_next/static/chunks/77.js"]
    assert "4 scripts" in result.evidence[-1].summary


async def test_an_api_without_a_page_is_judged_as_one(running_on: Callable[..., Run], tls: Any) -> None:
    headers = {"strict-transport-security": "max-age=63072000", "x-content-type-options": "nosniff", "server": "api"}
    api = answers("{}", type_="application/json", headers=headers)
    gone = answers("{}", status=404, type_="application/json", headers=headers)
    async with serving({"/": api, "*": gone}, tls=tls) as url:
        results = await live.results(running_on(url))
    assert {r.spec.id: r for r in results if r.outcome not in {Outcome.PASS, Outcome.SKIP}} == {}
    by_id = {result.spec.id.partition("/")[2]: result for result in results}
    assert "security.pages" in str(by_id["csp"].skip_reason)
    assert {by_id[name].outcome for name in ("csp", "framing", "observatory-grade", "source-maps")} == {Outcome.SKIP}
    assert {by_id[name].outcome for name in ("hsts", "nosniff", "exposed-files")} == {Outcome.PASS}
    async with serving({"*": answers("{}", status=503, type_="application/json")}, tls=tls) as url:
        (result,) = await live.results(running_on(url), ["security/csp"])
    assert result.outcome is Outcome.ERROR, "a page that failed may be one"


async def test_scripts_that_cannot_be_read_are_no_pass(running_on: Callable[..., Run], tls: Any) -> None:
    routes = {"/": answers("<script src=/app.js></script>"), "*": answers("no", status=403)}
    async with serving(routes, tls=tls) as url:
        results = await live.results(running_on(url), ["security/bundle-secrets", "security/source-maps"])
    assert {result.error and result.error.kind for result in results} == {ErrorKind.NO_DATA}
