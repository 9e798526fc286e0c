"""The edge: what goes through, in both directions, and what does not."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from datetime import UTC, datetime

import httpx
import pytest
from aiohttp import web
from cryptography import x509

from ci.rehearsal.authority import TransportFault
from ci.rehearsal.hosting import Order

STAGED = Order(auto_assign=False)


async def test_the_application_sees_who_asked_and_how(world):
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Real-Ip": "6.6.6.6"}
    answer = await world.site.get(world.standin.production_url + "/a%20b/%2e%2e?x=%41&y", headers=forged)
    seen = answer.json()
    assert seen["path"] == "/a%20b/%2e%2e?x=%41&y"
    domain = world.standin.production_url.removeprefix("https://")
    headers = seen["headers"]
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-host"] == headers["host"] == domain
    assert headers["x-vercel-id"] == answer.headers["x-vercel-id"]
    assert (answer.headers["server"], answer.headers["x-vercel-cache"]) == ("Vercel", "MISS")


async def test_hop_by_hop_headers_stop_at_the_edge(world):
    headers = {"Connection": "keep-alive, X-Private", "X-Private": "1", "TE": "trailers", "Proxy-Authorization": "x"}
    seen = (await world.site.get(world.standin.production_url, headers=headers)).json()["headers"]
    assert not seen.keys() & {"x-private", "te", "proxy-authorization", "keep-alive", "upgrade"}


async def test_answers_pass_unchanged(open_world):
    packed = gzip.compress(b"hello " * 100)

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/redirect":
            return web.Response(status=308, headers={"Location": "/elsewhere?a=%20"})
        if request.path == "/packed":
            return web.Response(body=packed, headers={"Content-Encoding": "gzip", "ETag": '"1"'})
        if request.path == "/empty":
            return web.Response(status=204)
        answer = web.Response(text="hello", status=418, reason="Teapot", headers={"X-Powered-By": "tests"})
        answer.headers.add("Set-Cookie", "a=1; Path=/")
        answer.headers.add("Set-Cookie", "b=2; Path=/; HttpOnly")
        return answer

    world = await open_world()
    world.applications.handler = handler
    site = (await world.standin.deploy(STAGED)).url
    base = f"https://{site}"
    cookies = await world.site.get(base)
    assert (cookies.status_code, cookies.reason_phrase, cookies.text) == (418, "Teapot", "hello")
    assert cookies.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/; HttpOnly"]
    assert cookies.headers["x-powered-by"] == "tests"
    redirect = await world.site.get(base + "/redirect")
    assert (redirect.status_code, redirect.headers["location"]) == (308, "/elsewhere?a=%20")
    async with world.site.stream("GET", base + "/packed") as answer:
        assert b"".join([chunk async for chunk in answer.aiter_raw()]) == packed
        assert (answer.headers["content-encoding"], answer.headers["etag"]) == ("gzip", '"1"')
    head = await world.site.head(base + "/packed")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(packed)), b"")
    empty = await world.site.get(base + "/empty")
    assert (empty.status_code, empty.content) == (204, b"")
    assert "content-length" not in empty.headers
    assert (await world.site.options(base)).status_code == 418


async def test_bodies_stream_up_and_down(open_world):
    got_first = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            got_first.set()
            await answer.write(chunk.upper())
        return answer

    world = await open_world()
    world.applications.handler = handler
    deployment = await world.standin.deploy(STAGED)

    async def body():
        yield b"first "
        await asyncio.wait_for(got_first.wait(), 10)  # the second part is sent only after the first has arrived
        yield b"second"

    answer = await world.site.post(f"https://{deployment.url}", content=body())
    assert answer.text == "FIRST SECOND"


async def test_a_large_upload_arrives_whole(world):
    answer = await world.site.put(world.standin.production_url, content=b"x" * 5_000_000)
    assert answer.json()["received"] == 5_000_000
    assert answer.json()["headers"]["content-length"] == "5000000"


async def test_a_packed_upload_arrives_packed(open_world):
    async def handler(request: web.Request) -> web.StreamResponse:
        encoding, length = request.headers["Content-Encoding"], request.headers["Content-Length"]
        return web.json_response({"encoding": encoding, "length": int(length), "unpacked": len(await request.read())})

    world = await open_world()
    world.applications.handler = handler
    deployment = await world.standin.deploy(STAGED)
    packed = gzip.compress(b"hello " * 1000)
    answer = await world.site.post(f"https://{deployment.url}", content=packed, headers={"Content-Encoding": "gzip"})
    assert answer.json() == {"encoding": "gzip", "length": len(packed), "unpacked": 6000}


async def test_no_content_type_is_invented(open_world):
    """A page without a type is a finding of the security stage: the edge must not hide it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    world = await open_world()
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        world.applications.built[world.baseline.id].url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        answer = await world.site.get(world.standin.production_url)
    assert answer.text == "hello"
    assert "content-type" not in answer.headers


