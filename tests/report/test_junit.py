"""junit.xml: valid for any text, and never green where nothing is known."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.model import Release, ReleaseEnd
from ci.report import junit
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import SUBJECT, Story, empty, go, hold, judged, no_go, rolled_back, skipped, stage


def read(story: Story) -> ET.Element:
    return ET.fromstring(junit.render(*story))


def case(root: ET.Element, name: str) -> ET.Element:
    (found,) = [one for one in root.iter("testcase") if one.get("name") == name]
    return found


def suite(root: ET.Element, name: str) -> ET.Element:
    (found,) = root.findall(f"testsuite[@name='{name}']")
    return found


def counts(element: ET.Element) -> tuple[int, ...]:
    return tuple(int(element.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped"))


def test_outcomes_are_told_in_their_own_words() -> None:
    root = read(no_go())
    assert counts(suite(root, "smoke")) == (6, 0, 0, 1)
    assert counts(suite(root, "security")) == (5, 2, 1, 0)
    failure = case(root, "security/hsts").find("failure")
    assert failure is not None and failure.get("type") == "high"
    assert "Strict-Transport-Security" in (failure.text or "")
    error = case(root, "security/tls").find("error")
    assert error is not None and error.get("type") == "timeout"
    skip = case(root, "smoke/oauth").find("skipped")
    assert skip is not None and "smoke.oauth" in skip.get("message", "")
    assert case(root, "smoke/health")[0].tag == "system-out"


def test_the_totals_are_those_of_the_suites() -> None:
    root = read(no_go())
    suites = [counts(one) for one in root]
    assert counts(root) == tuple(map(sum, zip(*suites, strict=True)))


def test_the_verdict_is_a_case_of_its_own() -> None:
    assert case(read(go()), "verdict")[0].tag == "system-out"
    assert case(read(no_go()), "verdict").find("failure") is not None
    assert case(read(hold()), "verdict").find("error") is not None
    assert case(read(empty()), "verdict").find("error") is not None


@pytest.mark.parametrize(
    "report",
    [
        stage("load", 0, 0, not_run="smoke was NO-GO"),
        stage("load", 0, 1),
        stage("load", 0, 1, skipped("load/p95", "Fast", "not configured")),
    ],
    ids=["not run", "no result", "skips alone"],
)
def test_a_stage_that_judged_nothing_is_an_error(report) -> None:
    root = read(Story((report,), judged(report), None))
    tests, _, errors, _ = counts(suite(root, "load"))
    assert errors == 1 <= tests


def test_a_demanded_stage_without_a_report_is_an_error() -> None:
    story = go()
    root = read(Story(story.reports[:1], story.verdict, None))
    assert counts(suite(root, "load")) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("end", "tag"),
    [
        (ReleaseEnd.PROMOTED, "system-out"),
        (ReleaseEnd.NO_GO, "skipped"),
        (ReleaseEnd.HOLD, "skipped"),
        (ReleaseEnd.ROLLED_BACK, "failure"),
        (ReleaseEnd.ROLLBACK_FAILED, "failure"),
        (ReleaseEnd.UNKNOWN, "error"),
        (ReleaseEnd.QUEUED, "error"),
        (ReleaseEnd.SUPERSEDED, "error"),
        (None, "error"),
    ],
)
def test_only_a_promotion_is_a_green_release(end: ReleaseEnd | None, tag: str) -> None:
    release = Release(project_id="prj_shop", candidate=SUBJECT, end=end)
    story = go()
    assert case(read(Story(story.reports, story.verdict, release)), "production")[0].tag == tag


def test_a_rolled_back_release_is_not_green() -> None:
    assert counts(read(rolled_back()))[1] == 1


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_stays_text(payload: str) -> None:
    calm = [(one.tag, sorted(one.keys())) for one in read(hostile_story("calm")).iter()]
    assert [(one.tag, sorted(one.keys())) for one in read(hostile_story(payload)).iter()] == calm


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), min_size=1, max_size=60))
def test_any_text_gives_valid_xml(text: str) -> None:
    document = junit.render(*hostile_story(text))
    ET.fromstring(document.encode())  # no surrogate may be left either
