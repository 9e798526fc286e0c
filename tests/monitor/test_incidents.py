"""The detector: what opens an incident, what closes it, and what does neither."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.config.shape.monitor import Monitor, Watched
from ci.monitor.facts import Condition, Incident, Kind, Priority, ProbeRecord, Series
from ci.monitor.figures import Between, responses
from ci.monitor.incidents import SCHEDULE, SIGHT, Detector
from ci.monitor.rollup import rounds_of
from ci.monitor.rules import Rules
from tests.monitor.records import minute, record, round_record, story

RULES = Rules()
HOME = Series(environment="production", target="home", kind=Kind.PAGE)


def detect(records: list[ProbeRecord], rules: Rules = RULES) -> Detector:
    detector = Detector(rules)
    for made in rounds_of(records):
        detector.take(made)
    return detector


def incidents(words: str, rules: Rules = RULES) -> list[Incident]:
    """Of the home page, the closed ones first."""
    detector = detect(story(words), rules)
    return [i for i in (*detector.closed, *detector.open) if i.series == HOME]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("uuuu", []),
        ("uduu", []),
        ("uddu", [True]),
        ("udduu", [False]),
        ("ud?du", [True]),
        ("ud-du", [True]),
        ("u????", [True]),
        ("u???u", []),
        ("ubbbbbbbu", []),
        ("udbbdu", [True]),
        ("ummmmu", []),
        ("ugguu", [False]),
        ("dd", [True]),
        ("", []),
    ],
)
def test_what_opens_and_what_closes(words: str, told: list[bool]) -> None:
    assert [incident.open for incident in incidents(words)] == told


def test_its_begin_and_end_are_known_as_well_as_the_probes_tell() -> None:
    [incident] = incidents("uudddguuu")
    half = 7.5
    assert incident.good_before == minute(15 + half)
    assert incident.first_failure == minute(30 + half)
    assert incident.opened_at == minute(45 + half)
    assert incident.last_failure == minute(75 + half)
    assert incident.good_again == minute(90 + half)
    assert incident.closed_at == minute(105 + half)
    assert (incident.failures, incident.condition, incident.priority) == (4, Condition.DOWN, Priority.P0)
    assert incident.evidence[0].endswith("seen d") and incident.evidence[-1].endswith("seen g")


def test_what_was_never_well_has_no_good_before() -> None:
    [incident] = incidents("dd")
    assert incident.good_before is None


def test_two_rounds_at_once_are_one_observation() -> None:
    at = minute(22)
    twice = [record("d", at), record("d", at + timedelta(seconds=2))]
    assert not detect([*story("u"), *twice]).open
    assert detect([*story("u"), *twice, record("d", minute(37))]).open
    assert not detect([twice[0], record("u", at + timedelta(seconds=2)), record("d", minute(37))]).open


def test_good_in_announced_maintenance_is_good_all_the_same() -> None:
    mended = [record("u", minute(at), maintenance="announced") for at in (52, 67)]
    assert [i.good_again for i in detect([*story("udd"), *mended]).closed] == [minute(52)]


def test_of_a_long_incident_the_begin_and_the_latest_are_kept() -> None:
    [incident] = incidents("u" + 20 * "d")
    assert incident.failures == 20
    told = [line.split()[1] for line in incident.evidence]
    assert told == ["00:37:30", "00:52:30", "01:07:30", "04:37:30", "04:52:30", "05:07:30"]


def test_flapping_is_one_incident_until_it_is_calm() -> None:
    flapping = incidents("uuuuudududududududu")
    assert [(i.open, i.flapping) for i in flapping] == [(True, True)]
    [calm] = incidents("uuuuudududududududu" + 8 * "u")
    assert not calm.open and calm.flapping


def test_slow_flapping_does_not_open_again_and_again() -> None:
    assert len(incidents(10 * "dduu")) <= 2


def test_it_gets_worse() -> None:
    [incident] = incidents("ugg")
    assert (incident.priority, incident.condition) == (Priority.P2, Condition.DEGRADED)
    [incident] = incidents("uggdg")
    assert (incident.priority, incident.condition) == (Priority.P0, Condition.DOWN)


def test_elsewhere_than_in_production_it_is_minor() -> None:
    detector = detect(story("udd", environment="staging"))
    assert [i.priority for i in detector.open] == [Priority.P2]


def test_a_target_may_have_a_priority_of_its_own() -> None:
    monitor = Monitor(targets=(Watched(name="home", path="/", priority="P3"),))
    assert [i.priority for i in incidents("udd", Rules.of(monitor))] == [Priority.P3]
    assert Rules.of(monitor).digest != RULES.digest


def test_a_vendors_trouble_is_named_as_the_likely_cause() -> None:
    trouble = [
        record("d", r.at, environment="", target="Vercel", kind=Kind.VENDOR, detail="Major outage", round_id=r.round_id)
        for r in story("-dd")
        if r.kind is Kind.MONITOR
    ]
    detector = detect([*story("udd"), *trouble])
    assert [i.cause for i in detector.open] == ["Vercel: Major outage"]  # and no incident of the vendor's own
    late = story("u" + "-" * 4 + "dd", kind=Kind.PAGE)
    over = [*(r.model_copy(update={"outcome": Condition.UP}) for r in trouble), *story("udd")]
    for innocent in ([*story("udd", kind=Kind.REDIRECT), *trouble], [*late, *trouble[:1]], over):
        assert [i.cause for i in detect(innocent).open if i.series.target == "home"] == [""]


def test_no_round_for_too_long_is_an_incident_when_the_next_one_runs() -> None:
    detector = detect(story("uu---u"))
    [incident] = detector.open
    assert incident.series == SCHEDULE
    assert (incident.good_before, incident.opened_at) == (minute(22.5), minute(82.5))
    assert incident.condition is Condition.DEGRADED
    assert incident.failures == 3
    assert "3 missed" in incident.evidence[0]
    assert not detect(story("uu--u")).open
    closed = detect(story("uu---uu")).closed
    assert [i.good_again for i in closed] == [minute(82.5)]
    [again] = detect(story("uu---u---u")).open
    assert (again.failures, again.opened_at, again.last_failure) == (6, minute(82.5), minute(142.5))
    assert [i.failures for i in detect(story("uu---uu---uu")).closed] == [3, 3]
    slower = detect(story("uu---uuuu"), Rules(close_after=3))
    assert [i.closed_at for i in slower.closed] == [minute(112.5)]


def test_what_is_watched_no_more_has_no_open_incident() -> None:
    removed = [*story("udd", target="gone"), *story(110 * "u")]
    detector = detect(removed)
    [incident] = detector.closed
    assert (incident.good_again, detector.open) == (None, ())
    assert "watched no more" in incident.evidence[-1]
    assert responses([incident])[0].recover is None
    assert len(detect([*story("udd", target="gone"), *story(90 * "u")]).open) == 1


def test_what_no_user_meets_may_be_unseen_for_a_day() -> None:
    days = [detect(story("u" + slots * "?", kind=Kind.CERTIFICATE)).open for slots in (95, 98)]
    assert [[i.priority for i in told] for told in days] == [[], [Priority.P3]]


def test_how_fast_people_were_told_and_it_was_mended() -> None:
    [closed], [going_on], [never_well] = (incidents(words) for words in ("uudduu", "udd", "dduu"))
    told = responses([closed, going_on])[0]
    assert (told.priority, told.incidents, told.open) == (Priority.P0, 2, 1)
    assert (told.detect, told.recover) == (Between(low_s=900, high_s=1800), Between(low_s=900, high_s=2700))
    told = responses([closed, never_well])[0]
    assert told.detect and told.recover
    assert (told.detect.high_s, told.recover.high_s) == (None, None), "nobody knows when it began"
    [unseen] = incidents("u????")
    [own] = detect(story("uu---u")).open
    assert [told.incidents for told in responses([unseen, own])] == [0, 0, 0, 0]


def test_blindness_is_the_monitors_own_incident() -> None:
    detector = detect(story("ubbbu"))
    assert [(i.series, i.condition) for i in detector.open] == [(SIGHT, Condition.UNKNOWN)]
    assert "blind" in detector.open[0].title


def test_a_round_that_comes_late_into_the_history_heals_the_gap() -> None:
    late = [round_record(minute(52)), record("u", minute(52))]
    assert not detect([*story("uu---u"), *late]).open


@settings(max_examples=60)
@given(st.text("ud?g-bm", max_size=40), st.integers(0, 40))
def test_a_detector_resumed_anywhere_tells_the_same(words: str, cut: int) -> None:
    records = story(words)
    whole = detect(records)
    rounds = list(rounds_of(records))
    first = Detector(RULES)
    for made in rounds[:cut]:
        first.take(made)
    second = Detector.resumed(RULES, first.watches, first.last_round)
    for made in rounds[cut:]:
        second.take(made)
    assert (*first.closed, *second.closed) == tuple(whole.closed)
    assert second.open == whole.open


@settings(max_examples=60)
@given(st.text("ud?g-bm", max_size=60), st.integers(1, 3), st.integers(1, 3))
def test_incidents_of_one_fingerprint_never_overlap(words: str, open_after: int, close_after: int) -> None:
    told = incidents(words, Rules(open_after=open_after, close_after=close_after))
    assert len({i.id for i in told}) == len(told)
    assert sum(i.open for i in told) <= 1
    for one, other in pairwise(told):
        assert one.closed_at and one.closed_at < other.opened_at
    for one in told:
        assert (one.good_before or one.first_failure) <= one.first_failure <= one.opened_at
        if one.closed_at:
            assert one.good_again and one.last_failure < one.good_again <= one.closed_at


def together(words: dict[str, str], rules: Rules = RULES) -> list[Incident]:
    """The incidents of several targets; `staging/x` is in that environment."""
    told = [
        record
        for name, seen in words.items()
        for record in story(seen, environment=name.rpartition("/")[0] or "production", target=name.rpartition("/")[2])
    ]
    detector = detect(list({record.key: record for record in told}.values()), rules)
    return [*detector.closed, *detector.open]


@pytest.mark.parametrize(
    ("words", "episodes"),
    [
        ({f"t{n:02}": "uddd" for n in range(20)}, 1),
        ({"a": "uddd", "b": "uuddd", "c": "uuuddd"}, 1),
        ({"a": "uddd", "staging/a": "uddd"}, 2),
        ({"a": "udduu----", "b": "uuuuuuddd"}, 2),
        ({"a": "uddddddddd", "b": "uuuuuuuudd"}, 2),
        ({"a": "uggggg", "b": "uuuddd"}, 2),
        ({"a": "uddddd", "b": "uuuggg"}, 1),
    ],
    ids=["one host", "a cascade", "two environments", "after it was over", "much later", "worse", "milder"],
)
def test_what_opens_together_is_one_episode(words: dict[str, str], episodes: int) -> None:
    found = together(words)
    assert len(found) == len(words)
    assert len({incident.episode for incident in found}) == episodes
    assert {incident.episode for incident in found} <= {incident.id for incident in found}


def test_an_episode_is_the_same_however_often_the_history_is_cut() -> None:
    """A day takes over from the day before what its detector remembers."""
    targets = {"a": "uddduuddd", "b": "uudddddduu", "c": "uuuggggdd"}
    records = [r for name, seen in targets.items() for r in story(seen, target=name)]
    rounds = list(rounds_of(list({record.key: record for record in records}.values())))
    whole = detect([record for made in rounds for record in made])
    cut = Detector(RULES)
    for made in rounds:
        cut.take(made)
        cut = Detector.resumed(RULES, [w.model_validate_json(w.model_dump_json()) for w in cut.watches], cut.last_round)
    assert {i.id: i.episode for i in cut.open} == {i.id: i.episode for i in whole.open}
