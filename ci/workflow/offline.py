"""Judging without Vercel and without secrets: the application is started on this machine, beside the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ci import pipeline
from ci.config import Config
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Progress
from ci.engine.redaction import Redactor
from ci.model import Reason, StageReport, Verdict
from ci.rehearsal.scene import stage_scene

Show = Callable[[Redactor], AbstractContextManager[Progress]]
Judged = tuple[tuple[StageReport, ...], Verdict]


async def judge_offline(
    evidence: Path,
    *,
    left_out: Sequence[str],
    show: Show,
    say: Callable[[str], None],
    stages: Sequence[str] = (),
    adapt: Callable[[Config], Config] = lambda config: config,
) -> Judged:
    """The stages and the gate against the application that is checked out here; a verdict that promotes nothing.

    `left_out`: what is not done, and why; it stands in the verdict's notes. `adapt` may change the configuration.
    Raises CannotRun when the application does not start.
    """
    async with stage_scene(evidence / "logs", say=say) as scene:
        config = adapt(scene.config)
        redact = Redactor.of_environment(scene.environ, config.secret_variables())
        store = EvidenceStore(evidence, redact)
        with show(redact) as progress:
            reports, verdict = await pipeline.check(scene.run_on_candidate(config, store, progress), stages)
    notes = tuple(Reason(rule="left-out", message=what) for what in left_out)
    verdict = redact.model(verdict.model_copy(update={"partial": True, "notes": (*verdict.notes, *notes)}))
    store.write_verdict(verdict)
    pipeline.publish(store, reports, verdict)
    for what in left_out:
        say(what)
    return reports, verdict
