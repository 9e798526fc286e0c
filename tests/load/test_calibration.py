"""Calibrating: what equal arms tell about alarms and about the places that they were given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ci.load.calibration import Bias, Calibration, Trial, proportion_interval, t_quantile
from ci.load.sequential import Ruling
from tests.load.loads import a_run, some_rows


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (1, 20), (7, 20), (20, 20), (3, 500)])
def test_the_interval_of_a_proportion_is_clopper_and_pearsons(hits, trials):
    exact = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert proportion_interval(hits, trials, 0.95) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_the_quantile_of_t_is_close_where_it_is_used():
    for freedom in (3, 5, 9, 19, 99):
        assert t_quantile(0.99, freedom) == pytest.approx(stats.t.ppf(0.99, freedom), rel=0.02)


def test_the_bound_covers_nearly_all_further_trials():
    rng = np.random.default_rng(1)
    covered = [
        Bias.of(rng.normal(0.01, 0.02, 10).tolist()).bound >= np.expm1(rng.normal(0.01, 0.02)) for _ in range(400)
    ]
    assert np.mean(covered) >= 0.97


def test_a_slower_place_is_seen_and_tolerated():
    """Two twins, one of which always answers four percent later."""
    found = Calibration.of([Trial.of(a_run(some_rows(seed, slower=0.04, seconds=23))) for seed in range(6)])
    assert found.typical.mean == pytest.approx(0.04, abs=0.02)
    assert 0.04 <= found.proposed_delta <= 0.15
    assert (found.proposed_delta / 0.005) == pytest.approx(round(found.proposed_delta / 0.005))


def test_alarms_are_counted_with_their_interval():
    trials = [Trial(Ruling.REGRESSION, 8.0, 0.1, 0.1), *[Trial(Ruling.PASS, 12.0, 0.0, 0.01)] * 9]
    found = Calibration.of(trials)
    assert found.alarms == 1
    low, high = found.alarm_rate
    assert low < 0.1 < high


def test_twins_that_are_alike_leave_the_smallest_tolerance():
    found = Calibration.of([Trial(Ruling.PASS, 11.0, 0.001, -0.001), Trial(Ruling.PASS, 12.0, -0.001, 0.001)] * 5)
    assert found.proposed_delta == 0.02
