"""The referee: fed live or afterwards it rules the same, soon where it can, and never because of a cold start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.load.demands import Demands
from ci.load.referee import WORDS, Referee
from ci.load.sequential import Ruling
from tests.load.loads import WARM_UP_S, a_plan, some_rows

PAIRED, ALONE = a_plan(), a_plan(paired=False)
DEMANDS = Demands(error_rate=0.01, p95_ms=500)


def fed(rows: np.ndarray, plan=PAIRED, demands: Demands | None = None, until_s: float = 63.0):
    referee = Referee(plan, demands or DEMANDS.model_copy(update={"relative": plan.baseline_url is not None}))
    referee.add(rows, until_s)
    return referee.standing()


@given(seed=st.integers(0, 50), cuts=st.lists(st.floats(0, 63), max_size=12), slower=st.sampled_from([0.0, 0.3]))
@settings(max_examples=12, deadline=None)
def test_it_rules_the_same_live_and_afterwards(seed, cuts, slower):
    """Rows come in the order of their ends, so the second of a pair may come a batch later."""
    rows = some_rows(seed, slower=slower)
    rows = rows[np.argsort(rows["start"] + rows["latency"] / 1e3, kind="stable")]
    ended = rows["start"] + rows["latency"] / 1e3
    live = Referee(PAIRED, DEMANDS)
    for before, now in zip([0.0, *sorted(cuts)], [*sorted(cuts), 99.0], strict=True):
        open_now = rows[ended > now]
        live.add(rows[(ended > before) & (ended <= now)], float(open_now["start"].min()) if len(open_now) else 63.0)
    one, other = live.standing(), fed(rows)
    assert one.ruling == other.ruling and one.decided_s == other.decided_s
    assert (one.rulings.at == other.rulings.at).all()
    assert np.array_equal(one.blocks.typical_log_ratio, other.blocks.typical_log_ratio, equal_nan=True)


def test_it_ends_the_load_with_words_and_soon():
    for kind, ruling, latest_s in (({}, Ruling.PASS, 20), ({"slower": 0.5}, Ruling.REGRESSION, 8)):
        referee, rows = Referee(PAIRED, DEMANDS), some_rows(1, **kind)
        for second in range(1, 64):
            batch = rows[(rows["start"] >= second - 1) & (rows["start"] < second)]
            if words := referee.hear(batch.tobytes(), float(second)):
                break
        assert words == WORDS[ruling]
        assert second <= latest_s + WARM_UP_S


def test_what_is_under_way_is_waited_for():
    """All that has ended is fast; the slow ones are still open, so nothing later than they may count."""
    rows = some_rows(1)
    standing = fed(rows, until_s=9.0)
    assert standing.ruling is Ruling.OPEN
    assert standing.whole.fine.end_s[-1] <= 9.0 - WARM_UP_S


def test_a_shard_goes_on_until_its_end():
    """One shard alone must not decide: all are judged together afterwards."""
    shard = PAIRED.model_copy(update={"shard": PAIRED.shard.model_copy(update={"index": 1, "of": 2})})
    assert Referee(shard, DEMANDS).hear(some_rows(1, slower=1.0).tobytes(), 63.0) is None


@pytest.mark.parametrize("kind", [{"cold": 4.0}, {"both_cold": 6.0}], ids=["candidate", "both"])
def test_a_cold_start_is_no_regression(kind):
    """Five times as slow at first, half of that gone after a second: at most one in 20 is called a regression."""
    found = [fed(some_rows(seed, seconds=43, **kind), until_s=43).ruling for seed in range(20)]
    assert sum(ruling is Ruling.REGRESSION for ruling in found) <= 1
    assert found.count(Ruling.PASS) >= 15


def test_a_real_regression_is_found_in_spite_of_a_cold_start():
    assert {fed(some_rows(seed, cold=4.0, slower=0.3)).ruling for seed in range(5)} == {Ruling.REGRESSION}


def test_the_arms_are_compared_by_what_they_needed_and_not_by_how_long_was_waited():
    """The load generator sent all of the candidate's requests a tenth of a second late; that is not its fault."""
    rows = some_rows(1)
    late = rows["arm"] == 0
    rows["lag"][late] = 100
    rows["latency"][late] += 100
    assert fed(rows).ruling is Ruling.PASS


def test_one_slow_endpoint_among_several_is_found():
    """One request in five half again as slow hardly moves the median of all."""
    found = [fed(some_rows(seed, slow_endpoint=(2, 1.5))) for seed in range(5)]
    assert {standing.ruling for standing in found} == {Ruling.REGRESSION}


@pytest.mark.parametrize(
    ("kind", "ruling"),
    [
        ({}, Ruling.PASS),
        ({"median_ms": 600.0}, Ruling.SLO_BROKEN),
        ({"candidate_fails": 0.10}, Ruling.SLO_BROKEN),
        ({"candidate_fails": 1.0, "fails_fast": True}, Ruling.SLO_BROKEN),
    ],
)
def test_without_a_baseline_it_judges_the_objectives_and_is_soon_done(kind, ruling):
    standing = fed(some_rows(1, plan=ALONE, **kind), ALONE)
    assert standing.ruling is ruling
    assert standing.decided_s <= 20


def test_of_thin_blocks_nothing_is_known_when_the_time_is_up():
    rows = some_rows(1, rate=0.5)
    assert fed(rows).ruling is Ruling.INCONCLUSIVE
    assert fed(rows, until_s=30.0).ruling is Ruling.OPEN


def overwhelmed_rows(plan) -> np.ndarray:
    """A target that answers 16 of 100 requests a second, each later than the one before; the rest waits."""
    rows = some_rows(1, plan=plan, seconds=20.0)
    served = rows[rows["arm"] == 0][: 16 * 18].copy()
    served["lag"] = (np.arange(len(served)) / 16 - served["start"]).clip(0) * 1e3
    served["service"] = 60.0
    served["latency"] = served["lag"] + served["service"]
    if not plan.baseline_url:
        return served
    beside = served.copy()
    beside["arm"], beside["service"], beside["latency"] = 1, 5.0, 5.0
    return np.concatenate([served, beside])


@pytest.mark.parametrize("plan", [ALONE, PAIRED], ids=["alone", "beside a healthy baseline"])
def test_a_target_that_answers_ever_later_is_not_waited_for(plan):
    """Its oldest question is open for ever longer, but even those that are answered are far too late."""
    rows = overwhelmed_rows(plan)
    oldest_open_s = float(rows["start"].max())
    assert oldest_open_s < 4
    standing = fed(rows, plan, until_s=oldest_open_s)
    assert standing.ruling is Ruling.SLO_BROKEN
    assert standing.decided_s <= 15
