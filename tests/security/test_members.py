"""A foreign application with forms: found sound, and each of its faults noticed by the check that is meant to."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ci.engine.run import Run
from ci.model import CheckResult, Outcome, Severity
from ci.security import live
from tests.members import CONFIG, PASSWORD, USER, Members
from tests.servers import serving

KNOWN = {"SHOP_USER": USER, "SHOP_PASSWORD": PASSWORD}
FAULTS = {
    "cookie-read-by-scripts": ("cookie-httponly", Severity.HIGH, "beans"),
    "in-an-attribute": ("reflected-markup", Severity.HIGH, "ends the value of the attribute"),
    "in-single-quotes": ("reflected-markup", Severity.HIGH, "ends the value of the attribute"),
    "in-an-attribute-with-brackets": ("reflected-markup", Severity.HIGH, "ends the value of the attribute"),
    "in-a-script": ("reflected-markup", Severity.HIGH, "ends the string in the script"),
    "leads-anywhere": ("reflected-markup", Severity.HIGH, "an address that is a script"),
    "next-anywhere": ("open-redirect", Severity.MEDIUM, "a login at"),
    "null-character": ("malformed-input", Severity.HIGH, "a null character in the query"),
    "csp-of-everybody": ("csp-sources", Severity.MEDIUM, "https://*.vercel.app"),
    "csp-of-packages": ("csp-sources", Severity.LOW, "https://unpkg.com"),
    "settings-lying-open": ("exposed-files", Severity.CRITICAL, "/settings.py"),
}


@asynccontextmanager
async def members(
    fault: str, tls: ssl.SSLContext, running_on: Callable[..., Run]
) -> AsyncIterator[tuple[Members, Run]]:
    made = Members(fault)
    async with serving({"*": made.handle}, tls=tls) as url:
        yield made, running_on(url, KNOWN, **CONFIG)


def told(results: tuple[CheckResult, ...]) -> list[str]:
    """What stands against the application, and what could not be found out."""
    return [
        str(told)
        for result in results
        for told in (*[f.message for f in result.findings if f.severity.rank >= Severity.MEDIUM.rank], result.error)
        if told
    ]


async def test_a_sound_application_with_forms_has_nothing_against_it(
    tls: ssl.SSLContext, running_on: Callable[..., Run]
) -> None:
    async with members("", tls, running_on) as (_, run):
        results = await live.results(run)
    assert told(results) == []
    passed = {result.spec.id.partition("/")[2] for result in results if result.outcome is Outcome.PASS}
    assert passed >= {check for check, *_ in FAULTS.values()} | {"csrf-missing", "csrf-wrong", "csrf-accepts"}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_noticed(fault: str, tls: ssl.SSLContext, running_on: Callable[..., Run]) -> None:
    check, severity, words = FAULTS[fault]
    async with members(fault, tls, running_on) as (_, run):
        (result,) = await live.results(run, [f"security/{check}"])
    assert any(f.severity is severity and words in f.message for f in result.findings), result


async def test_the_password_goes_to_the_targets_own_origin_alone(
    tls: ssl.SSLContext, running_on: Callable[..., Run]
) -> None:
    async with members("form-sent-elsewhere", tls, running_on) as (_, run):
        (result,) = await live.results(run, ["security/open-redirect"])
    assert result.error is None, "elsewhere.invalid was asked, or nobody was"


async def test_names_that_look_like_productions_are_tried(tls: ssl.SSLContext, running_on: Callable[..., Run]) -> None:
    async def ends_alike(request: web.Request) -> web.Response:
        origin = request.headers.get("origin", "")
        trusted = {"access-control-allow-origin": origin, "access-control-allow-credentials": "true"}
        return web.json_response({}, headers=trusted if origin.endswith("app.example.com") else {})

    async with serving({"*": ends_alike}, tls=tls) as url:
        run = running_on(url, target={"production": "https://app.example.com"}, smoke={"api": [{"path": "/items"}]})
        (result,) = await live.results(run, ["security/cors-origin"])
    assert any("https://gonogoapp.example.com" in finding.message for finding in result.findings), result
