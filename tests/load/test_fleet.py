"""Loads that several processes make together, as on several machines."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from ci.gate.policy import decide
from ci.load import generator
from ci.model import Decision, ErrorKind, Outcome
from tests.load.test_stage import healthy, of
from tests.servers import serving

pytestmark = pytest.mark.alone

LOAD = "users: 40, rate: 2.5, warm_up: 300ms, duration: 30s, slo: {p95_ms: 2000}, request_timeout: 5s"


def delayed(seconds: float):
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(text="ok")

    return answer


@pytest.fixture
async def arms():
    """A candidate that takes twice as long as its baseline."""
    async with serving({"*": delayed(0.04)}) as candidate, serving({"*": delayed(0.02)}) as baseline:
        yield candidate, baseline


class Machine:
    """One machine with its own folder, and the command line there."""

    def __init__(self, folder: Path, candidate: str, baseline: str) -> None:
        folder.mkdir()
        (folder / "gonogo.yaml").write_text(f"target: {{production: '{candidate}'}}\nload: {{{LOAD}}}\n")
        self.folder = folder
        self.urls = ("--url", candidate, "--baseline", baseline)

    async def __call__(self, *arguments: str, urls: bool = True) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ci", *arguments, *(self.urls if urls else ())),
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


def outcomes(out: str) -> dict[str, str]:
    result = json.loads(out)
    report = next(report for report in result["reports"] if report["stage"] == "load")
    return {"decision": result["verdict"]["decision"]} | {r["spec"]["id"]: r["outcome"] for r in report["results"]}


async def test_a_master_and_two_workers_come_to_the_verdict_of_one_process(arms, tmp_path, unused_tcp_port):
    machines = [Machine(tmp_path / name, *arms) for name in ("alone", "master", "first", "second")]
    alone, master, *workers = machines
    code, out, err = await alone("check", "load", "--json")
    assert code == 1, err
    one = outcomes(out)

    here = f"127.0.0.1:{unused_tcp_port}"
    (code, out, err), *others = await asyncio.gather(
        master("load", "run", "--master", here, "--workers", "2", "--json"),
        *(worker("load", "run", "--worker", here) for worker in workers),
    )
    assert code == 1, err
    assert outcomes(out) == one
    assert one["decision"] == "NO-GO" and one["load/regression"] == "fail"
    assert [code for code, _, _ in others] == [0, 0], others


async def test_shards_are_judged_together(arms, tmp_path):
    machines = [Machine(tmp_path / name, *arms) for name in ("first", "second", "judge")]
    first, second, judge = machines
    for machine in machines:
        text = (machine.folder / "gonogo.yaml").read_text()
        (machine.folder / "gonogo.yaml").write_text(text.replace("duration: 30s", "duration: 14s"))
    made = await asyncio.gather(first("load", "run", "--shard", "1/2"), second("load", "run", "--shard", "2/2"))
    assert [code for code, _, _ in made] == [0, 0], made
    files = [str(machine.folder / "evidence/load-samples.zip") for machine in (first, second)]
    code, out, err = await judge("load", "judge", *files, "--json", urls=False)
    assert code == 1, err + out
    assert outcomes(out)["load/regression"] == "fail"

    code, out, err = await judge("load", "judge", files[1], urls=False)
    assert code == 3, "half of a load is no load"
    assert "shard 2" in err + out


async def test_a_worker_that_is_killed_is_told_and_never_a_go(serve, load):
    killed: list[int] = []

    async def answer(number: int, head: str) -> bytes:
        if number == 300 and not killed:
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
    assert "1 of 2 load generators were lost" in str(volume.error)
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


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("load-master", "load-master", 5557), ("10.0.0.7:6000", "10.0.0.7", 6000), ("[::1]:6000", "::1", 6000)],
)
def test_where_a_master_is(text, host, port):
    assert generator.Address.of(text) == generator.Address(host, port)
