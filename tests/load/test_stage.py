"""The whole stage with the real Locust against real servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
from pathlib import Path

import psutil
import pytest
import trustme

from ci.engine.http import BYPASS_HEADER, USER_AGENT
from ci.load import generator
from ci.model import CheckResult, ErrorKind, Outcome, StageReport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
LOAD = "users: 20, rate: 8, warm_up: 300ms, duration: 1s, request_timeout: 1s, min_requests: 60, inconclusive: accept"


async def healthy(number: int, head: str) -> bytes:
    return OK


def of(report: StageReport, check_id: str) -> CheckResult:
    return next(result for result in report.results if result.spec.id == check_id)


def outcomes(report: StageReport) -> dict[str, Outcome]:
    return {result.spec.id: result.outcome for result in report.results}


def errors(report: StageReport) -> set[ErrorKind | None]:
    return {result.error.kind if result.error else None for result in report.results}


@pytest.mark.timed
async def test_a_healthy_target_passes(serve, load):
    target = await serve(healthy)
    scenarios = "scenarios: [{path: /a, weight: 3, headers: {X-Kind: a}}, {path: /b, method: POST, body: {q: 1}}]"
    report = await load(target.url, f"{LOAD}, {scenarios}")
    asked = dict.fromkeys(("load/latency", "load/error-rate", "load/volume"), Outcome.PASS)
    assert outcomes(report) == asked | dict.fromkeys(("load/regression", "load/drift"), Outcome.SKIP)
    assert "no baseline was given" in (of(report, "load/regression").skip_reason or "")
    measures = {measure.name: measure for measure in report.measures}
    assert 128 <= measures["requests"].value <= 208  # 20 users × 8/s × 1 s, and it passed
    assert measures["p50"].value <= measures["p95"].value <= measures["p99"].value
    assert measures["p95"].limit == 500
    assert all(0 < len(s.points) <= 200 for plot in report.plots for s in plot.series)
    assert "GET /a: p50" in of(report, "load/latency").evidence[0].excerpt
    assert any("requests/s · p95" in activity for activity in load.told.activities)

    posts = [head for head in target.heads if head.startswith("POST /b ")]
    gets = [head for head in target.heads if head.startswith("GET /a ")]
    assert posts and len(posts) + len(gets) == len(target.heads) <= 208
    assert len(gets) > len(posts)
    assert all(f"user-agent: {USER_AGENT}\r\n" in head for head in target.heads)
    assert all("content-type: application/json\r\n" in head for head in posts)
    assert all("x-kind: a\r\n" in head for head in gets)
    assert not any(BYPASS_HEADER in head for head in target.heads)


@pytest.mark.timed
async def test_a_slow_target_breaks_the_latency_objective(serve, load):
    async def slow(number: int, head: str) -> bytes:
        await asyncio.sleep(0.15 if head.startswith("GET /slow") else 0)
        return OK

    target = await serve(slow)
    report = await load(target.url, f"{LOAD}, slo: {{p95_ms: 100}}, scenarios: [{{path: /slow}}, {{path: /fast}}]")
    latency = of(report, "load/latency")
    assert latency.outcome is Outcome.FAIL
    assert [f.key for f in latency.findings] == ["total", "GET /slow"]
    assert latency.findings[1].location.url == target.url + "/slow"
    assert of(report, "load/error-rate").outcome is Outcome.PASS


@pytest.mark.timed
async def test_a_frozen_load_generator_is_not_the_targets_fault(serve, load):
    """Freezing the generator makes its requests late, and none of that is counted as the target's latency."""
    frozen = asyncio.Event()

    async def freezing(number: int, head: str) -> bytes:
        if number == 100:
            [locust] = [c for c in psutil.Process().children(recursive=True) if "locust" in c.cmdline()]
            locust.suspend()
            asyncio.get_running_loop().call_later(0.6, locust.resume)
            frozen.set()
        return OK

    target = await serve(freezing)
    report = await load(target.url, f"{LOAD.replace('duration: 1s', 'duration: 2s')}, slo: {{p95_ms: 300}}")
    assert frozen.is_set()
    assert of(report, "load/latency").outcome is not Outcome.FAIL