async def test_a_client_that_waits_for_100_continue_is_told_to_go_on(world):
    port = int(world.standin.production_url.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=world.standin.ca_file)
    reader, writer = await asyncio.open_connection("localhost", port, ssl=trust)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)) == b"HTTP/1.1 200 OK\r\n"
    assert b'"received": 5' in await asyncio.wait_for(reader.readuntil(b"}"), 10) + await reader.readuntil(b"}")
    writer.close()


async def test_a_client_that_leaves_disturbs_nobody(open_world):
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65536)
        finally:
            gone.set()

    gone = asyncio.Event()
    world = await open_world()
    world.applications.handler = endless
    deployment = await world.standin.deploy(STAGED)
    async with world.site.stream("GET", f"https://{deployment.url}") as answer:
        assert answer.status_code == 200
        await anext(answer.aiter_raw())
    await asyncio.wait_for(gone.wait(), 30)
    assert await world.serving() == world.baseline.id


async def test_a_dead_backend_is_502_and_says_so(world):
    await world.standin.hosting.stop_backend(world.baseline.id)
    answer = await world.site.get(world.standin.production_url)
    assert answer.status_code == 502
    assert answer.headers["x-vercel-error"] == "NO_RESPONSE_FROM_FUNCTION"
    assert answer.headers["server"] == "Vercel"


async def test_half_an_answer_is_a_broken_connection_not_a_short_answer(open_world):
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return answer

    world = await open_world()
    world.applications.handler = handler
    deployment = await world.standin.deploy(STAGED)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await world.site.get(f"https://{deployment.url}")


async def test_a_stale_connection_to_a_backend_is_retried_for_safe_requests(open_world):
    served = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        # The backend drops the kept-alive connection on its second request, as one that has just timed out does.
        nonlocal served
        served += 1
        if served == 2:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"served": served})

    world = await open_world()
    world.applications.handler = handler
    deployment = await world.standin.deploy(STAGED)
    assert (await world.site.get(f"https://{deployment.url}")).json() == {"served": 1}
    assert (await world.site.get(f"https://{deployment.url}")).json() == {"served": 3}
    served = 1
    assert (await world.site.post(f"https://{deployment.url}", content=b"pay")).status_code == 502
    assert served == 2


async def test_a_url_without_a_running_build_says_so(world):
    world.applications.fail("no")
    failed = await world.standin.deploy(STAGED)
    answer = await world.site.get(f"https://{failed.url}")
    assert (answer.status_code, answer.headers["x-vercel-error"]) == (404, "DEPLOYMENT_NOT_FOUND")
    await world.api.delete(f"/v13/deployments/{world.candidate.id}")
    answer = await world.site.get(f"https://{world.candidate.url}")
    assert answer.headers["x-vercel-error"] == "DEPLOYMENT_DELETED"


async def test_the_certificate_is_short_lived_and_names_this_host(open_world):
    world = await open_world(certificate_days=5)
    port = int(world.standin.production_url.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=world.standin.ca_file)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    for name in ("localhost", "127.0.0.1"):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=name)
        tls = writer.get_extra_info("ssl_object")
        certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
        assert tls.selected_alpn_protocol() == "http/1.1"
        assert 4 <= (certificate.not_valid_after_utc - datetime.now(UTC)).days <= 5
        writer.close()


async def test_plain_http_leads_to_https_unless_that_is_the_fault(world):
    hosting = world.standin.hosting
    ports = {deployment.url: hosting.plain_port_of(deployment) for deployment in (world.baseline, world.candidate)}
    for domain, port in ports.items():
        answer = await world.site.get(f"http://localhost:{port}/a%20b?c=1")
        assert (answer.status_code, answer.headers["location"]) == (308, f"https://{domain}/a%20b?c=1")
    faulty = await world.standin.deploy(Order(auto_assign=False, faults=(TransportFault.PLAIN_HTTP,)))
    answer = await world.site.get(f"http://localhost:{hosting.plain_port_of(faulty)}/")
    assert answer.json()["deployment"] == faulty.id


async def test_a_fault_of_one_deployment_leaves_the_others_sound(world):
    faulty = await world.standin.deploy(Order(auto_assign=False, faults=(TransportFault.OTHER_HOST,)))
    with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
        await world.site.get(f"https://{faulty.url}")
    assert (await world.site.get(f"https://{world.candidate.url}")).status_code == 200
    assert await world.serving() == world.baseline.id


async def test_plain_http_when_asked_for(open_world):
    world = await open_world(tls=False)
    assert world.standin.ca_file is None
    seen = (await world.site.get(world.standin.production_url)).json()
    assert seen["headers"]["x-forwarded-proto"] == "http"
