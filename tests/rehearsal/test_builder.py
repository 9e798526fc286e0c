"""Applications as processes: how they start, fail to start, and end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from ci.rehearsal.builder import BuildFailedError, BuildRequest, ProcessBuilder
from ci.rehearsal.hosting import Order
from ci.rehearsal.standin import StandIn

APPLICATION = Path(__file__).with_name("application.py")


def _builder(folder: Path, *extra: str, **options: float) -> ProcessBuilder:
    return ProcessBuilder([sys.executable, str(APPLICATION), *extra], folder, **options)


async def test_the_process_gets_its_environment_and_nothing_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("VERCEL_TOKEN", "canary")
    async with StandIn(_builder(tmp_path)) as standin, httpx.AsyncClient() as client:
        deployment = await standin.deploy(Order(env={"GREETING": "hello"}))
        assert deployment.ready_state == "READY", deployment.failure
        env = (await client.get(standin.hosting._backends[deployment.id].url)).json()
    assert env["GREETING"] == "hello"
    assert env["VERCEL_DEPLOYMENT_ID"] == deployment.id
    assert "canary" not in env.values()


async def test_output_goes_to_the_log(tmp_path):
    backend = await _builder(tmp_path)(BuildRequest("dpl_1", {}))
    async with httpx.AsyncClient() as client:
        await client.get(backend.url)  # it answers only after it has printed
    await backend.stop()
    text = (tmp_path / "dpl_1.log").read_text()
    assert "more on stdout" in text
    assert "more on stderr" in text


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('no database')", "status 1 before it told its address:\nno database"),
        ("print('hello')", "wanted JSON with `url`"),
        ("print('{\"url\": 7}')", "wanted an http address"),
        ("print('x' * 100000)", "longer than 64 KiB"),
        ("import time; time.sleep(600)", "within 0.5 s"),
    ],
)
async def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path, code, reason):
    builder = ProcessBuilder([sys.executable, "-c", code], tmp_path, start_timeout=0.5 if "sleep" in code else 30)
    children = set(psutil.Process().children(recursive=True))
    async with StandIn(builder) as standin:
        deployment = await standin.deploy(Order())
        assert deployment.ready_state == "ERROR"
        assert reason in deployment.failure.message
        assert set(psutil.Process().children(recursive=True)) == children


async def test_a_command_that_is_not_there_is_a_failed_build(tmp_path):
    with pytest.raises(BuildFailedError, match="could not be started"):
        await ProcessBuilder([str(tmp_path / "none")], tmp_path)(BuildRequest("dpl_1", {}))


async def test_building_is_visible(tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with StandIn(_builder(tmp_path, "--wait-for", str(gate))) as standin:
        deployment = await standin.deploy(Order(), wait=False)
        await asyncio.sleep(0)
        assert deployment.ready_state == "BUILDING"
        await asyncio.to_thread(gate.write_text, "go")
        await standin.hosting.built(deployment)
        assert deployment.ready_state == "READY", deployment.failure


async def test_a_build_can_be_canceled(tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    children = set(psutil.Process().children(recursive=True))
    async with StandIn(_builder(tmp_path, "--wait-for", str(gate))) as standin:
        deployment = await standin.deploy(Order(), wait=False)
        await asyncio.sleep(0)
        await standin.hosting.cancel(deployment)
        assert deployment.ready_state == "CANCELED"
        assert set(psutil.Process().children(recursive=True)) == children


async def test_a_deaf_process_is_killed_after_its_deadline(tmp_path):
    backend = await _builder(tmp_path, "--deaf", stop_timeout=0.3)(BuildRequest("dpl_1", {}))
    assert psutil.pid_exists(backend.pid)
    await backend.stop()
    assert not psutil.pid_exists(backend.pid)
    await backend.stop()  # again does nothing


async def test_a_process_without_a_lifeline_is_asked_by_signal(tmp_path):
    backend = await _builder(tmp_path, "--no-lifeline")(BuildRequest("dpl_1", {}))
    async with httpx.AsyncClient() as client:
        await client.get(backend.url)
    await asyncio.wait_for(backend.stop(), 30)
    assert backend._process.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize("how", ["error", "cancel"])
async def test_every_exit_ends_the_backends(tmp_path, how):
    children = set(psutil.Process().children(recursive=True))
    started = asyncio.Event()

    async def use() -> None:
        async with StandIn(_builder(tmp_path)) as standin:
            await standin.deploy(Order())
            await standin.deploy(Order())
            assert len(set(psutil.Process().children(recursive=True)) - children) == 2
            started.set()
            if how == "error":
                raise RuntimeError("something went wrong")
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=60)
    assert started.is_set(), task
    task.cancel() if how == "cancel" else None
    with pytest.raises(RuntimeError if how == "error" else asyncio.CancelledError):
        await task
    assert set(psutil.Process().children(recursive=True)) == children


async def test_the_lifeline_ends_a_backend_whose_owner_is_gone(tmp_path):
    backend = await _builder(tmp_path)(BuildRequest("dpl_1", {}))
    backend._process.stdin.close()
    assert await asyncio.wait_for(backend._process.wait(), 30) == 0
    await backend.stop()


async def test_the_address_is_the_first_line(tmp_path):
    backend = await _builder(tmp_path)(BuildRequest("dpl_1", {"A": "1"}))
    try:
        async with httpx.AsyncClient() as client:
            assert json.loads((await client.get(backend.url)).text)["A"] == "1"
    finally:
        await backend.stop()
