"""The stand-in as a process of its own: it is usable from outside, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

APPLICATION = Path(__file__).with_name("application.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def running(tmp_path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict]]:
    arguments = ["-m", "ci.rehearsal.process", "--log-folder", str(tmp_path), "--domains", "2"]
    command = ["--", sys.executable, str(APPLICATION)]
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, *command, cwd=ROOT, **pipes)
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line, (await process.stderr.read()).decode()
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _release(coordinates: dict) -> None:
    headers = {"Authorization": f"Bearer {coordinates['token']}"}
    team = {"teamId": coordinates["team_id"]}
    async with httpx.AsyncClient(base_url=coordinates["api_url"], headers=headers, params=team) as api:
        body = {"name": "demo", "target": "production", "env": {"GREETING": "hello"}}
        created = (await api.post("/v13/deployments", json=body)).json()
        for _ in range(600):
            state = (await api.get(f"/v13/deployments/{created['id']}")).json()["readyState"]
            if state in ("READY", "ERROR"):
                break
            await asyncio.sleep(0.05)
        assert state == "READY"
    trust = ssl.create_default_context(cafile=coordinates["ca_file"])
    async with httpx.AsyncClient(verify=trust) as site:
        assert (await site.get(coordinates["production_url"])).json()["GREETING"] == "hello"


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGINT"])
async def test_it_ends_with_all_that_it_started(running, end):
    process, coordinates = running
    await _release(coordinates)
    backends = psutil.Process(process.pid).children(recursive=True)
    assert len(backends) == 1
    process.stdin.close() if end == "stdin" else process.send_signal(signal.Signals[end])
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert (await process.stderr.read()).decode() == ""
    assert not any(backend.is_running() for backend in backends)
    assert not Path(coordinates["ca_file"]).exists()


async def test_killed_it_takes_its_backends_along(running):
    process, coordinates = running
    await _release(coordinates)
    backends = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    await process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, backends, timeout=30)
    assert alive == []


async def test_control_works_across_processes(running):
    _, coordinates = running
    headers = {"Authorization": f"Bearer {coordinates['token']}"}
    async with httpx.AsyncClient(headers=headers) as client:
        fault = {"operation": "get_user", "status": 503}
        assert (await client.post(f"{coordinates['control_url']}/faults", json=fault)).status_code == 201
        assert (await client.get(f"{coordinates['api_url']}/v2/user")).status_code == 503
        state = (await client.get(f"{coordinates['control_url']}/state")).json()
        assert len(state["aliases"]) == 2


async def test_without_a_pipe_on_stdin_it_ends_at_once(tmp_path):
    arguments = ["-m", "ci.rehearsal.process", "--log-folder", str(tmp_path), "--", "true"]
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdin=null, stdout=null)
    assert await asyncio.wait_for(process.wait(), 60) == 0
