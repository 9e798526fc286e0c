"""What a channel is told of, and when: only what was delivered counts as told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.monitor.alerts.due import due
from ci.monitor.episodes import episodes
from ci.monitor.facts import Delivery, Kind, Priority, Series
from tests.monitor.told import NOW, incident, over


def wanted(incidents, told=(), *, at_least=Priority.P3, in_place=False, now=NOW):
    found = due(episodes(incidents), told, channel="chat", at_least=at_least, in_place=in_place, now=now)
    return [event for event, _ in found]


def delivered(one, event, *, channel="chat", priority=None):
    digest = str(priority or one.priority)
    return Delivery(incident=one.id, event=event, channel=channel, at=NOW, digest=digest)


def test_what_opens_is_told_once():
    one = incident()
    assert wanted([one]) == ["opened"]
    assert wanted([one], [delivered(one, "opened")]) == []


def test_what_another_channel_was_told_does_not_count():
    one = incident()
    assert wanted([one], [delivered(one, "opened", channel="mail")]) == ["opened"]


def test_a_rise_of_priority_is_told_once():
    mild, worse = incident(priority=Priority.P2), incident(priority=Priority.P0)
    told = [delivered(mild, "opened")]
    assert wanted([worse], told) == ["updated"]
    assert wanted([worse], [*told, delivered(worse, "updated")]) == []
    assert wanted([mild], [*told, delivered(worse, "updated")]) == []


def test_what_is_kept_in_place_hears_of_it_every_round_until_it_is_over():
    one, ended = incident(), over()
    told = [delivered(one, "opened")]
    assert wanted([one], told, in_place=True) == ["updated"]
    assert wanted([ended], told, in_place=True) == ["closed"]
    assert wanted([ended], [*told, delivered(ended, "closed")], in_place=True) == []


def test_what_came_and_went_unheard_is_told_within_a_day_and_then_no_more():
    ended = over()
    assert wanted([ended], now=NOW + timedelta(hours=23)) == ["closed"]
    assert wanted([ended], now=NOW + timedelta(hours=25)) == []
    assert wanted([ended], [delivered(ended, "opened")], now=NOW + timedelta(days=30)) == ["closed"]


@pytest.mark.parametrize(("priority", "events"), [("P0", ["opened"]), ("P1", ["opened"]), ("P2", []), ("P3", [])])
def test_a_channel_hears_of_what_is_bad_enough_for_it(priority, events):
    assert wanted([incident(priority=Priority(priority))], at_least=Priority.P1) == events


def test_what_joins_is_told_once():
    first = incident()
    second = incident(series=Series(environment="production", target="b", kind=Kind.PAGE), episode=first.id)
    told = [delivered(first, "opened", priority="P0+1")]
    assert wanted([first, second], told) == ["updated"]
    assert wanted([first, second], [*told, delivered(first, "updated", priority="P0+2")]) == []
    assert wanted([first, over(series=second.series, episode=first.id)], told) == ["updated"]
    ended = [over(), over(series=second.series, episode=first.id)]
    assert wanted(ended, told) == ["closed"]


def test_what_the_history_tells_by_another_id_after_damage_is_the_same_to_people():
    before, now = incident(), incident(first_failure=NOW - timedelta(minutes=15))
    told = [delivered(before, "opened")]
    assert wanted([now], told) == []
    ((event, known),) = due(
        episodes([over(first_failure=now.first_failure)]),
        told,
        channel="chat",
        at_least=Priority.P3,
        in_place=False,
        now=NOW,
    )
    assert (event, known.id) == ("closed", before.id)
    founder = incident(series=Series(environment="production", target="b", kind=Kind.PAGE))
    assert wanted([founder, now.model_copy(update={"episode": founder.id})], [delivered(before, "opened")]) == [
        "updated"
    ]
    assert wanted([now], [*told, delivered(before, "closed")]) == ["opened"]
    assert wanted([over(first_failure=now.first_failure)], [*told, delivered(before, "closed")]) == []
    assert wanted([now], [delivered(before, "opened").model_copy(update={"at": NOW - timedelta(days=3)})]) == ["opened"]


def test_another_incident_of_the_same_series_is_another():
    old = over()
    new = incident(first_failure=NOW - timedelta(minutes=5))
    assert wanted([new, old], [delivered(old, "opened"), delivered(old, "closed")]) == ["opened"]


@given(st.lists(st.booleans(), max_size=12), st.booleans())
def test_with_a_channel_that_fails_at_times_each_end_is_told_once_and_nothing_after_it(works, in_place):
    """Rounds over an incident that ends half-way; `works` says in which rounds the channel takes what it gets."""
    told: list[Delivery] = []
    for place, up in enumerate(works):
        now_is = over() if place >= len(works) // 2 else incident()
        if up:
            told.extend(delivered(now_is, event) for event in wanted([now_is], told, in_place=in_place))
    events = [delivery.event for delivery in told]
    assert events.count("opened") <= 1
    assert events.count("closed") == any(works[len(works) // 2 :])
    assert "closed" not in events[:-1]
