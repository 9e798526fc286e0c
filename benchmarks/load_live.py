"""The whole load stage against two processes of the demo application, about 200 requests a second over both.

    python -m benchmarks load_live                       # a short series of each case
    python -m benchmarks.load_live equal=20 slower=10    # as many runs of these cases

Prints for each case how often the outcome was what it had to be, and after how many seconds. The machine's own noise is
part of the measurement: other work on it makes the series slower and the answers less certain.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.config import parse_config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.engine.runner import run_stage
from ci.load import stage
from ci.model import Outcome, StageReport, Subject
from ci.rehearsal.builder import BuildRequest, ProcessBuilder

LOAD = "{scenarios: [{path: /, weight: 5}, {path: /api/auth/tiers, weight: 3}, {path: /api/health, weight: 2}]}"
HOGS = 3
ENVIRONMENT = {"SECRET_KEY": "k" * 40, "RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "ERROR"}


@dataclass(frozen=True, slots=True)
class Case:
    """What the candidate does, and what the stage must say of it."""

    fault: tuple[str, ...]
    wanted: tuple[Outcome, ...]
    runs: int = 2
    hogs: int = 0


NO_ALARM = (Outcome.PASS, Outcome.ERROR)
CASES = {
    "equal": Case((), NO_ALARM, 4),
    "equal-with-hogs": Case((), NO_ALARM, 3, hogs=HOGS),
    "slower": Case(("--fault", "slower", "--amount", "0.15"), (Outcome.FAIL,), 3),
    "errors": Case(("--fault", "errors", "--amount", "0.02"), (Outcome.FAIL,), 3),
    "tail": Case(("--fault", "tail", "--amount", "4"), (Outcome.FAIL,)),
    "fails-fast": Case(("--fault", "fails-fast"), (Outcome.FAIL,)),
    "hangs": Case(("--fault", "hangs", "--after", "5"), (Outcome.FAIL,)),
    "resets": Case(("--fault", "resets", "--after", "5"), (Outcome.FAIL,)),
    "dies": Case(("--fault", "dies", "--after", "6"), (Outcome.FAIL,)),
    "cold": Case(("--fault", "cold", "--amount", "4"), NO_ALARM),
}


def main(arguments: Sequence[str] = ()) -> None:
    series = {name: int(runs) for name, _, runs in (argument.partition("=") for argument in arguments)}
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} at the start, {HOGS} hogs where named")
    for name, case in CASES.items():
        if not series or name in series:
            asyncio.run(_series(name, case, series.get(name, case.runs)))


async def _series(name: str, case: Case, runs: int) -> None:
    right, passed, seconds, told = 0, 0, [], []
    for _ in range(runs):
        report, took_s = await one(case.fault, case.hogs)
        right += report.outcome in case.wanted
        passed += report.outcome is Outcome.PASS
        seconds.append(took_s)
        told.append(in_words(report))
    print(
        f"{name:16} as wanted {right} of {runs}, passed {passed}; "
        f"{statistics.median(seconds):.1f} s at the median, {max(seconds):.1f} s at the most"
    )
    for words in told:
        print(f"    {words}", flush=True)


async def one(fault: Sequence[str] = (), hogs: int = 0, load: str = LOAD) -> tuple[StageReport, float]:
    """The stage's report about one candidate beside a healthy baseline, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder, busy(hogs) if hogs else nullcontext():
        async with demo(Path(folder)) as baseline, demo(Path(folder), *fault) as candidate:
            began = time.perf_counter()
            report = await check(candidate, baseline, Path(folder), load)
            return report, time.perf_counter() - began


async def check(url: str, baseline: str | None, folder: Path, load: str = LOAD) -> StageReport:
    config = parse_config(f"target: {{production: '{url}'}}\nload: {load}")
    run = Run(
        config=config,
        subject=Subject(url=url),
        environ=os.environ,
        http=HttpFactory.for_target(url, budget=100, environ=os.environ),
        store=EvidenceStore(folder / "evidence", Redactor.of_environment(os.environ)),
        progress=Silence(),
        baseline_url=baseline,
    )
    run.store.begin()
    limit_s = stage.time_limit_s(config)
    return await run_stage(
        "load",
        run.subject,
        lambda: stage.run(run),
        specs=stage.specs(config),
        timeout_s=limit_s,
        progress=run.progress,
    )


@asynccontextmanager
async def demo(folder: Path, *arguments: str) -> AsyncIterator[str]:
    """The demo application as a process; its address."""
    command = [sys.executable, "-m", "benchmarks.targets.faulty_demo", *arguments]
    backend = await ProcessBuilder(command, folder)(BuildRequest(f"demo-{time.monotonic_ns()}", ENVIRONMENT))
    try:
        yield backend.url
    finally:
        await backend.stop()


@contextmanager
def busy(count: int) -> Any:
    """Processes that want all the processor time there is."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def in_words(report: StageReport) -> str:
    told = []
    for result in report.results:
        why = result.error.message if result.error else result.findings[0].message if result.findings else ""
        why = why or (result.evidence[0].summary if result.evidence else "")
        told.append(f"{result.spec.id.removeprefix('load/')} {result.outcome}: {why[:130]}")
    return " | ".join(told)


if __name__ == "__main__":
    main(sys.argv[1:])
