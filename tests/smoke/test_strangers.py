"""Servers that know nothing of Gonogo, and some that mean ill: sensible results, in bounded time."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from ci.engine.bodies import MAX_BODY
from ci.model import CheckResult, ErrorKind, Outcome, Severity
from ci.smoke import stage
from tests.servers import answers, hang, serving, talking
from tests.smoke.conftest import Prepare

BARE = "target: {{production: {url}, timeout: 1s}}\nsmoke: {{browser: false, health: {{path: /api/health}}}}\n"
FILES = "target: {{production: {url}}}\nsmoke: {{pages: [/, /about.html], widths: {{desktop: 1280}}}}\n"
EXAMINED = {"smoke/health", "smoke/health-fresh", "smoke/not-found", "smoke/error-body"}


async def looked_at(prepare: Prepare, text: str, url: str, **environ: str) -> dict[str, CheckResult]:
    report = await stage.run(prepare(text, at=url, **environ))
    return {result.spec.id: result for result in report.results if result.outcome is not Outcome.SKIP}


@pytest.mark.browser
async def test_a_server_of_files_behind_tls(prepare: Prepare, tmp_path: Path) -> None:
    files = tmp_path / "site"
    files.mkdir()
    (files / "index.html").write_text("<!doctype html><title>Files</title><h1>Hello</h1><img src=/dot.svg alt='a dot'>")
    (files / "about.html").write_text("<!doctype html><title>About</title><h1>About</h1>")
    (files / "dot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with file_server(files, context) as url:
        results = await looked_at(prepare, FILES, url, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
    assert {check_id: result.outcome for check_id, result in results.items()} == dict.fromkeys(
        [
            "smoke/not-found",
            "smoke/error-body",
            "smoke/page-renders",
            "smoke/console-errors",
            "smoke/failed-requests",
            "smoke/mixed-content",
            "smoke/responsive",
        ],
        Outcome.PASS,
    )


class file_server:
    """`python -m http.server`, in a process of its own, behind a TLS proxy."""

    def __init__(self, folder: Path, tls: ssl.SSLContext) -> None:
        self._folder, self._tls = folder, tls

    async def __aenter__(self) -> str:
        import sys

        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(self._folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout
        port = int((await self._process.stdout.readline()).split(b"port ")[1].split()[0])

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(pump(reader, inner_writer))
                    group.create_task(pump(inner_reader, writer))
            finally:
                writer.close()
                inner_writer.close()

        self._server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=self._tls)
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._process.terminate()
        await self._process.wait()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def test_an_untrusted_certificate_is_no_answer(prepare: Prepare, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with serving({"*": answers()}, tls=context) as url:
        results = await looked_at(prepare, BARE.replace("browser: false", "browser: true"), url)
    assert results.keys() >= EXAMINED | {"smoke/page-renders"}
    for result in results.values():
        # The browser knows no kinds: it says why in words.
        assert result.error and result.error.kind in {ErrorKind.UNTRUSTED, ErrorKind.UNREACHABLE}, result
        assert "certificate" in result.error.message.lower()


async def test_everything_is_a_page(prepare: Prepare) -> None:
    """A single-page application that answers every path with its shell."""
    async with serving({"*": answers("<title>App</title>")}) as url:
        results = await looked_at(prepare, BARE, url)
    assert {check_id for check_id, result in results.items() if result.outcome is Outcome.FAIL} == {
        "smoke/health",
        "smoke/not-found",
    }


SHELL = "<!doctype html><title>App</title><div id=root></div><script nonce='{}' src=/app.js></script>"


def shell(request: web.Request) -> web.Response:
    return web.Response(text=SHELL.format(secrets.token_hex()), content_type="text/html")


async def test_a_single_page_application_is_not_open_because_it_sends_its_shell(prepare: Prepare) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.json_response({}, status=401) if request.path == "/api/me" else shell(request)

    text = "target: {{production: {url}}}\nsmoke: {{browser: false, protected: [/board], protected_api: [/api/me]}}\n"
    async with serving({"*": page}) as url:
        results = await looked_at(prepare, text, url)
        alone = await looked_at(prepare, text.replace(", protected_api: [/api/me]", ""), url)
    assert results["smoke/protected-pages"].outcome is Outcome.PASS
    told = {finding.message.split()[1]: finding.severity for finding in results["smoke/not-found"].findings}
    assert told == {"page": Severity.LOW, "endpoint": Severity.MEDIUM}, "an API has no shell"
    error = alone["smoke/protected-pages"].error
    assert error and "list them in gonogo.yaml" in error.message


async def test_a_page_for_strangers_with_data_in_it_is_open(prepare: Prepare) -> None:
    """Like the shell, but for what only the user may see."""

    async def page(request: web.Request) -> web.Response:
        answer = shell(request)
        if request.path == "/board":
            answer.text = f"{answer.text}<script>window.iban = 'DE02120300000000202051'</script>"
        return answer

    text = (
        "target: {{production: {url}}}\nsmoke: {{browser: false, protected: [/board], api: [{{path: /api/tiers}}]}}\n"
    )
    async with serving({"*": page}) as url:
        results = await looked_at(prepare, text, url)
    assert ["answered 200 without a login" in f.message for f in results["smoke/protected-pages"].findings] == [True]
    assert ["every unknown path gets" in f.message for f in results["smoke/api"].findings] == [True]


@pytest.mark.parametrize(("leads", "outcome"), [("/login", Outcome.PASS), ("/prices", Outcome.FAIL)])
async def test_a_redirect_that_is_streamed_is_a_redirect(prepare: Prepare, leads: str, outcome: Outcome) -> None:
    """As Next.js sends it once the status is out."""
    sent = f'<title>Vault</title><meta id="__next-page-redirect" http-equiv="refresh" content="1;url={leads}"/>'
    text = "target: {{production: {url}}}\nsmoke: {{browser: false, protected: [/vault]}}\n"
    async with serving({"/vault": answers(sent), "*": answers(status=404)}) as url:
        results = await looked_at(prepare, text, url)
    assert results["smoke/protected-pages"].outcome is outcome


async def test_a_server_that_hangs(prepare: Prepare) -> None:
    async with serving({"*": hang}) as url:
        results = await looked_at(prepare, BARE, url)
    assert results.keys() == EXAMINED
    assert {result.outcome for result in results.values()} == {Outcome.ERROR}
    assert {result.error.kind for result in results.values() if result.error} <= {
        ErrorKind.TIMEOUT,
        ErrorKind.UNREACHABLE,
    }


async def test_a_port_where_nobody_listens(prepare: Prepare) -> None:
    async with serving() as url:
        pass
    results = await looked_at(prepare, BARE, url)
    for result in results.values():
        assert result.error and result.error.kind is ErrorKind.UNREACHABLE
    assert any("GET /api/health" in result.error.message for result in results.values() if result.error)


@pytest.mark.parametrize(
    "words", [b"\x00\xff garbage \r\n\r\n", b"", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort"]
)
async def test_a_server_that_talks_nonsense(prepare: Prepare, words: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        await writer.drain()

    async with talking(speak) as url:
        results = await looked_at(prepare, BARE, url)
    for result in results.values():
        assert result.error and result.error.kind is ErrorKind.UNREACHABLE, result


async def test_a_body_without_end(prepare: Prepare) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MAX_BODY // 65536 + 20):
            await response.write(b"x" * 65536)
        return response

    async with serving({"*": flood}) as url:
        results = await looked_at(prepare, BARE, url)
    for result in results.values():
        assert result.error and result.error.kind is ErrorKind.BAD_OUTPUT, result


async def test_a_body_that_drips(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part comes in time, and the whole never does: the check's own deadline ends it."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.3)

    async with serving({"/api/health": drip, "*": answers("{}", status=404, type_="application/json")}) as url:
        text = BARE.replace("browser: false", "browser: false, timeout: 4s")
        results = await looked_at(prepare, text, url)
    error = results["smoke/health"].error
    assert error and error.kind is ErrorKind.TIMEOUT


async def test_a_rate_limit_stops_the_checks(prepare: Prepare) -> None:
    async with serving({"*": answers(status=429)}) as url:
        results = await looked_at(prepare, BARE, url)
    for result in results.values():
        assert result.error and result.error.kind is ErrorKind.RATE_LIMITED


async def test_a_budget_that_is_used_up(prepare: Prepare) -> None:
    async with serving({"*": answers("{}", status=404, type_="application/json")}) as url:
        results = await looked_at(prepare, BARE.replace("timeout: 1s", "timeout: 1s, request_budget: 3"), url)
    assert results["smoke/health"].outcome is Outcome.FAIL
    error = results["smoke/not-found"].error
    assert error and error.kind is ErrorKind.BUDGET


async def test_lies_about_json(prepare: Prepare) -> None:
    deep = "[" * 100_000
    async with serving({"*": answers(deep, type_="application/json")}) as url:
        text = BARE.replace("health:", "openapi: /openapi.json, health:")
        results = await looked_at(prepare, text, url)
    assert results["smoke/health"].outcome is Outcome.FAIL
    assert results["smoke/openapi"].outcome is Outcome.FAIL
    assert not [result for result in results.values() if result.outcome is Outcome.ERROR]
