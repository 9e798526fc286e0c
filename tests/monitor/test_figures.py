"""Roll-ups and figures: observed time, coverage, bounds, latency, budget."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.monitor.day import Day
from ci.monitor.facts import Kind, ProbeRecord, Series
from ci.monitor.figures import Figures, all_series, budget, figures, percent, responses
from ci.monitor.latency import bucket, merged, quantile
from ci.monitor.rollup import roll, slot_of
from ci.monitor.rules import Rules
from tests.monitor.records import BEGIN, minute, record, round_record, story

HOME = Series(environment="production", target="home", kind=Kind.PAGE)
WHOLE = Series(environment="production", target="all", kind=Kind.ALL)


def rolled(records: list[ProbeRecord], minutes: float, before: Day | None = None) -> Day:
    begins = before.ends if before else BEGIN
    return roll(records, Rules(), begins=begins, ends=minute(minutes), every_s=900, before=before)


def told(words: str, series: Series = HOME) -> Figures:
    one = figures(series, [rolled(story(words), 15 * len(words))])
    assert one
    return one


def test_a_probe_speaks_for_its_slot_and_for_no_more() -> None:
    one = told("uuud-?b-uu")
    assert (one.up_s, one.down_s, one.unknown_s) == (5 * 900, 900, 4 * 900)
    assert one.uptime == pytest.approx(5 / 6)
    assert one.coverage == pytest.approx(6 / 10)
    assert (one.low, one.high) == (pytest.approx(5 / 10), pytest.approx(9 / 10))
    assert str(one) == "83.33 % of the 60.00 % observed; between 50.00 % and 90.00 %"
    seen = next(told for told in rolled(story("uuud-?b-uu"), 150).series if told.series == HOME)
    assert seen.blind_s == 2 * 900


def test_nothing_observed_is_no_uptime() -> None:
    one = told("??b")
    assert (one.uptime, one.coverage, one.error_rate, one.apdex, one.p95_ms) == (None, 0, None, None, None)
    assert str(one) == "nothing observed"
    assert (one.low, one.high) == (0, 1)


def test_degraded_serves_and_is_told_beside_it() -> None:
    one = told("uggd")
    assert (one.uptime, one.degraded_s) == (0.75, 1800)
    assert (one.maybe_down_s, one.maybe_up_s) == (450 + 450, 450)
    assert told("ugud").maybe_down_s == 450 + 450, "there is no doubt between up and degraded"


def test_announced_maintenance_is_neither_in_uptime_nor_in_the_window() -> None:
    one = told("uummd")
    assert (one.maintenance_s, one.window_s, one.uptime) == (1800, 2700, pytest.approx(2 / 3))
    assert told("uum").maybe_down_s == 450 + 450, "what follows maintenance or goes before it was not seen"


def test_two_rounds_in_one_slot_cover_it_once_and_the_worst_counts() -> None:
    records = [*story("uu"), record("d", minute(20))]
    one = figures(HOME, [rolled(records, 30)])
    assert one and (one.up_s, one.down_s) == (900, 900)
    sighted = [*story("u?"), record("u", minute(20))]
    one = figures(HOME, [rolled(sighted, 30)])
    assert one and one.up_s == 1800


def test_shorter_slots_cut_longer_ones_off() -> None:
    records = [*story("u"), *story("ddd", every_s=60, begin=minute(3))]
    one = figures(HOME, [rolled(records, 15)])
    assert one and (one.up_s, one.down_s, one.unknown_s) == (180, 180, 540)


def test_the_environment_is_down_when_a_part_of_it_is() -> None:
    records = [*story("uuu?"), *story("udu?", target="other"), *story("dddd", target="d", kind=Kind.SERVICE)]
    one = figures(WHOLE, [rolled(records, 60)])
    assert one and (one.up_s, one.down_s, one.unknown_s) == (1800, 900, 900)


def test_the_environment_is_unknown_when_a_part_of_it_is_and_none_is_down() -> None:
    records = [
        *story("u?gm?m"),
        *story("?duumm", target="other"),
        *story("dddddd", target="elsewhere", environment="staging"),
    ]
    one = figures(WHOLE, [rolled(records, 90)])
    assert one and (one.up_s, one.degraded_s, one.down_s) == (900, 900, 900)
    assert (one.unknown_s, one.maintenance_s) == (2 * 900, 900)


def test_the_window_begins_with_the_first_slot() -> None:
    first = rolled(story("uu", begin=minute(60)), 1440)
    one = figures(HOME, [first])
    assert one and one.begins == minute(60) and one.coverage == pytest.approx(30 / 1380)
    second = rolled(story("u", begin=minute(1440 + 60)), 2880, first)
    assert [told.since for told in second.series if told.series == HOME] == [minute(1440)]


def test_a_series_goes_on_unseen_while_no_round_is_made_and_ends_when_rounds_leave_it_out() -> None:
    first = rolled(story("uu"), 1440)
    silent = rolled([], 2880, first)
    one = figures(HOME, [first, silent])
    assert one and one.window_s == 2 * 86_400 and one.up_s == 1800
    without = rolled([round_record(minute(2890))], 4320, silent)
    one = figures(HOME, [first, silent, without])
    assert one and one.window_s == 2 * 86_400


def test_a_blind_round_leaves_nothing_out() -> None:
    first = rolled(story("uu"), 1440)
    blind = [round_record(minute(1450), blind=True), record("u", minute(1450), target="other")]
    assert HOME in {told.series for told in rolled(blind, 2880, first).series}
    seeing = [round_record(minute(1450)), record("u", minute(1450), target="other")]
    assert HOME not in {told.series for told in rolled(seeing, 2880, first).series}


def test_a_silence_over_midnight_is_one_all_the_same() -> None:
    records = story("uu---uu")
    first = rolled(records[:4], 45)
    assert rolled(records[4:], 105, first).closed == rolled(records, 105).closed != ()
    hourly = rolled(story("u", every_s=3600), 30)
    assert not rolled([], 60, hourly).gaps, "the slot reaches over midnight"


def test_missed_rounds_are_listed_but_not_the_slot_under_way() -> None:
    day = rolled(story("u--u-"), 80)
    assert [(g.begins, g.ends, g.slots) for g in day.gaps] == [(minute(15), minute(45), 2), (minute(60), minute(75), 1)]
    assert not rolled(story("u"), 29).gaps
    assert [gap.begins for gap in rolled([round_record(minute(7))], 30).gaps] == [minute(15)]
    faster = rolled(story("u-u", every_s=300), 20)
    assert (faster.every_s, [gap.begins for gap in faster.gaps]) == (300, [minute(5), minute(15)])


def test_when_it_changed_is_known_only_between_two_probes() -> None:
    one = told("uudduu")
    before_the_first = 450
    assert (one.maybe_down_s, one.maybe_up_s) == (before_the_first + 450 + 450, 450 + 450)
    assert one.surely == (pytest.approx(one.low - 1350 / 5400), pytest.approx(one.high + 900 / 5400))
    assert told("u-u").maybe_down_s == before_the_first + 450 + 450


def test_latency_apdex_and_error_rate() -> None:
    records = [
        *(record("u", minute(15 * n), latency_ms=100.0) for n in range(6)),
        *(record("u", minute(15 * n), latency_ms=1000.0) for n in range(6, 8)),
        record("g", minute(15 * 8), latency_ms=9000.0),
        record("d", minute(15 * 9), latency_ms=50.0),
    ]
    one = figures(HOME, [rolled(records, 150)])
    assert one
    assert (one.p50_ms, one.p95_ms) == (pytest.approx(100, rel=0.01), pytest.approx(9000, rel=0.01))
    assert (one.error_rate, one.apdex) == (0.1, pytest.approx((6 + 2 / 2) / 10))


def test_the_error_budget() -> None:
    one = told("uu-d")
    left = budget(one, 0.5, timedelta(hours=1), {"1h": one, "6h": None})
    assert (left.allowed_s, left.left, left.left_at_worst) == (1800, 0.5, 0)
    assert left.burn == {"1h": pytest.approx(2 / 3), "6h": None}


def test_no_incident_is_no_mean() -> None:
    assert [(r.incidents, r.detect, r.recover) for r in responses([])] == 4 * [(0, None, None)]


@pytest.mark.parametrize(
    ("share", "shown"), [(1, "100.00 %"), (0.99999, "99.99 %"), (0, "0.00 %"), (0.000001, "0.01 %"), (0.5, "50.00 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert percent(share) == shown


@settings(max_examples=50)
@given(st.lists(st.floats(0.01, 60_000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_quantiles_are_right_to_one_per_cent_and_can_be_merged(values: list[float], share: float) -> None:
    half = len(values) // 2
    histograms = [{}, {}]
    for place, value in enumerate(values):
        one = histograms[place < half]
        one[bucket(value)] = one.get(bucket(value), 0) + 1
    exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    assert quantile(merged(histograms), share) == pytest.approx(exact, rel=0.0101)


@settings(max_examples=60)
@given(st.text("ud?g-bm", max_size=96), st.integers(1, 95))
def test_a_span_told_in_two_parts_tells_the_same(words: str, cut: int) -> None:
    records, end = story(words), 1440
    whole = rolled(records, end)
    first = rolled([r for r in records if r.slot < minute(15 * cut)], 15 * cut)
    second = rolled([r for r in records if r.slot >= minute(15 * cut)], end, first)
    for series in all_series([whole]):
        one, parts = figures(series, [whole]), figures(series, [first, second])
        assert one and parts
        assert one.model_copy(update={"ends": parts.ends}) == parts
        assert one.observed_s <= one.window_s
        assert one.surely[0] <= one.low <= (one.uptime if one.uptime is not None else one.high) <= one.high
    assert whole.missed == first.missed + second.missed
    assert whole.open == second.open
    assert whole.closed == first.closed + second.closed
    assert whole.covered_to == second.covered_to


@given(st.integers(0, 86_399), st.sampled_from([30, 60, 300, 900, 3600]))
def test_a_slot_holds_its_time(second: int, every_s: int) -> None:
    at = BEGIN + timedelta(seconds=second)
    assert timedelta(0) <= at - slot_of(at, every_s) < timedelta(seconds=every_s)
