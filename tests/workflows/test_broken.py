"""The table can fail: workflows that are broken on purpose, and what the scenarios say about them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tests.workflows.acting import for_act
from tests.workflows.environment import ROOT
from tests.workflows.playing import Player
from tests.workflows.scenarios import SCENARIOS

FILE = ".github/workflows/ci-cd.yml"
ALL_WELL = '{"plan": {"result": "success", "outputs": {"route": "ours", "jobs": "[]"}}}'


BROKEN = {
    "the verdict is ignored": (
        "by hand: gate a URL",
        r"GONOGO_NEEDS: \$\{\{ toJSON\(needs\) \}\}\n +run: gonogo workflow enforce",
        f"GONOGO_NEEDS: '{ALL_WELL}'\n        run: gonogo workflow enforce",
        "enforce is success, not failure",
    ),
    "nothing holds the domain": (
        "vercel.deployment.ready: forged, another URL",
        r"uses: \./\.github/actions/being-judged",
        "uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "statuses: {}",
    ),
    "a step shows the token": (
        "by hand: an input that is a command",
        r"run: gonogo workflow plan",
        'run: echo "$VERCEL_TOKEN" && gonogo workflow plan',
        "a secret was told",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.asyncio(loop_scope="session")
async def test_what_is_broken_is_noticed(fault: str, player: Player, tmp_path: Path) -> None:
    name, pattern, replacement, said = BROKEN[fault]
    text, count = re.subn(pattern, lambda _: replacement, for_act((ROOT / FILE).read_text()))
    assert count, f"{pattern} is not in {FILE}"
    sound = next(item for item in SCENARIOS if item.name == name)
    [played] = await player.play(dataclasses.replace(sound, files={**sound.files, FILE: text}), tmp_path)
    assert any(said in problem for problem in played.problems), played.problems
