"""Two equal deployments of the demo, as a rehearsal starts them: does what the checks leave behind in one slow it down?

    python -m benchmarks load_after_checks                   # a short series of each case
    python -m benchmarks.load_after_checks candidate=10      # so many loads of this case

Each load goes to two fresh processes: both untouched, or the one after all of smoke and security. Prints candidate over
baseline for the typical latency and for the processor time that a request costs. The latter is hardly touched by other
work on the machine; 1 is wanted. And how many loads would have been called a regression by the default tolerances.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import psutil

from ci import pipeline
from ci.config.shape.load import Regression
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.load import access, generator
from ci.load.demands import Demands
from ci.load.load_run import LoadRun
from ci.load.plan import Limits, Plan
from ci.load.samples import Samples
from ci.load.sequential import Ruling
from ci.model import Subject
from ci.rehearsal.deployments import Deployment
from ci.rehearsal.scene import Scene, stage_scene

CASES = ("neither", "candidate", "baseline")
"""Who has been through smoke and security before."""
LOADS = 3
DURATION = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Seen:
    """One load, candidate over baseline."""

    typical: float
    processor: float
    ruling: Ruling


def main(arguments: Sequence[str] = ()) -> None:
    series = {name: int(loads) for name, _, loads in (argument.partition("=") for argument in arguments)}
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} at the start")
    for case in CASES:
        if not series or case in series:
            asyncio.run(_series(case, series.get(case, LOADS)))


async def _series(case: str, loads: int) -> None:
    seen = [await _one(case) for _ in range(loads)]
    alarms = sum(one.ruling is Ruling.REGRESSION for one in seen)
    told = []
    for what, ratios in (("typical", [one.typical for one in seen]), ("processor", [one.processor for one in seen])):
        told.append(f"{what} {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"checked before: {case:10} {', '.join(told)}; {alarms} of {loads} called a regression", flush=True)


async def _one(case: str) -> Seen:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stage_scene(folder / "logs") as scene:
            if case != "neither":
                checked = scene.candidate if case == "candidate" else scene.baseline
                await pipeline.check(_run(scene, checked, folder), ["smoke", "security"])
            return await _load(scene, _run(scene, scene.candidate, folder))


def _run(scene: Scene, deployment: Deployment, folder: Path) -> Run:
    load = scene.config.load.model_copy(update={"regression": Regression(), "duration": DURATION})
    config = scene.with_plain_port(scene.config.model_copy(update={"load": load}), deployment)
    store = EvidenceStore(folder / "evidence", Redactor.of_environment(scene.environ, config.secret_variables()))
    subject = Subject(url=scene.standin.url_of(deployment), commit=deployment.source.sha)
    return Run.about(subject, config, scene.environ, store, Silence(), scene.standin.url_of(scene.baseline))


async def _load(scene: Scene, run: Run) -> Seen:
    load = run.config.load
    plan = Plan.of(load, run.url, run.baseline_url)
    processes = [_process_of(deployment) for deployment in (scene.candidate, scene.baseline)]
    before = [_cpu_s(process) for process in processes]
    recording = await generator.generate(
        plan,
        environ=run.environ,
        accesses=await access.gain(plan, run.http, run.config.smoke.login, run.environ),
        redact=run.store.redact,
        on_pulse=lambda pulse: None,
    )
    candidate, baseline = (_cpu_s(process) - was for process, was in zip(processes, before, strict=True))
    ending = recording.ending
    ended = LoadRun(
        plan=plan,
        limits=Limits.of(load),
        demands=Demands.of(load, duration_s=plan.duration_s, relative=True),
        samples=Samples.read(recording.samples, expected=ending.requests, endpoints=len(plan.endpoints)),
        ending=ending,
    )
    typical = float(np.exp(np.nanmean(ended.standing.whole.fine.typical_log_ratio)))
    return Seen(typical, candidate / baseline, ended.ruling)


def _process_of(deployment: Deployment) -> psutil.Process:
    mine = psutil.Process().children(recursive=True)
    return next(child for child in mine if child.environ().get("VERCEL_DEPLOYMENT_ID") == deployment.id)


def _cpu_s(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


if __name__ == "__main__":
    main(sys.argv[1:])
