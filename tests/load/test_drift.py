"""What rises while a steady load lasts."""

from __future__ import annotations

import numpy as np
import pytest

from ci.config import parse_config
from ci.engine.runner import judge
from ci.load.demands import Demands
from ci.load.drift import drift, trend
from ci.load.load_run import LoadRun
from ci.load.messages import Ending
from ci.load.plan import Limits, Plan
from ci.load.samples import DTYPE, Samples
from ci.model import ErrorKind, Outcome

SECONDS = np.linspace(0, 100, 24)


def soaked(
    rise: float = 0.0, *, shared: float = 0.0, baseline: bool = False, profile: str = "soak", rate: int = 20, **ending
) -> LoadRun:
    """A load whose candidate's latency rises by a share to its end; `shared`: that of both arms."""
    load = parse_config(
        "target: {production: https://app.example}\n"
        f"load: {{profile: {profile}, users: {rate}, rate: 1, duration: 2m}}"
    ).load
    plan = Plan.of(load, "https://app.example", "https://old.example" if baseline else None)
    noise = np.random.default_rng(7)
    arms = []
    for arm in plan.arms:
        rows = np.zeros(int(rate * plan.end_s), DTYPE)
        rows["start"] = np.arange(len(rows)) / rate
        share = rows["start"] / plan.end_s
        level = 20 * (1 + share * shared) * (1 + share * (rise if arm == 0 else 0))
        rows["service"] = rows["latency"] = level * noise.lognormal(0, 0.3, len(rows))
        rows["status"], rows["arm"] = 200, arm
        arms.append(rows)
    ended = Ending(requests=sum(map(len, arms)), at_s=plan.end_s, until_s=plan.end_s, **ending)
    demands = Demands.of(load, duration_s=plan.duration_s, relative=baseline)
    return LoadRun(plan, Limits.of(load), demands, Samples(np.concatenate(arms)), ended)


def test_a_trend_is_found_with_its_size():
    noise = np.random.default_rng(1).lognormal(0, 0.02, 24)
    found = trend(SECONDS, 50 * (1 + SECONDS / 100) * noise)
    assert found.certain
    assert found.low < 1.0 < found.high
    assert found.rise == pytest.approx(1.0, abs=0.2)


def test_noise_is_hardly_ever_a_trend():
    """Mann and Kendall's test at 1 %: of 1,000 rows of noise, 10 are expected, and 25 would be one chance in 10,000."""
    noise = np.random.default_rng(2)
    assert sum(trend(SECONDS, noise.lognormal(0, 0.3, 24)).certain for _ in range(1000)) <= 25


def test_two_stalls_are_no_trend():
    values = np.random.default_rng(3).lognormal(0, 0.05, 24)
    values[-2:] *= 30
    assert not trend(SECONDS, values).certain


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (soaked(), Outcome.PASS),
        (soaked(0.1), Outcome.PASS),  # certain, but tolerated
        (soaked(0.6), Outcome.FAIL),
        (soaked(0.6, baseline=True), Outcome.FAIL),
        (soaked(shared=0.6, baseline=True), Outcome.PASS),  # both suffer it
        (soaked(shared=0.6), Outcome.FAIL),
        (soaked(0.6, profile="gate"), Outcome.SKIP),
    ],
)
def test_latency_that_rises(run, outcome):
    result = judge(drift, run)
    assert result.outcome is outcome
    assert all("interval" in finding.message for finding in result.findings)


def test_memory_that_rises_is_a_leak():
    leak = tuple((float(t), 100e6 * (1 + t / 100)) for t in SECONDS)
    steady = tuple((float(t), 100e6 + 1e6 * (i % 3)) for i, t in enumerate(SECONDS))
    assert [finding.key for finding in judge(drift, soaked(memory=leak)).findings] == ["memory"]
    assert judge(drift, soaked(memory=steady)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (soaked(memory=(), memory_problem="GET /health: answered 200 without JSON"), "did not tell its memory"),
        (soaked(memory=((0.0, 1.0),)), "1 points of the memory were seen, at least 8"),
        (soaked(rate=1), "0 points of the median latency were seen"),
    ],
)
def test_too_little_seen_is_never_a_pass(run, words):
    result = judge(drift, run)
    assert result.error and result.error.kind is ErrorKind.NO_DATA
    assert words in result.error.message
