import asyncio
import gzip
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from aiohttp import web

from ci.engine.bodies import MAX_BODY
from ci.engine.http import BYPASS_HEADER, BYPASS_VARIABLE, HttpFactory, origin
from ci.errors import CannotRun
from ci.model import ErrorKind
from tests.servers import answers, hang, serving, talking

SECRET = "s3cret-bypass-value-0123456789abcd"


def factory(url: str, budget: int = 100, **environ: str) -> HttpFactory:
    return HttpFactory.for_target(url, budget=budget, environ=environ)


async def get(http: HttpFactory, url: str, **settings: object) -> httpx.Response:
    async with http.async_client(**settings) as client:
        return await client.get(url)


async def refusal(http: HttpFactory, url: str, **settings: object) -> CannotRun:
    with pytest.raises(CannotRun) as caught:
        await get(http, url, **settings)
    return caught.value


async def test_says_who_asks() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["user-agent"])

    async with serving({"/": echo}) as url:
        assert (await get(factory(url), url)).text.startswith("gonogo/")


async def test_the_bypass_secret_goes_to_the_targets_origin_alone() -> None:
    seen: dict[str, list[str | None]] = {"target": [], "other": []}

    def recorder(name: str, location: str | None = None) -> object:
        async def handler(request: web.Request) -> web.Response:
            seen[name].append(request.headers.get(BYPASS_HEADER))
            return web.Response(status=302, headers={"location": location}) if location else web.Response()

        return handler

    async with serving({"*": recorder("other")}) as other, serving({"*": recorder("target", other)}) as url:
        http = factory(url, **{BYPASS_VARIABLE: SECRET})
        response = await get(http, url)
        assert response.status_code == 302, "no client follows redirects by itself"
        async with http.async_client() as client:
            client.follow_redirects = True
            await client.get(url)
            await client.get(other)
        with http.client() as blocking:
            await asyncio.to_thread(blocking.get, url)
            await asyncio.to_thread(blocking.get, other, follow_redirects=True)
    assert seen["target"] == [SECRET] * 3
    assert seen["other"] == [None] * 3


def test_another_port_is_another_origin() -> None:
    assert origin("https://a.example/x") == origin("https://A.example:443/y") == ("https", "a.example", 443)
    assert origin("http://a.example/x") == origin("http://a.example:80") == ("http", "a.example", 80)
    assert origin("http://a.example") != origin("https://a.example")
    assert origin("http://a.example:1") != origin("http://a.example:2")


async def test_the_budget_is_shared_by_all_clients_and_ends_the_run() -> None:
    async with serving({"*": answers()}) as url:
        http = factory(url, budget=3)
        await get(http, url)
        await get(http, url)
        await get(http, url)
        error = await refusal(http, url)
        assert error.kind is ErrorKind.BUDGET
        assert "3 requests" in str(error)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (answers("<a>_vercel_sso_nonce</a>", status=401), ErrorKind.LOGIN_WALL),
        (answers("", status=401, headers={"set-cookie": "_vercel_sso_nonce=1; Path=/"}), ErrorKind.LOGIN_WALL),
        (answers("<input name=_vercel_password>", status=401), ErrorKind.LOGIN_WALL),
        (answers("", status=302, headers={"location": "https://vercel.com/sso-api?url=x"}), ErrorKind.LOGIN_WALL),
        (answers("", status=429, headers={"retry-after": "7"}), ErrorKind.RATE_LIMITED),
        (answers("", status=403, headers={"x-vercel-mitigated": "challenge"}), ErrorKind.CHALLENGED),
        (answers("", status=403, headers={"cf-mitigated": "challenge"}), ErrorKind.CHALLENGED),
    ],
)
async def test_answers_in_the_applications_place_are_not_answers(handler: object, kind: ErrorKind) -> None:
    async with serving({"*": handler}) as url:
        assert (await refusal(factory(url), url)).kind is kind
        with factory(url).client() as blocking, pytest.raises(CannotRun) as caught:
            await asyncio.to_thread(blocking.get, url)
        assert caught.value.kind is kind


