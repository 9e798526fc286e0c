"""The login wall in front of deployment URLs."""

from __future__ import annotations

import httpx
import pytest

BYPASS = "x-vercel-protection-bypass"
SET_COOKIE = "x-vercel-set-bypass-cookie"


@pytest.fixture
async def walled(open_world):
    return await open_world(protected="deployments")


def _candidate(world) -> str:
    return f"https://{world.candidate.url}/private?x=1"


async def test_strangers_get_the_login_page_and_production_stays_open(walled):
    answer = await walled.site.get(_candidate(walled))
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "_vercel_sso_nonce" in answer.text
    assert "_vercel_sso_nonce" in answer.headers["set-cookie"]
    assert walled.candidate.id not in answer.text
    assert await walled.serving() == walled.baseline.id


@pytest.mark.parametrize("secret", [b"", b"wrong", b"0" * 32, b"\xfc"])
async def test_a_wrong_secret_opens_nothing(walled, secret):
    answer = await walled.site.get(_candidate(walled), headers={BYPASS: secret})
    assert answer.status_code == 401


async def test_the_secret_opens_and_stays_at_the_edge(walled):
    answer = await walled.site.get(_candidate(walled), headers={BYPASS: walled.standin.bypass_secret})
    assert answer.json()["deployment"] == walled.candidate.id
    assert walled.standin.bypass_secret not in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_cookie_opens_this_site_and_no_other(walled):
    headers = {BYPASS: walled.standin.bypass_secret, SET_COOKIE: "true"}
    answer = await walled.site.get(_candidate(walled), headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (307, "/private?x=1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("_vercel_jwt=")
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    assert walled.standin.bypass_secret not in cookie
    value = cookie.split(";")[0]
    walled.site.cookies.clear()
    opened = await walled.site.get(_candidate(walled), headers={"Cookie": value})
    assert opened.json()["deployment"] == walled.candidate.id
    other = await walled.site.get(f"https://{walled.baseline.url}/", headers={"Cookie": value})
    assert other.status_code == 401
    forged = await walled.site.get(_candidate(walled), headers={"Cookie": value + "x"})
    assert forged.status_code == 401


async def test_a_browser_follows_the_redirect_with_its_cookie(walled):
    headers = {BYPASS: walled.standin.bypass_secret, SET_COOKIE: "true"}
    first = await walled.site.get(_candidate(walled), headers=headers)
    second = await walled.site.send(_with_jar(walled.site, first))
    assert second.json()["deployment"] == walled.candidate.id


async def test_production_can_be_walled_too(open_world):
    world = await open_world(protected="all")
    assert (await world.site.get(world.standin.production_url)).status_code == 401


def _with_jar(site: httpx.AsyncClient, redirect: httpx.Response) -> httpx.Request:
    return site.build_request("GET", redirect.url.join(redirect.headers["location"]))


async def test_a_trusted_token_opens_and_stays_at_the_edge(walled):
    url = walled.standin.url_of(walled.candidate)
    given = {"x-vercel-trusted-oidc-idp-token": "token-of-another-issuer"}
    assert (await walled.site.get(url, headers=given)).status_code == 401
    switched = await walled.control.post("/switches", json={"trusted_token": given["x-vercel-trusted-oidc-idp-token"]})
    assert switched.status_code == 200
    answer = await walled.site.get(url, headers=given)
    assert answer.status_code == 200
    assert not given.keys() & answer.json()["headers"].keys()
    assert (await walled.site.get(url, headers={"x-vercel-trusted-oidc-idp-token": "another"})).status_code == 401
