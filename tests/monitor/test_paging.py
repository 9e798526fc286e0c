"""`gonogo monitor page`, and what stands on the page of a workflow run."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci.cli.monitoring import monitor as commands
from ci.monitor.facts import Condition, Kind, ProbeRecord, Round
from ci.monitor.folder import folder_history
from ci.monitor.page.files import FILES
from ci.monitor.summary import summary
from tests.monitor.stories import all_down, config, overview_of, probes

SLOT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


def a_round(outcome: Condition, words: str = "answered 502, wanted 200", slot: datetime = SLOT) -> Round:
    common = {"round_id": "r1", "slot": slot, "every_s": 900, "at": slot}
    target = {"environment": "production", "target": "home", "kind": Kind.PAGE, "outcome": outcome, "detail": words}
    records = (
        ProbeRecord(target="round", kind=Kind.MONITOR, outcome=Condition.UP, **common),
        ProbeRecord(**target, **common),
    )
    return Round(id="r1", slot=slot, every_s=900, started_at=slot, finished_at=slot, records=records)


async def write(folder: Path) -> None:
    async with folder_history(folder) as history:
        await history.append(a_round(Condition.DEGRADED))


def test_the_page_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gonogo.yaml").write_text("target: {production: https://app.example.com}\n")
    for place, state in (("empty", "unknown"), ("history", "degraded")):
        if place == "history":
            asyncio.run(write(tmp_path / place))
        with pytest.raises(SystemExit) as ended:
            commands.main(["page", "--history", place, "--out", "site", "--json"])
        assert ended.value.code == 0
        assert json.loads(capsys.readouterr().out) == {"state": state, "files": [f"site/{name}" for name in FILES]}
        assert json.loads((tmp_path / "site" / "status.json").read_text())["state"] == state


def test_a_round_on_the_page_of_its_run():
    shown = config()
    told = overview_of(probes(SLOT - timedelta(hours=5), timedelta(hours=1), all_down), shown, now=SLOT, corrupt=2)
    text = summary(a_round(Condition.DOWN, "`| <img src=x> @team"), told)
    assert text.startswith("## 🔴 Round `r1`\n\n1 down, 1 up\n")
    row = next(line for line in text.splitlines() if "production/page/home" in line)
    assert "<img" not in row
    assert row.replace("\\|", "").count("|") == 4
    assert "2 lines of the history cannot be read" in text
    assert summary(a_round(Condition.UP), told).startswith("## 🟢 Round")
