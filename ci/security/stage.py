"""The security stage: live probes of the target, and beside them the scan of the application's repository."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

from ci.config import Config
from ci.config.shape.security import Code
from ci.engine.run import Run
from ci.model import CheckResult, CheckSpec, Measure, StageReport
from ci.security import live
from ci.security.scanners import scan

STAGE = "security"


def specs(config: Config) -> tuple[CheckSpec, ...]:
    """Every check of the stage."""
    return live.specs(config) + scan.specs()


def time_limit_s(config: Config) -> float:
    """Seconds for the whole stage: its two parts run side by side."""
    code = config.security.code or Code()
    return max(config.security.timeout.total_seconds(), code.timeout.total_seconds() + scan.GRACE_S)


async def run(run: Run, *, only: Collection[str] | None = None) -> StageReport:
    """Look at the target and at the repository once, and judge what was seen; `only` names the checks, by id."""
    started_at = datetime.now(UTC)
    measures: list[Measure] = []
    parts = []
    async with asyncio.TaskGroup() as group:
        if run.part != "code":
            parts.append(group.create_task(live.results(run, only, measured=measures.append)))
        if run.part != "live":
            parts.append(group.create_task(scan.scan(run, only=only, demanded=run.part == "code")))
    results: tuple[CheckResult, ...] = sum((part.result() for part in parts), ())
    return StageReport(
        stage=STAGE,
        subject=run.subject,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        results=results,
        left_out=_left_out(run),
        measures=tuple(measures),
    )


def _left_out(run: Run) -> str | None:
    """What this run does not judge, in words."""
    other = {"code": "the live probes of the target", "live": "the scan of the code", None: None}[run.part]
    older = f"whatever of the code is older than {run.since}" if run.since and run.part != "live" else None
    return "; ".join(part for part in (other, older) if part) or None
