"""A monitoring round: against its slowest probe, against the start of Python, and many at once."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ci.config import Config
from ci.engine.redaction import Redactor
from ci.monitor.round import make_round
from tests.servers import answers, serving

TARGETS = 20
SLOWEST_S = 1.0
AT_ONCE = 20


def main() -> None:
    asyncio.run(_measure())


async def _measure() -> None:
    async def slow(request: web.Request) -> web.Response:
        """Answers after its own part of the slowest one's time."""
        number = int(request.match_info["number"])
        await asyncio.sleep(SLOWEST_S * number / TARGETS)
        return web.Response(text="Welcome", content_type="text/html")

    quick = answers("Welcome")
    async with serving({"/witness": quick, "/slow/{number}": slow, "*": quick}) as url:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            await _one_round(url)
            _configure(folder, url, [f"/quick/{number}" for number in range(1, TARGETS + 1)])
            await _whole(folder)
            await _at_once(folder, "a folder", str(folder / "twenty"), lambda: _lines(folder / "twenty"))
            _repository(folder)
            await _at_once(folder, "a branch", "branch:told", lambda: _lines_of_branch(folder))


def _settings(url: str, paths: list[str]) -> dict[str, object]:
    monitor = {"witnesses": [f"{url}/witness"], "vendors": [], "targets": [{"path": path} for path in paths]}
    return {"version": 1, "target": {"production": url}, "monitor": monitor}


def _configure(folder: Path, url: str, paths: list[str]) -> None:
    (folder / "gonogo.yaml").write_text(json.dumps(_settings(url, paths)))


async def _one_round(url: str) -> None:
    config = Config.model_validate(_settings(url, [f"/slow/{number}" for number in range(1, TARGETS + 1)]))
    await make_round(config, {}, Redactor(), every_s=900)  # imports, and the first use of everything
    started = time.perf_counter()
    made = await make_round(config, {}, Redactor(), every_s=900)
    lasted = time.perf_counter() - started
    slowest = max(record.latency_ms or 0 for record in made.records) / 1000
    print(
        f"round over {TARGETS} targets: {lasted / slowest:.2f} x its slowest probe "
        f"({lasted:.2f} s against {slowest:.2f} s)"
    )


async def _whole(folder: Path) -> None:
    bare, whole = [], []
    for number in range(5):
        bare.append(await _seconds(folder, "-c", "pass"))
        whole.append(await _seconds(folder, "-m", "ci", "monitor", "run", "--history", str(folder / f"own{number}")))
    one, other = sorted(bare)[2], sorted(whole)[2]
    print(f"gonogo monitor run over {TARGETS} healthy targets: {other / one:.0f} x the start of Python ({other:.2f} s)")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"memory of the largest process: {peak:.0f} MB, {peak / 100:.2f} x 100 MB")


async def _seconds(folder: Path, *arguments: str) -> float:
    started = time.perf_counter()
    await _run(folder, *arguments)
    return time.perf_counter() - started


async def _run(folder: Path, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(Path.cwd())}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}: {out.decode()} {err.decode()}")


async def _at_once(folder: Path, what: str, place: str, lines: Callable[[], list[bytes]]) -> None:
    where = folder / "clone" if place.startswith("branch") else folder
    command = ("-m", "ci", "monitor", "run", "--history", place, "--config", str(folder / "gonogo.yaml"))
    alone = await _seconds(where, *command)
    begun = {json.loads(line)["r"] for line in lines()}
    started = time.perf_counter()
    await asyncio.gather(*(_run(where, *command) for _ in range(AT_ONCE)))
    lasted = time.perf_counter() - started
    records = [json.loads(line) for line in lines()]
    rounds = {record["r"] for record in records} - begun
    keys = {(record["r"], record.get("e"), record["t"], record["k"]) for record in records}
    print(
        f"{AT_ONCE} rounds at once on {what}: {len(rounds)} recorded, {len(records) - len(keys)} lines twice, "
        f"in {lasted / alone:.1f} x one alone"
    )


def _lines(folder: Path) -> list[bytes]:
    return [line for path in folder.glob("probes-*.jsonl") for line in path.read_bytes().splitlines()]


def _repository(folder: Path) -> None:
    for command in (["init", "-q", "--bare", "bare.git"], ["clone", "-q", "bare.git", "clone"]):
        subprocess.run(["git", *command], cwd=folder, check=True, stderr=subprocess.DEVNULL)


def _lines_of_branch(folder: Path) -> list[bytes]:
    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=folder / "bare.git", check=True, capture_output=True).stdout

    names = git("ls-tree", "--name-only", "told").decode().split()
    return [line for name in names if name.startswith("probes-") for line in git("show", f"told:{name}").splitlines()]
