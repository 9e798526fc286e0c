"""Everything that can start a workflow, end to end, against the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflows.playing import Player
from tests.workflows.scenario import Scenario
from tests.workflows.scenarios import SCENARIOS


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_scenario(scenario: Scenario, player: Player, tmp_path: Path) -> None:
    for played in await player.play(scenario, tmp_path):
        assert not played.problems, "\n".join([played.scenario.name, *played.problems, played.run.text()[-4000:]])
