"""The verdict as a standalone SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from ci.report import picture
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import STORIES, no_go

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", STORIES)
def test_is_a_standalone_picture(name: str) -> None:
    root = ET.fromstring(picture.render(*STORIES[name]()))
    assert root.tag == f"{SVG}svg"
    used = {one.tag.removeprefix(SVG) for one in root.iter()}
    assert used <= {"svg", "title", "style", "clipPath", "rect", "text"}
    assert not [value for one in root.iter() for key, value in one.items() if key.endswith("href")]


def test_tells_the_verdict_and_every_stage() -> None:
    root = ET.fromstring(picture.render(*no_go()))
    told = [one.text for one in root.iter(f"{SVG}text")]
    assert told[0] == "NO-GO"
    assert {"preflight", "smoke", "security", "load", "release"} <= set(told)
    assert "FAIL" in told and "NOT PROMOTED" in told


def test_every_bar_lies_on_the_card() -> None:
    for story in STORIES.values():
        for bar in ET.fromstring(picture.render(*story())).iter(f"{SVG}rect"):
            assert 0 <= float(bar.get("x", "-1")) <= float(bar.get("x", "-1")) + float(bar.get("width", "0")) <= 760


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_stays_text(payload: str) -> None:
    calm = [one.tag for one in ET.fromstring(picture.render(*hostile_story("calm"))).iter()]
    assert [one.tag for one in ET.fromstring(picture.render(*hostile_story(payload))).iter()] == calm
