"""The sequential gate on pairs that are made up, with fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.load.blocks import MIN_PAIRS, Pairs, cut
from ci.load.eprocess import log_e
from ci.load.sequential import BLOCK_S, COARSE_S, Demands, Ruling, Rulings, _resembles_neighbour, judge_pairs

DEMANDS = Demands(error_rate=0.01)


def some_pairs(
    seed: int,
    *,
    slower: float = 0.0,
    tail: tuple[float, float] = (0.0, 1.0),
    candidate_fails: float = 0.0,
    baseline_fails: float = 0.0,
    seconds: float = 60.0,
    rate: float = 100.0,
    fail_ms: float | None = None,
) -> Pairs:
    """A load with noise that both arms share (slow waves, bursts) and noise of their own."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    start = np.arange(n) / rate
    waves = 0.2 * np.sin(start / 3) + 0.1 * rng.normal(0, 1, int(seconds) + 1)[start.astype(int)]
    common = np.log(50) + waves
    b = np.exp(common + rng.normal(0, 0.35, n))
    c = np.exp(common + rng.normal(0, 0.35, n)) * (1 + slower)
    share, factor = tail
    c = np.where(rng.random(n) < share, c * factor, c)
    b_failed, c_failed = rng.random(n) < baseline_fails, rng.random(n) < candidate_fails
    if fail_ms is not None:
        c = np.where(c_failed, fail_ms, c)
    return Pairs(start, b, c, b_failed, c_failed, ~(b_failed | c_failed))


def ruled(pairs: Pairs, demands: Demands = DEMANDS, until_s: float = 60.0) -> Rulings:
    return judge_pairs(cut(pairs, BLOCK_S, until_s=until_s), cut(pairs, COARSE_S, until_s=until_s), demands)


def rulings(demands: Demands = DEMANDS, runs: int = 8, **kind: object) -> list[Ruling]:
    return [Ruling(int(ruled(some_pairs(seed, **kind), demands).last)) for seed in range(runs)]  # type: ignore[arg-type]


def test_equal_arms_pass_soon_and_never_alarm():
    found = [ruled(some_pairs(seed)) for seed in range(30)]
    assert {int(f.last) for f in found} == {Ruling.PASS}
    seconds = [float(f.seconds) for f in found]
    assert min(seconds) >= DEMANDS.earliest_pass_s
    assert np.mean(seconds) <= 14


@pytest.mark.parametrize(
    ("kind", "ruling"),
    [
        ({"slower": 0.2}, Ruling.REGRESSION),
        ({"tail": (0.10, 4.0)}, Ruling.REGRESSION),
        ({"candidate_fails": 0.10}, Ruling.SLO_BROKEN),
        ({"candidate_fails": 1.0, "fail_ms": 1.0}, Ruling.SLO_BROKEN),
        ({"slower": -0.3}, Ruling.PASS),
    ],
)
def test_what_is_certain_is_ruled(kind, ruling):
    found = rulings(**kind)
    alike = {Ruling.SLO_BROKEN, Ruling.REGRESSION} if ruling is Ruling.SLO_BROKEN else {ruling}
    assert set(found) <= alike


def test_a_candidate_that_fails_fast_is_not_faster():
    found = ruled(some_pairs(1, candidate_fails=1.0, fail_ms=0.5))
    assert int(found.last) in {Ruling.SLO_BROKEN, Ruling.REGRESSION}
    assert found.seconds <= 10


def test_when_the_baseline_fails_too_the_environment_is_to_blame():
    assert set(rulings(candidate_fails=0.1, baseline_fails=0.1)) == {Ruling.UNHEALTHY}


def test_a_regression_within_what_is_tolerated_is_no_alarm():
    assert Ruling.REGRESSION not in rulings(slower=0.04, runs=20)


def test_too_few_pairs_are_inconclusive():
    assert set(rulings(rate=2.0)) == {Ruling.INCONCLUSIVE}


def test_a_latency_objective_is_judged_with_and_without_a_baseline():
    strict, lenient = (Demands(error_rate=0.01, p95_ms=limit) for limit in (30, 500))
    assert set(rulings(strict)) == {Ruling.UNHEALTHY}, "the baseline breaks it too"
    assert set(rulings(strict, slower=0.3)) == {Ruling.REGRESSION}
    assert set(rulings(lenient)) == {Ruling.PASS}
    alone = Demands(error_rate=0.01, p95_ms=30, relative=False)
    assert set(rulings(alone)) == {Ruling.SLO_BROKEN}
    alone = Demands(error_rate=0.01, p95_ms=500, relative=False)
    assert set(rulings(alone, slower=0.5)) == {Ruling.PASS}
    assert set(rulings(alone, candidate_fails=0.1)) == {Ruling.SLO_BROKEN}


@given(st.integers(0, 1000), st.floats(-0.3, 0.5), st.floats(0, 0.1), st.integers(1, 120))
@settings(max_examples=25, deadline=None)
def test_what_was_ruled_stays_and_does_not_depend_on_the_future(seed, slower, fails, blocks):
    pairs = some_pairs(seed, slower=slower, candidate_fails=fails)
    whole, part = ruled(pairs), ruled(pairs, until_s=blocks * BLOCK_S)
    assert (part.at == whole.at[: len(part.at)]).all()
    decided = whole.at[whole.at != Ruling.OPEN]
    assert len(set(decided.tolist())) <= 1
    assert whole.at[-1] != Ruling.OPEN, "the time is up"


