"""Gonogo's own repository, by its own gonogo.yaml and baseline."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

from ci.config import load_config
from ci.gate.policy import decide
from ci.model import Decision, StageReport, Subject
from ci.security.scanners.scan import scan
from tests.runs import run_on

ROOT = Path(__file__).parents[3]
OFFLINE = ("security/secrets-tree", "security/python-code", "security/workflows")
"""The checks that need neither a network nor a clone with its whole history."""


async def test_nothing_stands_against_it(tmp_path: Path) -> None:
    config = load_config(ROOT / "gonogo.yaml")
    run = run_on("http://127.0.0.1:9", tmp_path / "evidence", security={"code": {}})
    started_at = datetime.now(UTC)
    results = await scan(dataclasses.replace(run, config=config, folder=ROOT), only=OFFLINE)
    now, subject = datetime.now(UTC), Subject(url="http://127.0.0.1:9")
    report = StageReport(stage="security", subject=subject, started_at=started_at, finished_at=now, results=results)
    verdict = decide(config.gate, subject, [report], now=now, only=("security",), target=False)
    assert verdict.decision is Decision.GO, verdict.reasons
    assert not [note.message for note in verdict.notes if "meets no finding" in note.message]