@pytest.mark.timed
async def test_a_target_that_answers_one_at_a_time_is_slow_however_few_it_answers(serve, load):
    one_at_a_time = asyncio.Lock()

    async def locked(number: int, head: str) -> bytes:
        async with one_at_a_time:
            await asyncio.sleep(0.02)
        return OK

    target = await serve(locked)
    report = await load(target.url, f"{LOAD}, slo: {{p95_ms: 400}}")
    assert of(report, "load/latency").outcome is Outcome.FAIL
    volume = of(report, "load/volume")
    assert volume.outcome is Outcome.ERROR
    assert "the target is too slow for this load" in str(volume.error)


async def test_failing_requests_break_the_error_objective(serve, load):
    async def failing(number: int, head: str) -> bytes | None:
        return {0: b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 7: None}.get(number % 14, OK)

    target = await serve(failing)
    rate = of(await load(target.url), "load/error-rate")
    assert rate.outcome is Outcome.FAIL
    assert "server error (5xx)" in rate.findings[0].message
    assert "connection closed without an answer" in rate.findings[0].message
    assert "GET /: answered 500" in rate.evidence[0].excerpt
    assert len(target.heads) <= 208, "a connection that closes was retried in secret"


async def test_a_target_that_never_answers_is_a_timeout(serve, load):
    async def hanging(number: int, head: str) -> bytes:
        await asyncio.Event().wait()
        return OK

    target = await serve(hanging)
    report = await load(target.url, LOAD.replace("request_timeout: 1s", "request_timeout: 500ms"))
    assert errors(report) == {ErrorKind.TIMEOUT}
    assert "no answer within 0.5 s" in str(of(report, "load/latency").error)


@pytest.mark.timed
async def test_a_target_that_hangs_half_way_counts_as_slow_and_failing(serve, load):
    async def hanging(number: int, head: str) -> bytes:
        if number > 100:
            await asyncio.Event().wait()
        return OK

    target = await serve(hanging)
    report = await load(target.url)
    assert of(report, "load/latency").outcome is Outcome.FAIL
    assert "time-out" in of(report, "load/error-rate").findings[0].message


async def test_a_target_that_dies_is_not_pressed_on(serve, load):
    target = await serve(healthy)

    async def mortal(number: int, head: str) -> bytes:
        if number == 150:
            asyncio.get_running_loop().create_task(target.stop())
        return OK

    target.answer = mortal
    report = await load(target.url, LOAD.replace("duration: 1s", "duration: 60s"), timeout_s=50)
    assert of(report, "load/error-rate").outcome is Outcome.FAIL
    assert "got no answer" in of(report, "load/error-rate").findings[0].message
    assert of(report, "load/volume").outcome is Outcome.ERROR
    assert "the load was stopped after" in str(of(report, "load/volume").error)


async def test_nobody_there(load, unused_tcp_port):
    report = await load(f"http://127.0.0.1:{unused_tcp_port}")
    assert errors(report) == {ErrorKind.UNREACHABLE}


async def test_nobody_is_loaded_in_the_applications_place(serve, load):
    async def walled(number: int, head: str) -> bytes:
        wall = b"HTTP/1.1 302 Found\r\nLocation: https://vercel.com/sso-api?url=x\r\nContent-Length: 0\r\n\r\n"
        return wall if number > 30 else OK

    target = await serve(walled)
    report = await load(target.url, LOAD.replace("duration: 1s", "duration: 60s"), timeout_s=50)
    assert errors(report) == {ErrorKind.LOGIN_WALL}
    assert "VERCEL_AUTOMATION_BYPASS_SECRET" in str(of(report, "load/volume").error)
    assert len(target.heads) < 100, "the target was pressed on"


async def test_a_redirect_is_not_followed_and_keeps_the_secret(serve, load):
    elsewhere = await serve(healthy)

    async def redirecting(number: int, head: str) -> bytes:
        return f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()

    target = await serve(redirecting)
    report = await load(target.url, VERCEL_AUTOMATION_BYPASS_SECRET="open-sesame-123")
    rate = of(report, "load/error-rate")
    assert "100.00% of the requests failed" in rate.findings[0].message
    assert "redirected (3xx)" in rate.findings[0].message
    assert f"GET /: answered 302 to {elsewhere.url}/" in rate.evidence[0].excerpt
    assert all(f"{BYPASS_HEADER}: open-sesame-123\r\n" in head for head in target.heads)
    assert not elsewhere.heads
    assert "open-sesame-123" not in report.model_dump_json()


