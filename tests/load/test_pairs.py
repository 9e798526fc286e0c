"""Pairs: what is sent to both arms, and what is told about each, by the real Locust against two servers on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import psutil
import pytest
from aiohttp import web

from ci.config import Config, parse_config
from ci.engine.http import BYPASS_HEADER, HttpFactory
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.load import access, generator
from ci.load.generator import Recording
from ci.load.plan import Plan
from ci.load.recording import Arm, Failure
from ci.load.samples import Samples
from ci.model import ErrorKind
from tests.servers import serving

SHORT = "users: 20, rate: 5, warm_up: 200ms, duration: 1s, request_timeout: 1s"
LONG = SHORT.replace("duration: 1s", "duration: 60s")
LOGIN = "smoke: {login: {username: USERNAME, password: SESAME, csrf: {}}}\n"


def never(rows: bytes, until_s: float) -> None:
    """Nothing is ever decided."""


@dataclass
class Seen:
    """A request as a server saw it."""

    arm: str
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def what(self) -> tuple[str, str, str, str | None]:
        return self.method, self.path, self.body, self.headers.get("x-kind")


@dataclass
class Servers:
    """A candidate and a baseline; what they do is a test's to change."""

    seen: list[Seen] = field(default_factory=list)
    answer: dict[str, Callable[[], Awaitable[web.Response]]] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    async def start(self, stack: AsyncExitStack) -> Servers:
        for arm in ("candidate", "baseline"):
            self.urls[arm] = await stack.enter_async_context(serving({"*": self._handler(arm)}))
        return self

    def _handler(self, arm: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.seen.append(Seen(arm, request.method, request.path, headers, await request.text()))
            if request.path == "/api/auth/login":
                response = web.json_response({"csrf_token": f"csrf-of-{arm}"})
                response.set_cookie("session", f"session-of-{arm}")
                return response
            if arm in self.answer:
                return await self.answer[arm]()
            response = web.Response(text="ok")
            response.set_cookie("visited", arm)
            return response

        return handle

    def config(self, load: str, more: str = "") -> Config:
        return parse_config(f"target: {{production: '{self.urls['candidate']}'}}\n{more}load: {{{load}}}\n")

    async def load(self, load: str = SHORT, more: str = "", *, enough=never, **environ) -> Recording:
        config = self.config(load, more)
        plan = Plan.of(config.load, self.urls["candidate"], self.urls["baseline"])
        http = HttpFactory.for_target(plan.url, budget=10, environ=environ)
        accesses = await access.gain(plan, http, config.smoke.login, environ)
        return await generator.generate(
            plan,
            environ={**os.environ, **environ},
            accesses=accesses,
            redact=Redactor.of_environment(environ),
            on_pulse=lambda pulse: None,
            on_batch=enough,
        )


def samples_of(recording: Recording) -> Samples:
    return Samples.read(recording.samples, expected=recording.ending.requests, endpoints=8)


@pytest.fixture
async def servers():
    async with AsyncExitStack() as stack:
        yield await Servers().start(stack)


SCENARIOS = (
    "scenarios: [{path: /a, weight: 3}, {path: /b, method: POST, body: {q: 1}, headers: {X-Kind: b}},"
    " {path: /c, method: PUT, body: plain, login: true}]"
)


async def test_each_pair_is_the_same_request_to_both_arms_in_the_order_of_a_coin(servers):
    one = SHORT.replace("users: 20, rate: 5", "users: 1, rate: 100")
    secrets = {"USERNAME": "ana", "SESAME": "open-sesame-1", "VERCEL_AUTOMATION_BYPASS_SECRET": "bypass-secret-1"}
    recording = await servers.load(f"{one}, {SCENARIOS}", LOGIN, **secrets)
    logins, sent = (list(group) for _, group in groupby(servers.seen, key=lambda seen: "login" in seen.path))
    assert [seen.arm for seen in logins] == ["candidate", "baseline"], "one sign-in to each arm, whatever the load"

    pairs = list(zip(sent[::2], sent[1::2], strict=True))
    assert len(pairs) >= 60
    assert all({first.arm, second.arm} == {"candidate", "baseline"} for first, second in pairs)
    assert all(first.what == second.what for first, second in pairs)
    # Of 60 flips and more, fewer than 10 one way happen once in ten million times.
    assert 10 <= sum(first.arm == "candidate" for first, _ in pairs) <= len(pairs) - 10
    assert {seen.what for seen in sent} == {
        ("GET", "/a", "", None),
        ("POST", "/b", '{"q": 1}', "b"),
        ("PUT", "/c", "plain", None),
    }
    for seen in sent:
        own = f"session=session-of-{seen.arm}" if seen.path == "/c" else f"visited={seen.arm}"
        assert seen.headers.get("cookie", own) == own, "a cookie of the other arm"
        assert seen.headers[BYPASS_HEADER] == "bypass-secret-1"
        assert seen.headers.get("x-csrf-token") == (f"csrf-of-{seen.arm}" if seen.path == "/c" else None)

    rows = samples_of(recording).rows
    assert len(rows) == len(sent)
    by_pair = rows[np.lexsort((rows["arm"], rows["pair"], rows["worker"]))].reshape(-1, 2)
    assert (by_pair["arm"] == [0, 1]).all()
    for same in ("pair", "endpoint", "start", "worker"):
        assert (by_pair[same][:, 0] == by_pair[same][:, 1]).all()


async def test_without_a_way_in_nothing_is_loaded(servers):
    with pytest.raises(CannotRun, match=r"describe it under smoke\.login") as missing:
        await servers.load(f"{SHORT}, {SCENARIOS}")
    with pytest.raises(CannotRun, match="variable SESAME is not set"):
        await servers.load(f"{SHORT}, {SCENARIOS}", LOGIN, USERNAME="ana")

    async def refuse() -> web.Response:
        return web.Response(status=401)

    servers.answer["baseline"] = refuse
    elsewhere = LOGIN.replace("login: {", "login: {path: /in, ")
    servers.answer["candidate"] = lambda: asyncio.sleep(0, web.json_response({"access_token": "t"}))
    with pytest.raises(CannotRun, match=r"could not sign in to the baseline: .* answered 401") as refused:
        await servers.load(f"{SHORT}, {SCENARIOS}", elsewhere, USERNAME="ana", SESAME="open-sesame-1")
    assert missing.value.kind is refused.value.kind is ErrorKind.MISCONFIGURED
    assert "open-sesame-1" not in str(refused.value)


async def test_whose_stranger_it_was_is_told(servers):
    async def limited() -> web.Response:
        late = len(servers.seen) > 60
        return web.Response(status=429, headers={"retry-after": "7"}) if late else web.Response(text="ok")

    servers.answer["baseline"] = limited
    ending = (await servers.load(LONG)).ending
    assert (ending.stopped, ending.arm) == (ErrorKind.RATE_LIMITED, Arm.BASELINE)
    assert ending.detail == "GET / answered 429, Retry-After: 7"
    assert len(servers.seen) < 150, "the target was pressed on"


async def test_when_both_have_died_neither_is_blamed(servers):
    async def dying() -> web.Response:
        if len(servers.seen) > 60:
            raise asyncio.CancelledError  # aiohttp closes the connection without a word
        return web.Response(text="ok")

    servers.answer |= {"candidate": dying, "baseline": dying}
    ending = (await servers.load(LONG)).ending
    assert (ending.stopped, ending.arm) == (ErrorKind.UNREACHABLE, None)
    assert ending.detail.count("got no answer") == 2
    assert Failure.CLOSED in ending.examples and Failure.CLOSED in ending.baseline_examples


@pytest.mark.timed
async def test_a_slow_baseline_does_not_make_the_candidate_look_slow(servers):
    async def slow() -> web.Response:
        await asyncio.sleep(0.6)  # each user wants to send every 0.2 s
        return web.Response(text="ok")

    servers.answer["baseline"] = slow
    samples = samples_of(await servers.load())
    candidate, baseline = samples.arm(Arm.CANDIDATE), samples.arm(Arm.BASELINE)
    assert np.quantile(candidate.latency_ms, 0.9) < 200
    assert np.quantile(baseline.latency_ms, 0.9) > 450, "its users wait for its own answers"
    assert baseline.unsent > 0 and not candidate.unsent


async def test_a_decision_ends_the_load(servers):
    heard: list[tuple[int, float]] = []

    def enough(rows: bytes, until_s: float) -> str | None:
        heard.append((len(rows), until_s))
        return "certain of\nit" if until_s > 1 else None

    ending = (recording := await servers.load(LONG, enough=enough)).ending
    assert (ending.stopped, ending.decided) == (None, "certain of it")
    assert ending.at_s < 30
    assert [until_s for _, until_s in heard] == sorted(until_s for _, until_s in heard)
    # What was heard is a beginning of what was recorded, and complete up to `until_s`.
    everything = samples_of(recording)
    early = Samples(everything.rows[: sum(size for size, _ in heard) // everything.rows.itemsize])
    until_s = heard[-1][1]
    assert len(early.started_within(0, until_s)) == len(everything.started_within(0, until_s)) >= 100


async def test_a_pair_under_way_is_waited_for(servers):
    """While one answer is outstanding, no batch claims to be complete beyond its start."""
    held = asyncio.Event()
    outstanding: list[float] = []

    async def hold_once() -> web.Response:
        if len(servers.seen) > 80 and not outstanding:
            outstanding.append(1)
            await held.wait()
        return web.Response(text="ok")

    told: list[float] = []

    def enough(rows: bytes, until_s: float) -> str | None:
        if held.is_set():
            return "the wait is over" if until_s > told[-1] else None
        if outstanding:
            told.append(until_s)
        if len(told) > 3:
            held.set()
        return None

    servers.answer["candidate"] = hold_once
    recording = await servers.load(LONG.replace("request_timeout: 1s", "request_timeout: 20s"), enough=enough)
    assert held.is_set() and recording.ending.decided
    slowest = max(samples_of(recording).rows, key=lambda row: row["service"])
    assert slowest["service"] > 1000
    assert 0 < told[-1] <= slowest["start"] + 1e-3


async def test_the_load_ends_when_its_stage_is_killed(servers, tmp_path):
    """Nobody would end a load whose stage has gone: it must notice by itself."""
    script = tmp_path / "stage.py"
    script.write_text(
        "import asyncio, os\n"
        "from ci.config import parse_config\n"
        "from ci.engine.redaction import Redactor\n"
        "from ci.load import generator\n"
        "from ci.load.plan import Plan\n"
        f"load = parse_config('''target: {{production: {servers.urls['candidate']}}}\\nload: {{{LONG}}}''').load\n"
        f"plan = Plan.of(load, {servers.urls['candidate']!r})\n"
        "asyncio.run(generator.generate(plan, environ=os.environ, accesses=(), redact=Redactor(),"
        " on_pulse=lambda pulse: print('going', flush=True)))\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, script, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            assert process.stdout
            await process.stdout.readline()
        [locust] = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        gone, alive = await asyncio.to_thread(psutil.wait_procs, [locust], 20)
        assert gone and not alive
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
