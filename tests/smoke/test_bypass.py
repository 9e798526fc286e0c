"""Deployment protection in the way of a browser: its secret is never given to anybody but the target."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from ci.engine.http import BYPASS_HEADER, BYPASS_VARIABLE
from ci.model import ErrorKind, Outcome
from ci.smoke import stage
from tests.servers import serving
from tests.smoke.conftest import Prepare

pytestmark = pytest.mark.browser
SECRET = "bypass-0123456789abcdefghijklmnop"
COOKIE = "opened-by-the-secret"
TEXT = "target: {{production: {url}}}\nsmoke: {{pages: [/], widths: {{desktop: 1280}}}}\n"
PAGES = {"smoke/page-renders", "smoke/failed-requests", "smoke/console-errors"}


@dataclass
class World:
    """The target behind its protection, somebody else's server, and all that each was sent."""

    target: str = ""
    heads: dict[str, list[str]] = field(default_factory=lambda: {"target": [], "other": []})
    gives_cookie: bool = True


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()

    def heard(who: str, request: web.Request) -> None:
        world.heads[who].append(f"{request.method} {request.path_qs} {dict(request.headers)}")

    async def other(request: web.Request) -> web.Response:
        heard("other", request)
        return web.Response(
            text="/* fine */", content_type="text/javascript", headers={"access-control-allow-origin": "*"}
        )

    async with serving({"*": other}) as address:
        other_url = address.replace("127.0.0.1", "localhost")  # cookies know hosts, but not ports

        async def protected(request: web.Request) -> web.Response:
            heard("target", request)
            if request.cookies.get("_vercel_jwt") == COOKIE:
                page = f"<title>Behind</title><h1>Behind</h1><script src={other_url}/a.js crossorigin></script>"
                page += f"<img src={other_url}/b alt=''><script>throw new Error('look at me')</script>"
                return web.Response(text=page, content_type="text/html")
            if request.headers.get(BYPASS_HEADER) == SECRET:
                answer = web.Response(text="<title>Behind</title>", content_type="text/html")
                if request.headers.get("x-vercel-set-bypass-cookie") and world.gives_cookie:
                    answer.set_cookie("_vercel_jwt", COOKIE, httponly=True)
                return answer
            wall = "<title>Authentication Required</title><script>_vercel_sso_nonce</script>"
            return web.Response(text=wall, status=401, content_type="text/html")

        async with serving({"*": protected}) as world.target:
            yield world


async def test_the_secret_stays_with_the_target(world: World, prepare: Prepare, tmp_path: Path) -> None:
    run = prepare(TEXT, at=world.target, **{BYPASS_VARIABLE: SECRET})
    report = await stage.run(run, only=PAGES)
    outcomes = {result.spec.id: result.outcome for result in report.results}
    assert outcomes == {
        "smoke/page-renders": Outcome.PASS,
        "smoke/failed-requests": Outcome.PASS,
        "smoke/console-errors": Outcome.FAIL,
    }
    assert len(world.heads["other"]) == 2, "the page took two things from elsewhere"
    for head in world.heads["other"]:
        assert SECRET not in head
        assert COOKIE not in head
    by_browser = [head for head in world.heads["target"] if "Chrome" in head]
    assert by_browser
    assert not any(SECRET in head for head in by_browser), "the browser itself never has the secret"
    left = sorted(path.name for path in (run.store.folder / "smoke").iterdir())
    assert left == ["start-desktop.png"], "a trace would hold the cookie"
    assert SECRET not in report.model_dump_json()


@pytest.mark.parametrize("variables", [{}, {BYPASS_VARIABLE: SECRET}])
async def test_a_wall_is_no_answer(world: World, prepare: Prepare, variables: dict[str, str]) -> None:
    world.gives_cookie = False
    report = await stage.run(prepare(TEXT, at=world.target, **variables), only=PAGES)
    for result in report.results:
        assert result.error and result.error.kind is ErrorKind.LOGIN_WALL, result
        assert BYPASS_VARIABLE in result.error.message
