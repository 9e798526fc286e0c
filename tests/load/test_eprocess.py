"""Evidence that may be looked at at any time: its guarantees, exact where they can be, else simulated with a seed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ci.load.eprocess import (
    ERROR_BETS,
    LATENCY_BETS,
    clean_requests_needed,
    has_reached,
    log_e,
    log_e_rate_above,
    log_e_rate_below,
    ratio_interval,
)

deviation = st.floats(0, 3)
bets = st.sampled_from([LATENCY_BETS, ERROR_BETS])


@given(st.lists(deviation, min_size=1, max_size=8), bets, st.floats(-1, 1), st.sampled_from([-1, 1]))
@settings(max_examples=60)
def test_nothing_is_earned_on_average_by_betting_on_fair_coins(sizes, bets, theta, side):
    """Whatever the sizes of the deviations: over all their signs the mean wealth is exactly 1."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(sizes))))
    wealth = np.exp(log_e(theta + signs * np.array(sizes), theta, side, bets)[:, -1])
    assert wealth.mean() == pytest.approx(1)
    assert (wealth > 0).all()


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), st.floats(0, 2), st.floats(-1, 1))
def test_evidence_grows_with_what_it_is_evidence_of(values, more, theta):
    r = np.array(values)
    assert (log_e(r + more, theta, +1) >= log_e(r, theta, +1) - 1e-9).all()
    assert (log_e(r + more, theta, -1) <= log_e(r, theta, -1) + 1e-9).all()
    assert (log_e(r, theta + more, +1) <= log_e(r, theta, +1) + 1e-9).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_one_block_earns_less_than_ln_2(values):
    wealth = np.concatenate([[0.0], log_e(np.array(values), 0.0, +1)])
    assert np.diff(wealth).max() <= math.log(1.95) + 1e-9


def test_a_block_without_a_value_is_not_bet_on():
    r = np.array([0.3, np.nan, -0.1, np.nan, 0.2])
    assert log_e(r, 0.0, +1)[[0, 2, 4]] == pytest.approx(log_e(r[[0, 2, 4]], 0.0, +1))


@given(st.floats(0.001, 0.2), st.integers(1, 400), st.floats(0, 0.2))
@settings(max_examples=60)
def test_the_rate_below_earns_nothing_at_or_above_the_objective(objective, requests, worse):
    rate = min(objective + worse, 0.999)
    k = np.arange(requests + 1)
    wealth = np.exp(log_e_rate_below(k, np.full_like(k, requests), objective))
    mean = float((stats.binom.pmf(k, requests, rate) * wealth).sum())
    assert mean <= 1 + 1e-6
    if not worse:
        assert mean == pytest.approx(1, abs=1e-6)


@given(st.floats(0.0005, 0.5), st.integers(1, 200))
@settings(max_examples=60)
def test_the_rate_above_earns_nothing_at_the_objective(objective, requests):
    k = np.arange(requests + 1)
    wealth = np.exp(log_e_rate_above(k[:, None], np.full((len(k), 1), requests), objective)[:, 0])
    assert (stats.binom.pmf(k, requests, objective) * wealth).sum() <= 1 + 1e-9
    assert wealth.max() <= 2
    assert wealth.min() > 0


def test_objectives_at_the_ends():
    assert (log_e_rate_below([0, 0], [10, 10_000], 0.0) == 0).all(), "no number of requests shows that none ever fails"
    assert log_e_rate_above([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [50] * 10, 0.0)[-1] > math.log(10)
    assert (log_e_rate_above([50, 50], [50, 50], 1.0) <= 0).all(), "everything may fail"
    assert (log_e_rate_above([0], [0], 0.01) <= 0).all()


@pytest.mark.parametrize("alpha", [0.1, 0.01])
def test_looking_at_every_block_raises_false_alarms_no_higher_than_alpha(alpha):
    """4,000 loads of 120 blocks under shared, heavy-tailed, drifting noise; 3 standard errors are allowed."""
    rng = np.random.default_rng(5)
    scale = np.exp(rng.normal(0, 1, (4000, 120)).cumsum(-1) * 0.1) * 0.05
    r = scale * rng.standard_t(1.5, (4000, 120))
    alarms = has_reached(log_e(r, 0.0, +1), 1 / alpha)[:, -1].mean()
    assert alarms <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 4000)


def test_an_interval_holds_the_truth_at_all_times_and_narrows():
    rng = np.random.default_rng(6)
    truth, missed, widths = 1.2, 0, []
    for _ in range(100):
        lower, upper = ratio_interval(math.log(truth) + rng.normal(0, 0.05, 60), alpha=0.05)
        missed += bool(((lower > truth) | (upper < truth)).any())
        assert (lower[1:] >= lower[:-1]).all() and (upper[1:] <= upper[:-1]).all()
        widths.append(upper[-1] / lower[-1])
    assert missed / 100 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)
    assert np.median(widths) < 1.1
    lower, upper = ratio_interval([0.0], alpha=0.01)
    assert lower[0] == 0 and upper[0] == math.inf, "one block refutes nothing"


def test_the_interval_agrees_with_the_evidence():
    r = np.random.default_rng(7).normal(0.3, 0.1, 40)
    lower, upper = ratio_interval(r, alpha=0.02)
    for theta, inside in ((math.log(lower[-1]) - 0.006, False), (math.log(lower[-1]) + 0.006, True)):
        assert has_reached(log_e(r, theta, +1), 2 / 0.02)[-1] == (not inside)
    for theta, inside in ((math.log(upper[-1]) + 0.006, False), (math.log(upper[-1]) - 0.006, True)):
        assert has_reached(log_e(r, theta, -1), 2 / 0.02)[-1] == (not inside)


def test_clean_requests_needed():
    for objective in (0.1, 0.01, 0.001):
        needed = clean_requests_needed(objective, 0.02)
        assert log_e_rate_below(0, needed, objective) >= math.log(50) > log_e_rate_below(0, needed - 1, objective)
    assert 4_500 <= clean_requests_needed(0.001, 0.02) <= 5_100
    with pytest.raises(ValueError, match="cannot be shown"):
        clean_requests_needed(0.0, 0.02)
