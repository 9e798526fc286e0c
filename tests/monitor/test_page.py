"""The status page: what it claims, and what it does not."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.monitor.episodes import episodes
from ci.monitor.facts import Condition, Incident, Kind, Priority, Series
from ci.monitor.page import badge, data, feed, html
from ci.monitor.page.bars import HEIGHT, Column, _pieces, draw
from ci.monitor.page.files import FILES, write
from ci.monitor.page.states import State, headline
from ci.monitor.page.view import DAYS, StatusPage, build
from tests.monitor.stories import (
    BEHIND,
    DOWN,
    EXPIRING,
    NOW,
    SERVING,
    STORIES,
    UP,
    all_down,
    all_well,
    config,
    overview_of,
    probes,
    story,
)

HOUR = timedelta(hours=1)
ATOM = {"a": feed.ATOM}


@pytest.fixture(scope="module")
def pages() -> dict[str, StatusPage]:
    return {name: build(*story(name)) for name in STORIES}


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [
        ("empty", State.UNKNOWN, "Nothing is known yet"),
        ("first-round", State.UP, "Everything works"),
        ("year", State.UP, "Everything works"),
        ("all-down", State.DOWN, "Outage"),
        ("stopped", State.UNKNOWN, "Not known"),
    ],
)
def test_the_headline(pages, name, state, word):
    page = pages[name]
    assert (page.headline.state, page.headline.word) == (state, word)
    assert f"<span>{word}</span></h1>" in html.render(page)
    assert json.loads(data.render(page))["state"] == state
    assert word.lower() in badge.render(page)


def test_nothing_is_claimed_where_nobody_looked(pages):
    """Twenty days were watched, the last of them not: neither uptime nor state speaks for it."""
    page = pages["stopped"]
    assert {part.state for one in page.environments for part in one.serving} == {State.UNKNOWN}
    for part in page.environments[0].serving:
        assert part.columns[-1].seconds.keys() == {"unknown"}
        assert [bool(column.seconds) for column in part.columns] == [False] * (DAYS - 21) + [True] * 21
    text = html.render(page)
    assert page.windows[0][1].coverage < 0.5
    assert f"of only {page.windows[0][1].coverage * 100:.2f}" in text
    assert "nothing to 100.00" in text


def test_maintenance_is_announced_two_weeks_before(pages):
    told = [(one.reason, one.where, one.under_way) for one in pages["all-down"].announced]
    assert told == [("maintenance", "", True), ("the database moves", "production", False)]
    assert "The database moves (production)" in html.render(pages["all-down"])
    assert 'id="announced"' not in html.render(pages["year"])


def test_unknown_is_drawn_and_told_as_unknown(pages):
    part = pages["year"].environments[0].serving[0]
    unseen = [column for column in part.columns if column.seconds.get("unknown")]
    assert unseen
    assert part.told
    total = sum(sum(column.seconds.values()) for column in part.columns)
    seen = total - sum(column.seconds["unknown"] for column in unseen)
    assert part.told.coverage == pytest.approx(seen / total, abs=1e-4)
    assert 'class="day unknown"' in draw(part.columns, "x", "t")
    assert f"of the {part.told.coverage * 100:.2f}\u00a0% observed" in html.render(pages["year"])


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {}, optional={name: st.floats(1, 86_400) for name in ("up", "down", "degraded", "unknown", "maintenance")}
    )
)
def test_a_column_is_full_and_hides_nothing(seconds):
    pieces = list(_pieces(Column(date(2026, 1, 1), seconds)))
    if not seconds:
        assert [state for state, _, _ in pieces] == ["unwatched"]
        return
    assert {state for state, _, _ in pieces} == set(seconds)
    assert sum(height for *_, height in pieces) == pytest.approx(HEIGHT)
    assert all(height > 2 for *_, height in pieces)


@pytest.mark.parametrize(
    ("serving", "others", "stale", "word"),
    [
        ([State.UP, State.DOWN], [], None, "Partial outage"),
        ([State.DOWN], [], None, "Outage"),
        ([State.UP], [State.DOWN], None, "Degraded"),
        ([State.UP, State.DEGRADED], [], None, "Degraded"),
        ([State.UP, State.UNKNOWN], [], None, "Not known"),
        ([State.UP, State.MAINTENANCE], [], None, "Maintenance"),
        ([State.UP], [State.UP], None, "Everything works"),
        ([], [State.UP], None, "Nothing is known yet"),
        ([State.DOWN], [], HOUR, "Not known"),
    ],
)
def test_the_headline_of(serving, others, stale, word):
    assert headline(serving, others, ever=bool(serving), stale=stale).word == word


def test_what_opened_together_is_one_event():
    def one(target, minutes, **changes):
        at = NOW - timedelta(minutes=minutes)
        series = Series(environment=changes.pop("environment", "production"), target=target, kind=Kind.PAGE)
        facts = {"good_before": None, "first_failure": at, "last_failure": at, "failures": 2, "opened_at": at}
        facts |= {"priority": Priority.P1, "condition": Condition.DEGRADED, "closed_at": NOW, "good_again": NOW}
        return Incident(series=series, **{**facts, **changes})

    worst = one("b", 115, priority=Priority.P0, condition=Condition.DOWN)
    going_on = one("e", 118, closed_at=None, good_again=None)
    over = one("f", 117, episode=going_on.id)
    found = episodes(
        [one("a", 120, episode=worst.id), worst, one("c", 60), one("d", 119, environment="staging"), over, going_on]
    )
    assert [(episode.title, episode.priority) for episode in found] == [
        ("e is degraded", "P1"),
        ("c was degraded", "P1"),
        ("d (staging) was degraded", "P1"),
        ("b, a were down", "P0"),
    ]
    assert found[-1].lasted(NOW) == timedelta(hours=2)


def test_what_is_hidden_is_in_none_of_the_files():
    shown = config(hide=["/api/auth/*", "staging/*", "database"])
    records = list(probes(NOW - timedelta(days=3), HOUR, all_down))
    page = build(overview_of(records, shown), shown)
    everything = "".join(render(page) for render in FILES.values())
    assert "home" in everything
    assert "connection refused" not in everything  # details are for those who asked for them
    for word in ("/api/auth", "staging", "Staging", "database<"):
        assert word not in everything, word


def test_a_target_that_was_taken_out_is_no_part_of_the_present():
    before = [
        record for record in probes(NOW - timedelta(days=2), HOUR, all_well) if record.slot < NOW - timedelta(days=1)
    ]
    after = [record for record in probes(NOW - timedelta(days=1), HOUR, all_well) if record.target != "home"]
    page = build(overview_of([*before, *after], config()), config())
    assert [part.name for one in page.environments for part in one.serving] == ["/api/auth/login", "/api/health"]


def test_of_several_rounds_in_one_slot_the_latest_tells_how_it_stands_now():
    def back_again(at, target):
        return (DOWN, None, "502") if at >= NOW - HOUR and target != "round" else (UP, 1.0, "")

    records = list(probes(NOW - timedelta(hours=5), HOUR, back_again))
    last = [record for record in records if record.slot == max(r.slot for r in records)]
    later = [
        record.model_copy(update={"round_id": "another", "outcome": UP, "at": record.at + timedelta(minutes=1)})
        for record in last
    ]
    now = NOW + timedelta(minutes=3)
    assert build(overview_of(records, config(), now), config()).headline.word == "Outage"
    assert build(overview_of([*records, *later], config(), now), config()).headline.word == "Everything works"


def test_hostile_words_act_on_nothing():
    words = '<script>alert(1)</script>" onload="alert(1) \x1b[2J \u202e'

    def hostile(at, target):
        return (UP, 1.0, "") if target == "round" else (DOWN, None, words)

    shown = config(details=True, title=words)
    page = build(overview_of(probes(NOW - timedelta(hours=5), HOUR, hostile), shown), shown)
    text = html.render(page)
    assert "<script" not in text
    assert "\x1b" not in text
    for name in ("incidents.atom", "badge.svg"):
        Tree.fromstring(FILES[name](page))
    assert "&lt;script&gt;" in text


def test_the_page_needs_no_script_and_nothing_from_elsewhere(pages):
    for page in pages.values():
        text = html.render(page)
        assert "<script" not in text
        assert not re.findall(r'(?:src|srcset|@import|url\()\s*=?\s*["\']?(?:https?:)?//', text)
        assert "default-src 'none'; style-src 'sha256-" in text


def test_status_json_tells_the_same_figures(pages):
    told = json.loads(data.render(pages["year"]))
    quarter = told["uptime"]["90 days"]
    assert quarter["at_least"] <= quarter["uptime"] <= 1
    assert quarter["at_least"] <= quarter["at_most"]
    assert told["rounds"]["missed"] > 0
    assert told["rounds"]["corrupt_lines"] == 3
    watched = len(SERVING) + len(BEHIND) + len(EXPIRING)
    assert len([part for part in told["parts"] if part["environment"]]) == watched
    assert json.loads(data.render(pages["empty"]))["uptime"] == {}


def test_the_feed_has_an_entry_for_each_episode_with_an_identity_that_stays(pages):
    page = pages["all-down"]
    root = Tree.fromstring(feed.render(page))
    ids = [entry.findtext("a:id", namespaces=ATOM) for entry in root.findall("a:entry", ATOM)]
    assert len(ids) == len(set(ids)) == len(page.episodes) == 4
    assert ids[0] == f"tag:app.example.com,2026:{page.episodes[0].id}"
    assert root.find("a:link[@rel='self']", ATOM).get("href") == "https://status.example.com/incidents.atom"


def test_every_id_of_the_page_is_there_once(pages):
    for page in pages.values():
        ids = re.findall(r'\bid="([^"]+)"', html.render(page))
        assert len(ids) == len(set(ids))


def test_the_files_are_written_whole_over_what_was_there(pages, tmp_path):
    (tmp_path / "index.html").write_text("old")
    write(pages["first-round"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert (tmp_path / "index.html").read_text() == html.render(pages["first-round"])
