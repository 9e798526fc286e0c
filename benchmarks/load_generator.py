"""What the load generator itself costs and bears, on this machine.

    python -m benchmarks load_generator

- Overhead: the requests per second, and per second of processor time, of one process of Locust that sends pairs and
  records them, as ratios to a bare FastHttpUser script. Rounds of both alternate, because other work on the machine
  comes and goes. Wanted: 0.9 at least.
- Workers: the same of two workers to one, against a server that takes next to nothing. With two processors, the workers
  share them with it and with the master: what each request costs all of them tells how much could be reached there.
- A thousand users against the demo application: whether they were held, the rate, and the memory of the process.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.load_live import demo
from ci.config import parse_config
from ci.engine.redaction import Redactor
from ci.engine.tools import run_tool
from ci.load import generator
from ci.load.messages import Ending
from ci.load.plan import Plan
from ci.load.recording import Arm
from ci.load.samples import Samples, quantile

USERS = 50
ROUNDS = 5
WINDOW_S = 4.0
WARM_UP_S = 1.5
BARE = Path(__file__).parent / "targets" / "bare.py"
TOO_MUCH = 1000
"""Requests per second and user that no machine reaches: the users never wait."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One window of one generator."""

    rate: float
    """Requests per second."""
    per_cpu_s: float
    """Requests per second of the generator's processor time."""
    beside: float
    """Processor time of everybody else who serves the load (server, master), as a multiple of that."""
    busy: float
    """Share of the whole machine's processor time that was in use by anybody."""


def main() -> None:
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} at the start")
    asyncio.run(_all())


async def _all() -> None:
    rounds = [[await _bare(), await _pairs(1)] for _ in range(ROUNDS)]
    _compare("pairs and recording to bare", rounds, wanted=0.9)
    rounds = [[await _pairs(1), await _pairs(2)] for _ in range(ROUNDS)]
    _compare("two workers to one", rounds, wanted=1.6)
    beside = statistics.median(two.beside for _, two in rounds)
    print(
        f"  beside the workers' processor time, server and master take {beside:.2f} times as much, so that "
        f"{os.cpu_count()} idle processors allow {min(2.0, (os.cpu_count() or 1) / (1 + beside)):.2f}",
        flush=True,
    )
    await _thousand()


def _compare(what: str, rounds: list[list[Measured]], *, wanted: float) -> None:
    rate = statistics.median(b.rate / a.rate for a, b in rounds)
    cpu = statistics.median(b.per_cpu_s / a.per_cpu_s for a, b in rounds)
    busy = statistics.median(b.busy for _, b in rounds)
    a, b = (statistics.median(pair[i].rate for pair in rounds) for i in (0, 1))
    print(
        f"{what}: {rate:.2f} of the request rate ({b:.0f} to {a:.0f} requests/s; wanted {wanted:g}), "
        f"{cpu:.2f} of the requests per processor second; processors {busy:.0%} in use",
        flush=True,
    )


async def _bare() -> Measured:
    with _light() as (port, server):
        command = [sys.executable, "-m", "locust", "--headless", "--only-summary", "--loglevel", "WARNING"]
        command += ["-f", str(BARE), "--host", f"http://127.0.0.1:{port}", "-u", str(USERS), "-r", str(USERS)]
        with tempfile.TemporaryDirectory() as folder:
            load = run_tool(command, timeout_s=120, cwd=Path(folder))
            return await _beside(load, lambda: _window(port, lambda: (_locusts(str(BARE)), [server])))


async def _pairs(workers: int) -> Measured:
    with _light() as (port, server):
        url = f"http://127.0.0.1:{port}"
        length_s = 2 * WARM_UP_S + WINDOW_S + 2
        load = parse_config(
            f"target: {{production: '{url}'}}\n"
            f"load: {{users: {USERS * workers}, rate: {TOO_MUCH}, workers: {workers}, "
            f"warm_up: 1s, duration: {length_s}s}}"
        ).load
        plan = Plan.of(load, url, url)
        # The workers make the load: the one process without --master, or those with --worker.
        kind = "--headless" if workers == 1 else "--worker"
        others = [server, psutil.Process()]
        return await _beside(
            _generate(plan), lambda: _window(port, lambda: (_locusts(kind), [*others, *_locusts("--master")]))
        )


