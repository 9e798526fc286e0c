"""Whether a difference is there to stay: by ranks, and never with more evidence than the blocks themselves give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ci.load.eprocess import log_e
from ci.load.settling import EARLIEST_S, FALLING, OVER_S, WATCHED_S, falls, lasting_log_e

values = st.lists(st.one_of(st.floats(-2, 2), st.just(float("nan"))), min_size=1, max_size=60)


def ends(count: int) -> np.ndarray:
    return np.arange(1, count + 1) * 0.5


@given(st.lists(st.integers(-1000, 1000), min_size=8, max_size=40, unique=True))
@settings(max_examples=60)
def test_falling_is_kendalls_rank_correlation_with_time(ranks):
    x, n = np.array(ranks, float), len(ranks)
    tau = stats.kendalltau(np.arange(n), x).statistic
    z = -tau * (n * (n - 1) / 2) / np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    if abs(z - FALLING) > 1e-9:
        assert falls(x, ends(n))[-1] == (z > FALLING)


@given(values, st.floats(-0.2, 0.2), st.integers(0, 2**60))
@settings(max_examples=60)
def test_holding_back_never_adds_evidence(seen, theta, bits):
    """So the chance of an alarm without cause stays what it is without settling."""
    x = np.array(seen)
    falling = np.array([bool(bits >> i & 1) for i in range(len(x))])
    held = lasting_log_e(x, ends(len(x)), theta, falling)
    assert (held <= log_e(x, theta, +1) + 1e-12).all()
    assert (held[ends(len(x)) < EARLIEST_S] == -np.inf).all()


@given(values)
@settings(max_examples=40)
def test_what_was_seen_does_not_change_with_what_follows(seen):
    x = np.array(seen)
    whole, half = falls(x, ends(len(x))), len(x) // 2
    assert (falls(x[:half], ends(half)) == whole[:half]).all()
    assert (falls(np.stack([x, -x]), ends(len(x)))[0] == whole).all(), "many loads are judged as one is"


def test_while_a_difference_falls_only_later_blocks_are_evidence():
    end_s = ends(60)
    fading, steady = np.exp(-end_s / 3), np.full(60, 0.3)
    assert falls(fading, end_s)[12:].all()
    assert not falls(steady, end_s).any()
    assert lasting_log_e(fading, end_s, 0.05, falls(fading, end_s)).max() < np.log(100)
    stays = fading + 0.3
    held = lasting_log_e(stays, end_s, 0.05, falls(stays, end_s))
    assert held[end_s <= OVER_S].max() <= 0.0
    assert held[-1] > np.log(100), "what is left after a cold start is found"


@pytest.mark.parametrize("turn", [-1.0, 1.0])
def test_a_trend_is_watched_only_at_the_beginning(turn):
    end_s = ends(400)
    x = np.where(end_s <= WATCHED_S, turn * end_s, -turn * end_s)
    found = falls(x, end_s)
    assert (found[end_s > WATCHED_S] == (turn < 0)).all()
    assert not falls(x, end_s + WATCHED_S).any()


def test_one_stall_neither_makes_a_trend_nor_hides_one():
    end_s = ends(14)
    fading = np.exp(-end_s / 3)
    fading[12] = 3.0
    assert falls(fading, end_s)[-1]
    rising = end_s.copy()
    rising[0] = 50.0
    assert not falls(rising, end_s)[-1]
