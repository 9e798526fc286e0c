"""Every scenario against the stand-in, and the page that tells of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ci.model import ReleaseEnd
from tests.deploy.play import Scenario, play
from tests.deploy.scenarios import every, page

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"


@pytest.mark.parametrize("scenario", every(), ids=lambda scenario: scenario.name)
async def test_scenario(scenario: Scenario):
    actual = await play(scenario)
    story = "\n".join(f"{event.phase}: {event.message}" for event in actual.release.events)
    assert actual.end == scenario.end, story
    assert actual.exit_code == scenario.exit_code
    assert actual.writes == scenario.writes, story
    assert actual.serves == scenario.serves, story
    if scenario.auto_assign is not None:
        assert actual.auto_assign is scenario.auto_assign, story
    assert actual.release.events[-1].phase == "END"
    assert actual.release.events[-1].message


def test_names_are_unique_and_there_are_enough():
    doubles = [name for name, count in Counter(s.name for s in every()).items() if count > 1]
    assert not doubles
    assert len(every()) >= 40


def test_every_end_is_reached_by_some_scenario():
    assert {scenario.end for scenario in every()} == set(ReleaseEnd)


def test_the_page_is_the_table():
    assert PAGE.read_text() == page(), "docs/scenarios.md is out of date: write tests.deploy.scenarios.page() there"
