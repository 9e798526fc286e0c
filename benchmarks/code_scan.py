"""How long the whole code scan takes, as a multiple of its slowest scanner, on this repository.

Of the slowest beside the others, which tells what running them side by side costs; and of the slowest by itself, which
also tells whether the processors suffice for all of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import time
from pathlib import Path

from ci.config import load_config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.model import CheckResult, Outcome, Subject
from ci.security.scanners import scan

ROOT = Path(__file__).parents[1]
NOWHERE = "https://target.invalid"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(_run(Path(folder))))


async def _measure(run: Run) -> None:
    whole, results = await _seconds(run)
    made = [result.spec.id for result in results if result.outcome in {Outcome.PASS, Outcome.FAIL}]
    beside = max(result.duration_s for result in results)
    print(f"code scan: {whole / beside:.2f} x its slowest scanner in the same run (of {whole:.1f} s)")
    alone = {check: (await _seconds(run, check))[0] for check in made}
    slowest = max(alone, key=alone.__getitem__)
    times = f"{whole:.1f} s against {alone[slowest]:.1f} s of {slowest}"
    print(f"  {whole / alone[slowest]:.2f} x its slowest scanner by itself ({times})")
    print(f"  one after the other it would be {sum(alone.values()) / alone[slowest]:.2f} x")
    for result in results:
        if result.spec.id not in made:
            print(f"  not part of it: {result.spec.id}: {result.error.message if result.error else result.skip_reason}")


async def _seconds(run: Run, *only: str) -> tuple[float, tuple[CheckResult, ...]]:
    started = time.perf_counter()
    results = await scan.scan(run, only=only or None)
    return time.perf_counter() - started, results


def _run(evidence: Path) -> Run:
    config = load_config(ROOT / "gonogo.yaml")
    run = Run(
        config=config,
        subject=Subject(url=NOWHERE),
        environ={},
        http=HttpFactory.for_target(NOWHERE, budget=1, environ={}),
        store=EvidenceStore(evidence, Redactor.of_environment({}, ())),
        progress=Silence(),
    )
    return dataclasses.replace(run, folder=ROOT)
