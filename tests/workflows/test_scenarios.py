"""Everything that can start a workflow, end to end, against the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflows.playing import play
from tests.workflows.scenario import Scenario
from tests.workflows.scenarios import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    for played in await play(scenario, tmp_path / "world"):
        assert not played.problems, "\n".join([played.scenario.name, *played.problems, played.run.text()[-4000:]])
