"""Trusted Sources: GitHub's token goes to the target's own origin alone, and is renewed in time."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from ci.engine.http import BYPASS_HEADER, BYPASS_VARIABLE, HttpFactory
from ci.engine.redaction import Redactor
from ci.engine.trusted import AUDIENCE_VARIABLE, REQUEST_VARIABLE, TRUSTED_HEADER, URL_VARIABLE
from ci.errors import CannotRun
from ci.model import ErrorKind
from tests.servers import serving


def jwt(number: int, lasts_s: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + lasts_s, "n": number}).encode())
    return f"eyJhbGciOiJub25lIn0.{claims.decode().rstrip('=')}.signature"


@dataclass
class World:
    """GitHub's token service, the target, and somebody else."""

    environ: dict[str, str] = field(default_factory=dict)
    target: str = ""
    other: str = ""
    lasts_s: float = 600
    issued: list[str] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()

    async def issue(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer asking"
        assert dict(request.query) == {"api-version": "2", "audience": "https://vercel.com/acme"}
        made.issued.append(jwt(len(made.issued), made.lasts_s))
        return web.json_response({"value": made.issued[-1]})

    async def target(request: web.Request) -> web.Response:
        made.seen.append({key.lower(): value for key, value in request.headers.items()})
        if request.path == "/away":
            raise web.HTTPFound(made.other)
        return web.Response(text="ok")

    async with (
        serving({"*": issue}) as tokens,
        serving({"*": target}) as made.target,
        serving({"*": target}) as made.other,
    ):
        made.environ = {
            AUDIENCE_VARIABLE: "https://vercel.com/acme",
            URL_VARIABLE: f"{tokens}/?api-version=2",
            REQUEST_VARIABLE: "asking",
        }
        yield made


def factory(world: World, **more: str) -> HttpFactory:
    return HttpFactory.for_target(world.target, budget=50, environ={**world.environ, **more})


async def test_the_target_alone_gets_it(world: World) -> None:
    async with factory(world).async_client() as client:
        await client.get("/")
        await client.get(f"{world.target}/away", follow_redirects=True)
        await client.get(world.other)
    tokens = [head.get(TRUSTED_HEADER) for head in world.seen]
    assert tokens == [world.issued[0], world.issued[0], None, None]
    assert len(world.issued) == 1, "one token does for all"


async def test_it_is_renewed_before_it_expires(world: World) -> None:
    world.lasts_s = 30  # less than the margin: good for one second
    made = factory(world)
    async with made.async_client() as client:
        await client.get("/")
        made.trusted[next(iter(made.trusted))]._good_until = 0
        await client.get("/")
    assert [head[TRUSTED_HEADER] for head in world.seen] == world.issued
    assert len(set(world.issued)) == 2


async def test_the_bypass_secret_comes_first(world: World) -> None:
    made = factory(world, **{BYPASS_VARIABLE: "s" * 32})
    async with made.async_client() as client:
        await client.get("/")
    assert world.issued == []
    assert (world.seen[0].get(BYPASS_HEADER), world.seen[0].get(TRUSTED_HEADER)) == ("s" * 32, None)


async def test_nobody_asks_without_an_audience(world: World) -> None:
    del world.environ[AUDIENCE_VARIABLE]
    made = factory(world)
    async with made.async_client() as client:
        await client.get("/")
    assert (world.issued, made.protected) == ([], False)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({URL_VARIABLE: ""}, "id-token: write"),
        ({REQUEST_VARIABLE: ""}, "id-token: write"),
        ({URL_VARIABLE: "http://127.0.0.1:9/"}, "ConnectError"),
    ],
)
async def test_no_token_is_no_answer(world: World, changes: dict[str, str], told: str) -> None:
    world.environ |= changes
    async with factory(world).async_client() as client:
        with pytest.raises(CannotRun, match=told) as raised:
            await client.get("/")
    assert raised.value.kind is ErrorKind.MISCONFIGURED
    assert "asking" not in str(raised.value)
    assert world.seen == []


def test_neither_the_token_nor_what_asks_for_it_is_ever_shown() -> None:
    redact = Redactor.of_environment({REQUEST_VARIABLE: "canary-request-token"})
    told = redact(f"{TRUSTED_HEADER}: {jwt(1, 60)} by canary-request-token")
    assert "canary" not in told
    assert "eyJ" not in told
