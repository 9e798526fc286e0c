"""The security stage."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from ci.config import Config
from ci.engine.check import collect
from ci.engine.run import Run
from ci.engine.runner import probe_and_judge
from ci.model import CheckSpec, StageReport
from ci.security import headers
from ci.security.surface import Surface, fetch_surface

STAGE = "security"
_CHECKS = collect(headers)


def specs(config: Config) -> tuple[CheckSpec, ...]:
    """Every check of the stage."""
    return tuple(check.spec for check in _CHECKS)


async def run(run: Run, *, only: Collection[str] | None = None) -> StageReport:
    """Look at the target once and judge what was seen; `only` names the checks to make, by id."""
    started_at = datetime.now(UTC)
    attempts = 1
    checks = tuple(check for check in _CHECKS if only is None or check.spec.id in only)

    async def probe() -> Surface:
        nonlocal attempts
        run.progress.stage_at(STAGE, "fetching pages and answers")
        surface, attempts = await fetch_surface(run)
        return surface

    results = await probe_and_judge(checks, probe, timeout_s=run.config.security.timeout.total_seconds())
    results = tuple(result.model_copy(update={"attempts": attempts}) for result in results)
    for result in results:
        run.progress.check_done(STAGE, result)
    return StageReport(
        stage=STAGE, subject=run.subject, started_at=started_at, finished_at=datetime.now(UTC), results=results
    )
