"""The drill: inject every flaw, and demand that the right check fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ci import pipeline
from ci.config import Config
from ci.config.shape.security import Code
from ci.engine.check import declared
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.errors import CannotRun
from ci.gate.policy import decide
from ci.model import Decision, ErrorKind, Outcome, Severity, StageReport
from ci.pipeline.stages import STAGES
from ci.rehearsal import advisories
from ci.rehearsal.checkout import CodeFault, checkout_with
from ci.rehearsal.flaws import Flaw, Place, all_flaws, named
from ci.rehearsal.scene import Scene, stage_scene
from ci.security.scanners.scan import specs as code_specs
from ci.smoke import suite

SOAKED = ("load/drift",)
"""Checks that only a load which lasts can answer, and how long it lasts here when the configuration does not say."""
SOAK_S = 24
BESIDE_THE_BASELINE = ("load/regression",)
"""Checks that need a baseline to compare with."""
AT_ONCE = 2
"""Flaws drilled side by side; load alone is drilled one by one, because it disturbs the others."""


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a flaw led to."""

    flaw: Flaw
    decision: Decision
    failed: tuple[str, ...]
    """Ids of the checks that failed."""

    @property
    def caught(self) -> bool:
        return self.decision is Decision.NO_GO and self.flaw.check in self.failed

    @property
    def astray(self) -> tuple[str, ...]:
        """Checks that failed although the flaw is nothing to them: a check that cries at anything proves nothing."""
        return tuple(check for check in self.failed if check not in {self.flaw.check, *self.flaw.also})

    @property
    def proved(self) -> bool:
        return self.caught and not self.astray

    def as_dict(self) -> dict[str, Any]:
        return {
            "flaw": self.flaw.name,
            "check": self.flaw.check,
            "decision": self.decision,
            "failed": list(self.failed),
            "caught": self.caught,
            "astray": list(self.astray),
        }


async def drill(evidence: Path, names: Sequence[str], *, say: Callable[[str], None]) -> tuple[Drilled, ...]:
    """Drill the named flaws, or all. Raises ConfigError for an unknown name."""
    flaws = named(names) or all_flaws()
    if not flaws:
        raise CannotRun(ErrorKind.NO_DATA, "the demo application declares no flaw, so nothing would be proved")
    places = asyncio.Semaphore(AT_ONCE)

    async with stage_scene(evidence / "logs", say=say) as scene:

        async def one(flaw: Flaw) -> Drilled:
            async with places:
                drilled = await drill_one(scene, flaw, evidence / flaw.name)
            say(f"{_answer(drilled)}: {flaw.name} by {flaw.check}")
            return drilled

        quiet = [flaw for flaw in flaws if flaw.stage not in pipeline.ALONE]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(flaw)) for flaw in quiet]
        return (*(task.result() for task in tasks), *[await one(flaw) for flaw in flaws if flaw not in quiet])


async def drill_one(scene: Scene, flaw: Flaw, evidence: Path, *, whole: bool = True) -> Drilled:
    """Run the stage that must notice the flaw, where the flaw is; the named check alone, unless it is to be `whole`."""
    config = _quick(scene, flaw)
    store = EvidenceStore(evidence, Redactor.of_environment(scene.environ, config.secret_variables()))
    if flaw.place is Place.CODE:
        async with checkout_with(CodeFault(flaw.name)) as folder:
            run = Run.about(pipeline.subject_of(pipeline.NO_TARGET), config, scene.environ, store, Silence())
            reports, decision = await _judged(replace(run, part="code", folder=folder), flaw, whole)
    else:
        async with scene.deployed([flaw]) as deployment:
            config = scene.with_plain_port(config, deployment)
            subject = pipeline.subject_of(scene.standin.url_of(deployment), deployment.source.sha, deployment.id)
            run = Run.about(subject, config, scene.environ, store, Silence())
            if flaw.check in BESIDE_THE_BASELINE:
                # There a flaw shows so soon that the objective which it breaks too is not judged any more.
                run = replace(run, baseline_url=scene.standin.url_of(scene.baseline))
            reports, decision = await _judged(run, flaw, whole)
    failed = (r.spec.id for report in reports for r in report.results if r.outcome is Outcome.FAIL)
    return Drilled(flaw, decision, tuple(failed))


async def _judged(run: Run, flaw: Flaw, whole: bool) -> tuple[Sequence[StageReport], Decision]:
    if whole:
        reports, verdict = await pipeline.check(run, [flaw.stage])
    else:
        reports = (await STAGES[flaw.stage]().run(run, only=(flaw.check,)),)
        verdict = decide(run.config.gate, run.subject, reports, now=datetime.now(UTC), only=(flaw.stage,))
    return reports, verdict.decision


def _quick(scene: Scene, flaw: Flaw) -> Config:
    """The configuration without what a flaw does not need to be seen, the browser first, and strict to the last."""
    config = scene.config
    in_browser = {spec.id for spec in declared(*suite.browser())}
    smoke = config.smoke.model_copy(update={"browser": flaw.check in in_browser})
    security = config.security
    if security.rate_limit and flaw.check != "security/rate-limit-recovery":
        # Nobody waits for the end of a limit but the check that needs it.
        impatient = security.rate_limit.model_copy(update={"recovery": timedelta(milliseconds=1)})
        security = security.model_copy(update={"rate_limit": impatient})
    if flaw.place is Place.CODE:
        security = security.model_copy(update={"code": _code(scene, flaw)})
    # The mildest finding counts here: a flaw that only earns advice is to be caught as well.
    gate = config.gate.model_copy(update={"fail_on": Severity.INFO})
    load = config.load
    if flaw.check in BESIDE_THE_BASELINE:
        # It ends when it is certain.
        load = load.model_copy(update={"duration": None})
    if flaw.check in SOAKED:
        duration = load.duration or timedelta(seconds=SOAK_S)
        load = load.model_copy(update={"profile": "soak", "duration": duration})
    return config.model_copy(update={"smoke": smoke, "security": security, "load": load, "gate": gate})


def _code(scene: Scene, flaw: Flaw) -> Code:
    """The scan that must notice the flaw, and no other."""
    return Code.model_validate(
        {
            "leave_out": [spec.id for spec in code_specs() if spec.id != flaw.check],
            "osv_url": scene.advisories_url + advisories.OSV_PATH,
            "npm_registry": scene.advisories_url,
        }
    )


def matrix(drilled: Sequence[Drilled]) -> str:
    """What was drilled, as a table for a terminal."""
    widths = [
        max(len(text) for text in column)
        for column in zip(*((d.flaw.name, d.flaw.check) for d in drilled), strict=True)
    ]
    lines = []
    for item in drilled:
        also = [check for check in item.failed if check in item.flaw.also]
        follows = f"  (also {', '.join(also)})" if also else ""
        astray = f"  but {', '.join(item.astray)} failed, too" if item.astray else ""
        lines.append(f"{item.flaw.name:{widths[0]}}  {item.flaw.check:{widths[1]}}  {_answer(item)}{follows}{astray}")
    caught, strays = sum(item.caught for item in drilled), sum(bool(item.astray) for item in drilled)
    lines.append(
        f"{caught} of {len(drilled)} flaws caught" + (f", {strays} by more checks than they break" if strays else "")
    )
    return "\n".join(lines)


def _answer(drilled: Drilled) -> str:
    return "caught" if drilled.caught else f"MISSED, {drilled.decision}"