def test_nothing_is_known_of_nothing():
    nothing = ruled(some_pairs(0), until_s=0.0)
    assert len(nothing.end_s) == 0 and len(nothing.at) == 0


def test_many_loads_are_judged_as_one_is():
    singles = [some_pairs(seed, slower=0.1) for seed in range(5)]
    fine = [cut(pairs, BLOCK_S, until_s=60) for pairs in singles]
    coarse = [cut(pairs, COARSE_S, until_s=60) for pairs in singles]

    def stacked(blocks):
        fields = {name: np.stack([getattr(b, name) for b in blocks]) for name in b_fields}
        return type(blocks[0])(**{**fields, "end_s": blocks[0].end_s})

    b_fields = type(fine[0]).__slots__
    together = judge_pairs(stacked(fine), stacked(coarse), DEMANDS)
    alone = [judge_pairs(f, c, DEMANDS) for f, c in zip(fine, coarse, strict=True)]
    assert together.last.tolist() == [int(a.last) for a in alone]
    assert together.seconds.tolist() == [float(a.seconds) for a in alone]


@given(
    starts=st.lists(st.floats(0, 9.99), min_size=0, max_size=200),
    width=st.sampled_from([0.5, 1.0]),
    until=st.floats(0, 10),
)
@settings(max_examples=80)
def test_every_block_has_enough_pairs_and_none_is_counted_twice(starts, width, until):
    start = np.array(starts, float)
    ones, no = np.ones(len(start)), np.zeros(len(start), bool)
    blocks = cut(Pairs(start, ones, ones, no, no, ~no), width, until_s=until)
    assert (blocks.pairs >= MIN_PAIRS).all()
    last = blocks.end_s[-1] if len(blocks.end_s) else 0.0
    assert last <= until + 1e-6
    assert blocks.pairs.sum() == np.count_nonzero(start < last)
    assert (np.diff(blocks.end_s) > 0).all()


def test_failed_pairs_count_as_errors_and_not_as_latencies():
    start = np.linspace(0, 0.49, 20)
    failed = np.arange(20) < 5
    fast = np.where(failed, 0.1, 100.0)
    blocks = cut(Pairs(start, np.full(20, 50.0), fast, np.zeros(20, bool), failed, ~failed), 0.5, until_s=1.0)
    assert blocks.candidate_errors[0] == 5
    assert blocks.typical_log_ratio[0] == pytest.approx(math.log(2))
    all_failed = Pairs(start, fast, fast, ~failed | failed, ~failed | failed, failed & ~failed)
    assert np.isnan(cut(all_failed, 0.5, until_s=1.0).typical_log_ratio[0])


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=40))
def test_resemblance_of_neighbours_is_the_autocorrelation_at_lag_one(values):
    x = np.array(values)
    d = x - x.mean()
    variance = float((d * d).sum())
    covariance = float((d[1:] * d[:-1]).sum())
    if variance > 1e-6 and abs(covariance / variance - 0.3) > 1e-6:
        assert bool(_resembles_neighbour(x)[-1]) == (covariance / variance > 0.3)


@given(st.integers(0, 1000), st.floats(-0.5, 0.5), st.floats(0, 0.3))
@settings(max_examples=20, deadline=None)
def test_swapping_the_arms_turns_every_block_round(seed, slower, fails):
    """So arms that are alike make blocks that are symmetric about zero, which is all that the evidence asks for."""
    pairs = some_pairs(seed, slower=slower, candidate_fails=fails, seconds=5)
    swapped = Pairs(
        pairs.start_s,
        pairs.candidate_ms,
        pairs.baseline_ms,
        pairs.candidate_failed,
        pairs.baseline_failed,
        pairs.timed,
    )
    one, other = cut(pairs, BLOCK_S, until_s=5), cut(swapped, BLOCK_S, until_s=5)
    assert one.typical_log_ratio == pytest.approx(-other.typical_log_ratio)
    assert one.p95_log_ratio == pytest.approx(-other.p95_log_ratio)
    assert (one.error_difference == -other.error_difference).all()


def test_a_few_slow_requests_do_not_speak_for_a_block():
    start, ms = np.linspace(0, 0.49, 40), np.full(40, 50.0)
    no = np.zeros(40, bool)
    slow = np.where(np.arange(40) < 5, 5000.0, ms * 1.2)
    block = cut(Pairs(start, ms, slow, no, no, ~no), 0.5, until_s=0.5)
    assert block.typical_log_ratio[0] == pytest.approx(math.log(1.2))


def test_blocks_that_resemble_their_neighbours_need_more_evidence():
    """A slow swing of the candidate alone looks like a regression to fine blocks sooner than to coarse ones."""
    pairs = some_pairs(3)
    swing = np.where(pairs.start_s < 6, 1.25, 0.9)
    swung = Pairs(
        pairs.start_s,
        pairs.baseline_ms,
        pairs.candidate_ms * swing,
        pairs.baseline_failed,
        pairs.candidate_failed,
        pairs.timed,
    )
    fine, coarse = cut(swung, BLOCK_S, until_s=60), cut(swung, COARSE_S, until_s=60)
    theta = math.log1p(DEMANDS.tolerated)
    assert log_e(fine.typical_log_ratio, theta, +1).max() > log_e(coarse.typical_log_ratio, theta, +1).max()
    assert _resembles_neighbour(fine.typical_log_ratio).any()