async def test_an_answer_counts_as_what_the_scenario_wants(serve, load):
    """An error page with a good status is no answer, zipped or not; a redirect that is wanted is one."""

    async def moved(number: int, head: str) -> bytes:
        path = head.split()[1]
        if path == "/old":
            return b"HTTP/1.1 308 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"
        body = gzip.compress(b"<h1>Welcome</h1>" if path == "/home" else b"<h1>Something went wrong</h1>")
        return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    target = await serve(moved)
    wanted = "[{path: /old, status: 308}, {path: /home, contains: Welcome}, {path: /shop, contains: Welcome}]"
    rate = of(await load(target.url, f"{LOAD}, scenarios: {wanted}"), "load/error-rate")
    assert [finding.key for finding in rate.findings] == ["total", "GET /shop"]
    assert "× not the answer that is wanted" in rate.findings[0].message
    assert "GET /shop: answered 200, but not as load.scenarios wants it" in rate.evidence[0].excerpt


async def test_tls_is_verified(serve, load, tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    distrusted, target = await serve(healthy, context), await serve(healthy, context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    stranger, report = await asyncio.gather(load(distrusted.url), load(target.url, SSL_CERT_FILE=str(trusted)))
    assert errors(stranger) == {ErrorKind.UNREACHABLE}
    assert "certificate verify failed" in str(of(stranger, "load/latency").error)
    assert not distrusted.heads
    assert {measure.name: measure.value for measure in report.measures}["error rate"] == 0
    assert target.heads


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("raise SystemExit('locustfile broken')", ErrorKind.TOOL_FAILED),
        ("import os, locust; locust.events.init.add_listener(lambda **k: os._exit(0))\n"
         "class U(locust.User): tasks = [print]", ErrorKind.BAD_OUTPUT),
        ("import locust\nclass U(locust.User): tasks = [lambda user: __import__('time').sleep(60)]", ErrorKind.TIMEOUT),
    ],
)  # fmt: skip
async def test_a_broken_generator_is_never_a_pass(serve, load, tmp_path, monkeypatch, code, kind):
    broken = tmp_path / "broken.py"
    broken.write_text(code)
    monkeypatch.setattr(generator, "LOCUSTFILE", broken)
    if kind is ErrorKind.TIMEOUT:
        monkeypatch.setattr(generator, "STARTUP_S", 0.5)
    target = await serve(healthy)
    report = await load(target.url, LOAD.replace("duration: 1s", "duration: 500ms"))
    assert errors(report) == {kind}


async def test_locust_making_no_request_is_never_a_pass(serve, load, tmp_path, monkeypatch):
    idle = tmp_path / "idle.py"
    source = Path(generator.LOCUSTFILE).read_text()
    idle.write_text(source.replace("self.send(", "(lambda *_: None)("))
    monkeypatch.setattr(generator, "LOCUSTFILE", idle)
    target = await serve(healthy)
    report = await load(target.url)
    assert errors(report) == {ErrorKind.NO_DATA}
    assert "no request at all" in str(of(report, "load/volume").error)


async def test_without_locust(load, monkeypatch):
    monkeypatch.setattr(generator, "find_spec", lambda name: None)
    report = await load("http://127.0.0.1:9")
    assert errors(report) == {ErrorKind.TOOL_MISSING}
    assert "gonogo[load]" in str(of(report, "load/volume").error)


async def test_settings_of_the_machine_do_not_reach_locust(serve, load, tmp_path):
    (tmp_path / ".locust.conf").write_text("users = 1\ntags = nothing\n")
    target = await serve(healthy)
    await load(target.url, HOME=str(tmp_path), LOCUST_EXCLUDE_TAGS="x", LOCUST_HOST="http://127.0.0.1:9")
    assert len(target.heads) > 30, "one user alone sends 10 requests"


async def test_an_interrupted_load_leaves_nothing_behind(serve, load):
    seen = asyncio.Event()

    async def answer(number: int, head: str) -> bytes:
        seen.set()
        return OK

    target = await serve(answer)
    task = asyncio.create_task(load(target.url, LOAD.replace("duration: 1s", "duration: 60s")))
    async with asyncio.timeout(30):
        await seen.wait()
    mine = psutil.Process(os.getpid())
    assert any("locust" in child.cmdline() for child in mine.children(recursive=True))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any("locust" in child.cmdline() for child in mine.children(recursive=True))
