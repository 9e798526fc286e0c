"""Walls in front of the target, and servers that mean ill: one clear reason, in bounded time and memory."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ci.model import CheckResult, ErrorKind, Outcome
from ci.security import live
from ci.security.visit import BODY_LIMIT
from tests.runs import run_on
from tests.servers import Handler, answers, hang, serving, talking

FETCHED = next(group for group in live.GROUPS if "pages" in group.activity).checks
IDS = [check.spec.id for check in FETCHED]


async def kinds(url: str, tmp_path: Path, **config: Any) -> set[ErrorKind | None]:
    results = await live.results(run_on(url, tmp_path, **config), IDS)
    return {result.error and result.error.kind for result in results}


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (answers(status=302, headers={"location": "https://vercel.com/sso-api?url=x"}), ErrorKind.LOGIN_WALL),
        (answers("<p>_vercel_sso_nonce", status=401), ErrorKind.LOGIN_WALL),
        (answers("no", status=401, headers={"www-authenticate": 'Basic realm="staging"'}), ErrorKind.LOGIN_WALL),
        (
            answers(status=302, headers={"location": "https://acme.cloudflareaccess.com/cdn-cgi/access/login/a"}),
            ErrorKind.LOGIN_WALL,
        ),
        (answers("wait", status=429, headers={"retry-after": "9"}), ErrorKind.RATE_LIMITED),
        (answers("prove", status=403, headers={"x-vercel-mitigated": "challenge"}), ErrorKind.CHALLENGED),
        (answers("prove", status=403, headers={"cf-mitigated": "challenge"}), ErrorKind.CHALLENGED),
    ],
)
async def test_what_stands_in_front_is_the_reason_of_every_check(
    handler: Handler, kind: ErrorKind, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def counted(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await handler(request)

    async with serving({"*": counted}) as url:
        run = run_on(url, tmp_path, smoke={"protected": ["/app"], "health": {}, "api": [{"path": "/api"}]})
        results = await live.results(run)
    errors = [result for result in results if result.outcome is Outcome.ERROR]
    assert {result.error.kind for result in errors if result.error} == {kind}
    assert not [result for result in results if result.outcome in {Outcome.FAIL, Outcome.PASS}]
    assert len(asked) < 12, "once it is known, nothing else is asked"


def bomb(coding: str) -> Handler:
    packed = gzip.compress(bytes(200_000_000), 9) if coding == "gzip" else zlib.compress(bytes(200_000_000), 9)

    async def handler(request: web.Request) -> web.Response:
        headers = {"content-encoding": coding, "content-type": "text/html"}
        return web.Response(body=packed, headers=headers)

    return handler


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/html"})
    await response.prepare(request)
    while True:
        await response.write(b"a" * 65_536)


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/html"})
    await response.prepare(request)
    while True:
        await response.write(b"a")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("handler", [bomb("gzip"), bomb("deflate"), endless], ids=["gzip", "deflate", "endless"])
async def test_a_body_without_end_is_read_no_further_than_the_limit(handler: Handler, tmp_path: Path) -> None:
    async with serving({"*": handler}) as url:
        results = await live.results(run_on(url, tmp_path), ["security/nosniff", "security/bundle-secrets"])
    assert {result.outcome for result in results} == {Outcome.FAIL, Outcome.PASS}
    read = [evidence.summary for result in results for evidence in result.evidence if "bytes" in evidence.summary]
    assert any(str(BODY_LIMIT) in summary for summary in read)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (answers(status=302, headers={"location": "/again"}), ErrorKind.BAD_OUTPUT),
        (answers("not packed", headers={"content-encoding": "gzip"}), ErrorKind.BAD_OUTPUT),
        (answers("never asked for", headers={"content-encoding": "br"}), ErrorKind.BAD_OUTPUT),
        (drip, ErrorKind.TIMEOUT),
        (hang, ErrorKind.TIMEOUT),
    ],
    ids=["redirect loop", "not gzip", "brotli unasked", "slow drip", "hangs"],
)
async def test_answers_that_cannot_be_used(handler: Handler, kind: ErrorKind, tmp_path: Path) -> None:
    async with serving({"*": handler}) as url:
        assert await kinds(url, tmp_path, target={"timeout": "300ms"}) == {kind}


def spoken(head: bytes, body: bytes = b"") -> Callable[..., Any]:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n" + body)
        await writer.drain()

    return speak


OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html"


@pytest.mark.parametrize(
    "speak",
    [
        spoken(OK + b"".join(b"\r\nx-%d: %s" % (number, b"a" * 40) for number in range(10_000))),
        spoken(b"SSH-2.0-OpenSSH_9.7"),
        spoken(OK + b"\r\ncontent-length: 100", b"too short"),
        spoken(b"HTTP/1.1 200 OK\r\nbad header line"),
    ],
    ids=["10,000 headers", "not http", "cut short", "broken head"],
)
async def test_what_is_no_proper_http(speak: Callable[..., Any], tmp_path: Path) -> None:
    async with talking(speak) as url:
        results = await live.results(run_on(url, tmp_path), IDS)
    assert {result.error and result.error.kind for result in results} == {ErrorKind.BAD_OUTPUT}
    assert all(result.error and url in result.error.message for result in results)


async def test_strange_bytes_in_heads_and_bodies_are_judged(tmp_path: Path) -> None:
    head = (
        OK
        + b"\r\ncontent-security-policy: default-src '\xff\xfe'\r\nset-cookie: =\xff;;;=\r\nset-cookie: "
        + b"a" * 9_000
    )
    async with talking(
        spoken(head, b"\xff\xfe\x00<meta http-equiv=content-security-policy><script src='http://[::1'>")
    ) as url:
        results = await live.results(run_on(url, tmp_path), [*IDS, "security/cookie-secure", "security/bundle-secrets"])
    broken = [result for result in results if result.error and result.error.kind is ErrorKind.BUG]
    assert broken == []


async def test_the_budget_is_kept(tmp_path: Path) -> None:
    async with serving({"*": answers("<h1>hi</h1>")}) as url:
        run = run_on(url, tmp_path, budget=20)
        results = await live.results(run)
    assert run.http.budget.spent == 20
    by_id: dict[str, CheckResult] = {result.spec.id: result for result in results}
    told = by_id["security/exposed-files"].error
    assert told
    assert told.kind is ErrorKind.BUDGET


async def test_the_time_of_the_stage_is_kept(tmp_path: Path) -> None:
    async def slow_for_files(request: web.Request) -> web.StreamResponse:
        return await (hang(request) if request.path.startswith("/.") else answers("<h1>hi</h1>")(request))

    async with serving({"*": slow_for_files}) as url:
        results = await live.results(run_on(url, tmp_path, security={"timeout": "1s"}))
    by_id = {result.spec.id: result for result in results}
    assert by_id["security/nosniff"].outcome is Outcome.FAIL, "what was found before is kept"
    late = by_id["security/exposed-files"].error
    assert late
    assert late.kind is ErrorKind.TIMEOUT
