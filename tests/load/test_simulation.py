"""The gate on simulated loads beside the usual methods: the benchmark's tables in small, with fixed seeds.

With so few loads a share is known to a few percent only, so each bound leaves room for that; `benchmarks/` asks for the
real ones with thousands. The gate's parameters were chosen on none of these seeds.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import load_simulation as simulation
from ci.load.sequential import Ruling

LOADS = 120


@pytest.fixture(scope="module")
def typical() -> simulation.Loads:
    return next(simulation.batches(11, LOADS, 100, "typical"))


@pytest.fixture(scope="module")
def hostile() -> simulation.Loads:
    return next(simulation.batches(12, LOADS, 100, "hostile"))


def alarms(seconds: np.ndarray) -> float:
    return float(np.isfinite(seconds).mean())


def test_typical_noise(typical):
    assert alarms(simulation.gate_alarms(typical)) <= 0.01  # wanted: 1 %
    caught = simulation.gate_alarms(typical.with_candidate_slower(0.2))
    assert alarms(caught) >= 0.98  # wanted: 99 %
    assert np.median(caught) <= 8.5  # wanted: 8 s
    assert alarms(simulation.gate_alarms(typical.with_candidate_slower(0.1))) >= 0.70  # wanted: 80 %


def test_equal_arms_pass_soon(typical):
    blocks = (simulation.blocks_of(typical, width) for width in (simulation.BLOCK_S, simulation.COARSE_S))
    found = simulation.judge_pairs(*blocks, simulation.DEMANDS)
    assert (found.last == Ruling.PASS).mean() >= 0.98
    assert found.seconds.mean() <= 14


def test_a_tail_and_errors_are_caught_and_a_cold_start_is_not(typical):
    rng = np.random.default_rng(13)
    assert alarms(simulation.gate_alarms(typical.with_slow_tail(rng, 0.10, 4.0))) >= 0.95
    assert alarms(simulation.gate_alarms(typical.with_candidate_failing(rng, 0.02))) >= 0.98
    assert alarms(simulation.gate_alarms(typical.with_cold_candidate(4.0, 2.0))) <= 0.02  # wanted: 1 %
    assert alarms(simulation.gate_alarms(typical.with_cold_candidate(2.0, 3.0))) <= 0.025  # wanted: 1 %


def test_hostile_noise(hostile):
    assert alarms(simulation.gate_alarms(hostile)) <= 0.035  # wanted: 1.5 %
    assert alarms(simulation.gate_alarms(hostile.with_cold_candidate(4.0, 2.0))) <= 0.09  # 3 % of 2,000 loads
    others = (simulation.mann_whitney(hostile), simulation.peeking_t(hostile))
    assert min(alarms(seconds) for seconds in others) >= 0.15, "this noise is hard"


def test_the_code_for_one_load_rules_as_that_for_many(typical):
    together = simulation.gate_alarms(typical.with_candidate_slower(0.5))
    for number in range(5):
        ruling, seconds = simulation.singly(typical.with_candidate_slower(0.5), number)
        assert ruling is Ruling.REGRESSION
        assert abs(seconds - together[number]) <= 1.5, "only the share of the endpoints differs"
