"""The summary at the end of a run."""

from __future__ import annotations

import re

import pytest

from ci.model import ErrorKind
from ci.report import text
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import STORIES, Story, errored, go, judged, no_go, rolled_back, stage

ANSI = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize("name", STORIES)
def test_colour_changes_no_word(name: str) -> None:
    story = STORIES[name]()
    coloured = text.render(*story, colour=True)
    assert ANSI.search(coloured)
    assert ANSI.sub("", coloured) == text.render(*story)


def test_says_what_to_do() -> None:
    told = text.render(*no_go())
    assert told.startswith(" NO-GO   2 findings stand against it, and 1 question is open.\n")
    assert "FAIL  security/hsts" in told and "→ Send `Strict-Transport-Security" in told
    assert "HOLD  security/tls" in told and "could not be decided: timeout" in told
    assert "fingerprint efaa9692da7f359e" in told


def test_says_what_serves_production() -> None:
    told = text.render(*rolled_back())
    assert told.startswith(" ROLLED BACK ")
    assert "production serves dpl_5dTzB1cVn9XkQwErGyHu3iPa" in told


def test_reasons_without_a_check_are_told_too() -> None:
    story = go()
    told = text.render(story.reports[:2], judged(*story.reports[:2]), None)
    assert "HOLD  load: there is no report of this stage" in told


def test_a_crash_of_a_stage_is_told_once() -> None:
    results = [errored(f"smoke/check-{i}", "A check", ErrorKind.BUG, "it broke") for i in range(30)]
    report = stage("smoke", 0, 1, *results)
    told = text.render([report], judged(report), None)
    assert told.count("it broke") == 1
    assert "smoke: 30 checks" in told


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_moves_no_cursor_and_commands_no_runner(payload: str) -> None:
    told = text.render(*hostile_story(payload))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\u2066]", told)
    assert not re.search(r"^\s*::|##\[", told, re.M)
    calm = text.render(*hostile_story("calm"))
    assert len(told.splitlines()) == len(calm.splitlines())


def test_an_empty_run_is_no_go_of_any_kind() -> None:
    assert text.render(*Story((), None, None)).startswith(" NO VERDICT ")
