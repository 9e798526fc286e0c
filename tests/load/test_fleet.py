"""Loads that several processes make together, as on several machines."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from ci.gate.policy import decide
from ci.load import archive, generator
from ci.model import Decision, ErrorKind, Outcome
from tests.load.test_stage import healthy, of
from tests.servers import answers, serving

LOAD = "users: 20, rate: 5, warm_up: 300ms, duration: 30s, slo: {p95_ms: 5000}"


@pytest.fixture
async def arms():
    """A candidate that fails every other time, and its baseline."""
    numbers = itertools.count()

    async def flawed(request: web.Request) -> web.Response:
        return web.Response(status=500 if next(numbers) % 2 else 200)

    async with serving({"*": flawed}) as candidate, serving({"*": answers()}) as baseline:
        yield candidate, baseline


class Machine:
    """One machine with its own folder, and the command line there."""

    def __init__(self, folder: Path, candidate: str, baseline: str, load: str = LOAD) -> None:
        folder.mkdir()
        (folder / "gonogo.yaml").write_text(f"target: {{production: '{candidate}'}}\nload: {{{load}}}\n")
        self.samples = folder / "evidence" / archive.FILE
        self.folder = folder
        self.urls = ("--url", candidate, "--baseline", baseline)

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ci", *arguments, *self.urls),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(120):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


async def test_a_master_judges_what_its_workers_make(arms, tmp_path, unused_tcp_port):
    master, *workers = [Machine(tmp_path / name, *arms) for name in ("master", "first", "second")]
    here = f"127.0.0.1:{unused_tcp_port}"
    (code, out, err), *others = await asyncio.gather(
        master("load", "run", "--master", here, "--workers", "2", "--json"),
        *(worker("load", "run", "--worker", here) for worker in workers),
    )
    assert code == 1, err
    assert [code for code, _, _ in others] == [0, 0], others
    told = json.loads(out)
    assert told["verdict"]["decision"] == "NO-GO"
    blamed = [reason["check_id"] for reason in told["verdict"]["reasons"] if reason["decision"] == "NO-GO"]
    assert blamed == ["load/error-rate"]

    run = archive.unpack(master.samples).run
    assert run.ending.workers == 2 and run.ending.decided
    assert set(run.samples.rows["worker"]) == {0, 1}
    assert not any(worker.samples.exists() for worker in workers), "what workers see is the master's to keep"


async def test_two_shards_make_one_load(arms, tmp_path):
    short = LOAD.replace("duration: 30s", "duration: 1s")
    machines = [Machine(tmp_path / name, *arms, short) for name in ("first", "second")]
    made = await asyncio.gather(*(machine("load", "run", "--shard", f"{k}/2") for k, machine in enumerate(machines, 1)))
    assert [code for code, _, _ in made] == [0, 0], made
    parts = [archive.unpack(machine.samples).run for machine in machines]
    assert [set(part.samples.rows["worker"]) for part in parts] == [{0}, {1}]
    assert all(part.plan.users_here == 10 for part in parts)

    whole = archive.unpack_all([machine.samples for machine in machines]).run
    assert len(whole.samples) == sum(len(part.samples) for part in parts)
    assert whole.plan.users_here == 20


async def test_a_worker_that_is_killed_is_told_and_never_a_go(serve, load):
    killed: list[int] = []

    async def answer(number: int, head: str) -> bytes:
        if number == 60 and not killed:
            workers = [c for c in psutil.Process().children(recursive=True) if "--worker" in c.cmdline()]
            killed.append(workers[0].pid)
            workers[0].send_signal(signal.SIGKILL)
        return await healthy(number, head)

    target = await serve(answer)
    many = "users: 20, rate: 5, warm_up: 300ms, duration: 60s, min_requests: 60, workers: 2"
    report = await load(target.url, many, timeout_s=50)
    assert killed
    volume = of(report, "load/volume")
    assert volume.outcome is Outcome.ERROR
    assert "of 2 load generators were lost" in str(volume.error)
    assert Outcome.PASS not in {of(report, check).outcome for check in ("load/latency", "load/error-rate")}
    gate = load.config(target.url).gate
    verdict = decide(gate, report.subject, [report], now=report.finished_at, only=("load",))
    assert verdict.decision is Decision.HOLD
    left = [child for child in psutil.Process().children(recursive=True) if "locust" in child.cmdline()]
    assert not left, "processes were left behind"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of --master, --worker and --shard"),
        (("--master", "5557", "--shard", "1/2"), "give one of --master, --worker and --shard"),
        (("--shard", "3/2"), "as in 2/4"),
        (("--shard", "0/2"), "as in 2/4"),
        (("--worker", "not a host"), "write host:port"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, words, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from ci.cli import cli

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["load", "run", "--url", "http://127.0.0.1:9", *arguments])
    assert result.exit_code == 2
    assert words in result.output + result.stderr


async def test_workers_that_do_not_come_are_told(serve, load, monkeypatch, unused_tcp_port):
    monkeypatch.setattr(generator, "JOINING_S", 1.0)
    target = await serve(healthy)
    report = await load(target.url, f"{LOAD}, workers: 3, master: '127.0.0.1:{unused_tcp_port}'")
    assert {result.error.kind for result in report.results if result.error} == {ErrorKind.TOOL_FAILED}
    assert "not all of the 3 workers that load.workers wants have joined" in str(of(report, "load/volume").error)
    assert not target.heads


async def test_a_port_that_is_taken_is_told(serve, load):
    target = await serve(healthy)
    taken = target.url.rpartition("//")[2]
    report = await load(target.url, f"{LOAD}, workers: 1, master: '{taken}'")
    assert {result.error.kind for result in report.results if result.error} == {ErrorKind.MISCONFIGURED}
    assert f"{taken} cannot be listened at: give --master a port" in str(of(report, "load/volume").error)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("load-master", "load-master", 5557), ("10.0.0.7:6000", "10.0.0.7", 6000), ("[::1]:6000", "::1", 6000)],
)
def test_where_a_master_is(text, host, port):
    assert generator.Address.of(text) == generator.Address(host, port)