async def test_a_body_that_unpacks_without_end_is_refused() -> None:
    bomb = gzip.compress(gzip.compress(bytes(2 * MAX_BODY), 9), 9)
    headers = {"content-encoding": "gzip, gzip"}

    async def packed(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers=headers)

    async with serving({"*": packed}) as url:
        assert "unpacks to more than" in str(await refusal(factory(url), url))
        headers["content-encoding"] = "br"
        assert "not asked for" in str(await refusal(factory(url), url))
        headers["content-encoding"] = "identity"
        assert (await get(factory(url), url)).content == bomb


@pytest.mark.parametrize("location", ["javascript:alert(1)", "http://[", "data:text/html,x"])
async def test_a_redirect_to_no_address_is_told_as_one(location: str) -> None:
    async with serving({"*": answers(status=302, headers={"location": location})}) as url:
        assert "no usable address" in str(await refusal(factory(url), url))


async def test_a_body_that_drips_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.engine.bodies.LONGEST_S", -1.0)
    async with serving({"*": answers("drop")}) as url:
        assert (await refusal(factory(url), url)).kind is ErrorKind.TIMEOUT


async def test_the_applications_own_refusals_are_answers() -> None:
    async with serving({"*": answers("<h1>Please log in</h1>", status=401)}) as url:
        response = await get(factory(url), url)
        assert (response.status_code, response.text) == (401, "<h1>Please log in</h1>")
        assert response.elapsed.total_seconds() > 0, "it was read by whoever asked, not on the way"
    async with serving({"*": answers(status=429)}) as url:
        assert (await get(factory(url), url, expects_429=True)).status_code == 429
    for elsewhere in ("https://vercel.com/pricing", "https://app.example.com/sso-api", "/sso-api"):
        async with serving({"*": answers(status=302, headers={"location": elsewhere})}) as url:
            assert (await get(factory(url), url)).status_code == 302


async def test_a_dropped_connection_is_tried_again_and_counted() -> None:
    calls = 0

    async def drop_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")
        if calls not in (1, 3):  # once for each kind of client
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()

    async with talking(drop_once) as url, factory(url).async_client() as client:
        assert (await client.get(url)).text == "ok"
        assert client.retries == 1
        with factory(url).client() as blocking:
            assert (await asyncio.to_thread(blocking.get, url)).text == "ok"
            assert blocking.retries == 1


async def test_a_request_that_may_have_been_carried_out_is_not_sent_again() -> None:
    calls = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")

    async with talking(drop) as url, factory(url).async_client() as client:
        with pytest.raises(httpx.TransportError):
            await client.post(url)
    assert calls == 1


async def test_a_server_error_is_not_tried_again() -> None:
    calls = 0

    async def broken(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=503)

    async with serving({"*": broken}) as url:
        assert (await get(factory(url), url)).status_code == 503
    assert calls == 1


async def test_silence_ends_in_a_timeout() -> None:
    async with serving({"*": hang}) as url:
        with pytest.raises(httpx.TimeoutException):
            await get(factory(url), url, timeout_s=0.1)


async def test_an_endless_body_is_cut_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with serving({"*": endless}) as url:
        error = await refusal(factory(url), url)
        assert error.kind is ErrorKind.BAD_OUTPUT
        with factory(url).client() as blocking, pytest.raises(CannotRun, match="longer than"):
            await asyncio.to_thread(blocking.get, url)


async def test_a_private_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    async with serving({"*": answers()}, tls=context) as url:
        assert (await get(factory(url, SSL_CERT_FILE=str(file)), url)).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await get(factory(url), url)


def test_an_unreadable_authority_is_named() -> None:
    with pytest.raises(CannotRun, match="SSL_CERT_FILE=/nowhere"):
        factory("https://localhost", SSL_CERT_FILE="/nowhere")
