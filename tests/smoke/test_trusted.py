"""Trusted Sources in the way of a browser: the token goes to the target, and past no redirect to anybody else."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from ci.engine.trusted import AUDIENCE_VARIABLE, REQUEST_VARIABLE, TRUSTED_HEADER, URL_VARIABLE
from ci.model import ErrorKind, Outcome
from ci.smoke import stage
from tests.servers import serving
from tests.smoke.conftest import Prepare

pytestmark = pytest.mark.browser
CLAIMS = base64.urlsafe_b64encode(b'{"exp": 9999999999}').decode()
TOKEN = f"eyJhbGciOiJub25lIn0.{CLAIMS}.signature"
TEXT = "target: {{production: {url}}}\nsmoke: {{pages: [/], widths: {{desktop: 1280}}}}\n"
PAGES = {"smoke/page-renders", "smoke/failed-requests", "smoke/console-errors"}


@dataclass
class World:
    """The target behind its protection, somebody else's server, and what each was sent."""

    target: str = ""
    tokens: str = ""
    heads: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {"target": [], "other": []})


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()

    def heard(who: str, request: web.Request) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        world.heads[who].append(headers | {"path": request.path})

    async def other(request: web.Request) -> web.Response:
        heard("other", request)
        return web.Response(
            text="/* fine */", content_type="text/javascript", headers={"access-control-allow-origin": "*"}
        )

    async def give(request: web.Request) -> web.Response:
        if request.headers["authorization"] != "Bearer asking" or request.query["audience"] != "vercel":
            return web.Response(status=403)
        return web.json_response({"value": TOKEN})

    async with serving({"*": other}) as address, serving({"*": give}) as world.tokens:
        other_url = address.replace("127.0.0.1", "localhost")

        async def protected(request: web.Request) -> web.Response:
            heard("target", request)
            if request.headers.get(TRUSTED_HEADER) != TOKEN:
                wall = "<title>Authentication Required</title><script>_vercel_sso_nonce</script>"
                return web.Response(text=wall, status=401, content_type="text/html")
            if request.path == "/away":
                raise web.HTTPFound(f"{other_url}/landed")
            page = f"<title>Behind</title><h1>Behind</h1><script src={other_url}/a.js crossorigin></script>"
            page += "<img src=/away alt=''><img src=/own alt=''>"
            answer = web.Response(text=page, content_type="text/html")
            answer.set_cookie("seen", "yes")
            return answer

        async with serving({"*": protected}) as world.target:
            yield world


async def test_the_token_stays_with_the_target(world: World, prepare: Prepare) -> None:
    variables = {
        AUDIENCE_VARIABLE: "vercel",
        URL_VARIABLE: f"{world.tokens}/token?version=1",
        REQUEST_VARIABLE: "asking",
    }
    run = prepare(TEXT, at=world.target, **variables)
    report = await stage.run(run, only=PAGES)
    outcomes = {result.spec.id: result.outcome for result in report.results}
    assert set(outcomes.values()) == {Outcome.PASS}, [result.error or result.findings for result in report.results]
    assert {head["path"] for head in world.heads["other"]} == {"/a.js", "/landed"}
    assert not any(TOKEN in str(head) or TRUSTED_HEADER in head for head in world.heads["other"])
    by_browser = [head for head in world.heads["target"] if "Chrome" in head["user-agent"]]
    assert {head["path"] for head in by_browser} >= {"/", "/away", "/own"}
    assert all(head[TRUSTED_HEADER] == TOKEN for head in by_browser)
    assert any(head.get("cookie") == "seen=yes" for head in by_browser), "a session still works"
    assert TOKEN not in report.model_dump_json()


async def test_no_token_is_no_answer(world: World, prepare: Prepare) -> None:
    report = await stage.run(prepare(TEXT, at=world.target, **{AUDIENCE_VARIABLE: "vercel"}), only=PAGES)
    for result in report.results:
        assert result.error and result.error.kind is ErrorKind.MISCONFIGURED, result
        assert "id-token: write" in result.error.message
