"""The way past deployment protection reaches each arm, and nobody else."""

from __future__ import annotations

import pytest
from aiohttp import web

from ci.engine.http import BYPASS_HEADER, BYPASS_VARIABLE, HttpFactory
from ci.engine.trusted import AUDIENCE_VARIABLE, REQUEST_VARIABLE, TRUSTED_HEADER, URL_VARIABLE
from ci.errors import CannotRun
from ci.load.access import gain, of_variable, to, to_variable
from ci.load.plan import Plan
from tests.members import CONFIG, PASSWORD, USER, Members
from tests.runs import run_on
from tests.servers import serving

CANDIDATE, BASELINE, OTHER = "https://candidate.example.com", "https://baseline.example.com", "https://example.com"


@pytest.mark.parametrize("secret", [None, "bypass-secret-1"])
async def test_one_key_opens_both_arms(secret, tmp_path):
    async def issue(request: web.Request) -> web.Response:
        return web.json_response({"value": "token-of-the-job"})

    async with serving({"*": issue}) as tokens:
        environ = {AUDIENCE_VARIABLE: "acme", URL_VARIABLE: f"{tokens}/?api-version=2", REQUEST_VARIABLE: "asking"}
        environ |= {BYPASS_VARIABLE: secret} if secret else {}
        plan = Plan.of(run_on(CANDIDATE, tmp_path).config.load, CANDIDATE, BASELINE)
        http = HttpFactory.for_target(CANDIDATE, budget=9, environ=environ)
        accesses = of_variable({"GONOGO_LOAD_ACCESS": to_variable(await gain(plan, http, None, environ))})
    key = {BYPASS_HEADER: secret} if secret else {TRUSTED_HEADER: "token-of-the-job"}
    (endpoint,) = plan.endpoints
    assert to(CANDIDATE, accesses).headers(endpoint) == to(BASELINE, accesses).headers(endpoint) == key
    assert to(OTHER, accesses).headers(endpoint) == {}
    assert to(CANDIDATE, accesses).secrets == tuple(key.values())
    assert next(iter(key.values())) not in repr(accesses)


async def test_the_load_logs_in_by_a_form_as_a_browser_does(tmp_path):
    """Over plain HTTP a browser keeps no Secure cookie; the test user's session is sent as it was set."""
    environ = {"SHOP_USER": USER, "SHOP_PASSWORD": PASSWORD}
    scenarios = [{"path": "/save", "method": "POST", "login": True}]
    async with serving({"*": Members().handle}) as url:
        run = run_on(url, tmp_path, environ=environ, load={"scenarios": scenarios}, **CONFIG)
        plan = Plan.of(run.config.load, url, None)
        (access,) = await gain(plan, run.http, run.config.smoke.login, environ)
        async with run.http.async_client() as client:
            saved = await client.post("/save", headers=access.headers(plan.endpoints[0]))
        assert saved.status_code == 200
        with pytest.raises(CannotRun, match="the form again"):
            await gain(plan, run.http, run.config.smoke.login, {**environ, "SHOP_PASSWORD": "another"})