async def _beside(load: Coroutine[Any, Any, Any], measure: Callable[[], Coroutine[Any, Any, Measured]]) -> Measured:
    task = asyncio.create_task(load)
    try:
        return await measure()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _generate(plan: Plan) -> generator.Recording:
    return await generator.generate(
        plan, environ=os.environ, accesses=(), redact=Redactor(), on_pulse=lambda pulse: None
    )


def _locusts(kind: str) -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if kind in child.cmdline()]


async def _window(port: int, processes: Callable[[], tuple[list[psutil.Process], list[psutil.Process]]]) -> Measured:
    """Wait until the requests come, and a while more; then count, also what the load and all beside it cost."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:

        async def count() -> int:
            return int((await client.get("/count")).text)

        async with asyncio.timeout(60):
            while await count() < 500:  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(0.1)
        await asyncio.sleep(WARM_UP_S)
        load, others = processes()
        before, cpu, other, began = await count(), _cpu_s(load), _cpu_s(others), time.perf_counter()
        psutil.cpu_percent()
        await asyncio.sleep(WINDOW_S)
        requests, took_s = await count() - before, time.perf_counter() - began
        cpu, other = _cpu_s(load) - cpu, _cpu_s(others) - other
        return Measured(requests / took_s, requests / cpu, other / cpu, psutil.cpu_percent() / 100)


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextmanager
def _light() -> Iterator[tuple[int, psutil.Process]]:
    """The light server in a process of its own, with its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.targets.light"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield int(process.stdout.readline()), psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


async def _thousand() -> None:
    """The profile `thousand` for 20 seconds."""
    with tempfile.TemporaryDirectory() as folder:
        async with demo(Path(folder)) as url:
            load = parse_config(f"target: {{production: '{url}'}}\nload: {{profile: thousand, duration: 20s}}").load
            plan = Plan.of(load, url)
            async with _watched() as memory:
                recording = await _generate(plan)
            _tell(plan, recording, memory)


def _tell(plan: Plan, recording: generator.Recording, memory: list[tuple[int, int]]) -> None:
    ending: Ending = recording.ending
    samples = Samples.read(recording.samples, expected=ending.requests, endpoints=len(plan.endpoints)).arm(
        Arm.CANDIDATE
    )
    judged = samples.sent_within(plan.warm_up_s, plan.end_s)
    kinds = ", ".join(f"{count} × {kind.words}" for kind, count in judged.failures().items()) or "none"
    connections = max(count for count, _ in memory)
    sizes = [size for count, size in memory if count > 0.9 * plan.users]
    growth = sizes[-1] / sizes[0] if sizes else float("nan")
    print(
        f"{plan.users} users against the demo: {connections} connections at once, "
        f"{len(judged) / plan.duration_s / plan.rate:.2f} of the intended {plan.rate:g} requests/s, "
        f"failed of {len(judged)}: {kinds}; p95 {quantile(judged.latency_ms, 0.95):.0f} ms; "
        f"memory of the generator {growth:.2f} times what it was when all were connected, "
        f"{sizes[-1] / 1e6 if sizes else 0:.0f} MB",
        flush=True,
    )


@asynccontextmanager
async def _watched() -> AsyncIterator[list[tuple[int, int]]]:
    """Connections and resident bytes of the load generator, twice a second."""
    seen: list[tuple[int, int]] = []

    async def watch() -> None:
        while True:
            for process in _locusts("--headless"):
                connected = sum(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections("tcp"))
                seen.append((connected, process.memory_info().rss))
            await asyncio.sleep(0.5)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    main()
