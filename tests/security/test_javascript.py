"""Applications as Next.js and Vite build them: what lies in and beside their scripts, how their guards are passed."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Awaitable, Callable

import httpx
import pytest
from aiohttp import web

from ci.engine.run import Run
from ci.model import CheckResult, Outcome
from ci.security import live
from ci.security.answer import Answer
from ci.security.maps import sources_in
from tests.servers import Handler, serving

SOURCES = {"version": 3, "sources": ["price.ts"], "sourcesContent": ["export const rebate = 0.3"], "mappings": "AAAA"}
PAGE = (
    "<!doctype html><title>Shop</title><link rel=stylesheet href=/assets/index-B1x9_kQz.css>"
    "<script type=module src=/assets/index-D4x9_kQz.js></script>"
    '<script>self.__next={"buildId":"Xk2_90dQw"}</script>'
)
KEY = "sk_" + "live_" + hashlib.sha256(b"a key").hexdigest()[:24]

Judge = Callable[..., Awaitable[CheckResult]]


def text(body: str, type_: str = "text/javascript", **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type=type_, headers=headers)

    return handler


async def unknown(request: web.Request) -> web.Response:
    return web.Response(text="nothing", status=404)


ROUTES = {
    "/": text(PAGE, "text/html"),
    "/assets/index-D4x9_kQz.js": text("const load=()=>import('./board-A1b2C3d4.js')"),
    "/assets/board-A1b2C3d4.js": text("import{a}from'./deep-A1b2C3d5.js'"),
    "/assets/deep-A1b2C3d5.js": text("export const a=1"),
    "/assets/index-B1x9_kQz.css": text("body{}", "text/css"),
    "*": unknown,
}


@pytest.fixture
def judge(tls: ssl.SSLContext, running_on: Callable[..., Run]) -> Judge:
    async def judged(check: str, routes: dict[str, Handler], **config: object) -> CheckResult:
        async with serving(
            {**routes, **{path: at for path, at in ROUTES.items() if path not in routes}}, tls=tls
        ) as url:
            (result,) = await live.results(running_on(url, **config), [f"security/{check}"])
        return result

    return judged


@pytest.mark.parametrize(
    ("check", "faults"),
    [
        ("bundle-secrets", {"/assets/deep-A1b2C3d5.js": text(f"export const a='{KEY}'")}),
        ("bundle-server-keys", {"/assets/board-A1b2C3d4.js": text('let e={VITE_STRIPE_SECRET_KEY:"abcdefgh1234"}')}),
        (
            "source-maps",
            {
                "/assets/index-D4x9_kQz.js": text("1", SourceMap="/maps/7"),
                "/maps/7": text(json.dumps(SOURCES), "application/json"),
            },
        ),
        ("source-maps", {"/assets/index-B1x9_kQz.css.map": text(json.dumps(SOURCES), "application/json")}),
        ("debug-pages", {"/api/draft": text("", **{"Set-Cookie": "__prerender_bypass=0123; Path=/"})}),
        ("image-proxy", {"/_next/image": text('"url" parameter is valid but upstream response is invalid')}),
        ("directory-listing", {"/_next/static/": text("<title>Files within dist/_next/</title>", "text/html")}),
    ],
)
async def test_what_lies_in_and_beside_scripts(judge: Judge, check: str, faults: dict[str, Handler]) -> None:
    sound = await judge(check, {})
    assert sound.outcome is Outcome.PASS, sound
    found = await judge(check, faults)
    assert found.outcome is Outcome.FAIL, found


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (json.dumps(SOURCES), 1),
        (")]}'\n" + json.dumps(SOURCES), 1),
        (json.dumps({"version": 3, "sections": [{"map": SOURCES}, {"map": SOURCES}, {"url": "x"}]}), 2),
        (json.dumps(SOURCES)[:-1], 1),
        (json.dumps({**SOURCES, "sourcesContent": [None]}), 0),
        ("<title>App</title>", 0),
        ("[1]", 0),
    ],
)
def test_maps_in_every_form(written: str, count: int) -> None:
    assert sources_in(Answer("https://a.example/a.map", 200, httpx.Headers(), "", body=written.encode())) == count


async def redirected(request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"location": "/login"})


async def open_to_flight(request: web.Request) -> web.Response:
    """A guard that knows pages, and not what Next.js asks for when it moves between them."""
    return web.Response(text='0:["Ada"]') if request.headers.get("rsc") else await redirected(request)


@pytest.mark.parametrize(
    ("check", "routes", "outcome"),
    [
        ("guard-bypass", {"/account": redirected}, Outcome.PASS),
        ("guard-bypass", {"/account": open_to_flight}, Outcome.FAIL),
        (
            "protected-spellings",
            {"/account": redirected, "/_next/data/Xk2_90dQw/account.json": text('{"pageProps":{"name":"Ada"}}')},
            Outcome.FAIL,
        ),
        (
            "protected-spellings",
            {
                "/account": redirected,
                "/_next/data/Xk2_90dQw/account.json": text('{"pageProps":{"__N_REDIRECT":"/login"}}'),
            },
            Outcome.PASS,
        ),
    ],
)
async def test_guards_that_know_pages_alone(
    judge: Judge, check: str, routes: dict[str, Handler], outcome: Outcome
) -> None:
    result = await judge(check, routes, smoke={"protected": ["/account"]})
    assert result.outcome is outcome, result


@pytest.mark.parametrize(("breaks", "outcome"), [(True, Outcome.FAIL), (False, Outcome.PASS)])
async def test_keys_of_prototypes(judge: Judge, breaks: bool, outcome: Outcome) -> None:
    async def track(request: web.Request) -> web.Response:
        body = await request.read()
        if b"__proto__" in body and breaks:
            return web.json_response({"error": "internal error"}, status=500)
        try:
            known = isinstance(json.loads(body)["code"], str)
        except (ValueError, TypeError, KeyError):
            known = False
        return web.json_response({}, status=200 if known else 400)

    api = [{"path": "/api/track", "method": "POST", "body": {"code": "A1"}}]
    result = await judge("malformed-input", {"/api/track": track}, smoke={"api": api})
    assert result.outcome is outcome, result
