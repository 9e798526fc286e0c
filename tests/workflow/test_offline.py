"""Without secrets: the application is started here, and the verdict says what it does not answer for."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ci.config import Config
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.model import Decision
from ci.workflow.offline import judge_offline
from ci.workflow.routes import without_secrets


def small(config: Config) -> Config:
    """The demo's configuration without a browser, which this test needs not."""
    smoke = config.smoke.model_copy(update={"browser": False, "oauth": ()})
    return config.model_copy(update={"smoke": smoke})


async def test_a_verdict_that_promotes_nothing_and_says_why(tmp_path: Path) -> None:
    told: list[str] = []
    left_out = without_secrets("this pull request comes from a fork")
    reports, verdict = await judge_offline(
        tmp_path,
        left_out=left_out,
        show=lambda redact: contextlib.nullcontext(Silence()),
        say=told.append,
        stages=("smoke",),
        adapt=small,
    )
    assert verdict.decision is Decision.GO, verdict.reasons
    assert verdict.partial
    assert [note.message for note in verdict.notes if note.rule == "left-out"] == list(left_out)
    assert told[-len(left_out) :] == list(left_out)
    assert EvidenceStore(tmp_path, Redactor()).verdict() == verdict
    assert "comes from a fork" in (tmp_path / "summary.md").read_text()
    assert {report.stage for report in reports} == {"preflight", "smoke"}
