"""Loads that are made up, with fixed seeds: rows as the load generator writes them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ci.config import parse_config
from ci.load.demands import Demands
from ci.load.load_run import LoadRun
from ci.load.messages import Ending
from ci.load.plan import Limits, Plan
from ci.load.recording import Arm, Failure
from ci.load.samples import DTYPE, Samples

WARM_UP_S = 3.0
SCENARIOS = "[{path: /, weight: 5}, {path: /a, weight: 3}, {path: /b, weight: 2}]"


def a_plan(*, paired: bool = True, duration_s: float = 60, scenarios: str = SCENARIOS, **load: Any) -> Plan:
    more = "".join(f", {key}: {value}" for key, value in load.items())
    config = parse_config(
        "target: {production: 'https://app.example'}\n"
        f"load: {{warm_up: {WARM_UP_S:g}s, duration: {duration_s:g}s, scenarios: {scenarios}{more}}}"
    )
    return Plan.of(config.load, "https://new.example", "https://old.example" if paired else None)


def some_rows(
    seed: int = 0,
    *,
    plan: Plan | None = None,
    seconds: float = 63.0,
    rate: float = 100.0,
    slower: float = 0.0,
    slow_endpoint: tuple[int, float] = (0, 1.0),
    tail: tuple[float, float] = (0.0, 1.0),
    cold: float = 0.0,
    both_cold: float = 0.0,
    candidate_fails: float = 0.0,
    baseline_fails: float = 0.0,
    fails_fast: bool = False,
    median_ms: float = 50.0,
) -> np.ndarray:
    """Pairs with noise that both arms share (waves, bursts) and noise of their own; without a baseline one arm."""
    rng = np.random.default_rng(seed)
    arms = (plan or a_plan()).arms
    n = int(seconds * rate)
    start = np.arange(n) / rate
    common = np.log(median_ms) + 0.2 * np.sin(start / 3) + 0.1 * rng.normal(0, 1, int(seconds) + 2)[start.astype(int)]
    common += np.log(1 + both_cold * np.exp(-start / 1.5))
    endpoint = rng.choice(3, n, p=(0.5, 0.3, 0.2))
    made = np.zeros((n, 2), DTYPE)
    for arm in (Arm.CANDIDATE, Arm.BASELINE):
        rows = made[:, arm]
        ms = np.exp(common + rng.normal(0, 0.35, n))
        fails = rng.random(n) < (candidate_fails if arm is Arm.CANDIDATE else baseline_fails)
        if arm is Arm.CANDIDATE:
            ms *= (1 + slower) * (1 + cold * np.exp(-start / 1.5))
            ms[endpoint == slow_endpoint[0]] *= slow_endpoint[1]
            ms[rng.random(n) < tail[0]] *= tail[1]
            if fails_fast:
                ms[fails] = 1.0
        rows["start"], rows["pair"], rows["endpoint"], rows["arm"] = start, np.arange(n), endpoint, arm
        rows["service"] = rows["latency"] = ms
        rows["status"] = np.where(fails, 500, 200)
        rows["failure"] = np.where(fails, Failure.SERVER, Failure.NONE)
    return made[:, : len(arms)].reshape(-1)


def a_run(
    rows: np.ndarray,
    plan: Plan | None = None,
    *,
    ending: Ending | None = None,
    inconclusive: Literal["hold", "accept"] = "hold",
    **limits: Any,
) -> LoadRun:
    """A load that has left these rows."""
    plan = plan or a_plan()
    given = Limits(**{"p95_ms": 500, "error_rate": 0.01, "min_requests": 200, **limits})
    config = parse_config("target: {production: 'https://app.example'}")
    slo = {"p95_ms": given.p95_ms, "error_rate": given.error_rate}
    demands = Demands.of(config.load, duration_s=plan.duration_s, relative=plan.baseline_url is not None)
    ended_s = float(rows["start"].max()) + 0.01 if len(rows) else 0.0
    return LoadRun(
        plan=plan,
        limits=given,
        demands=demands.model_copy(update=slo),
        samples=Samples(rows),
        ending=ending or Ending(requests=len(rows), at_s=ended_s + 0.2, until_s=ended_s),
        inconclusive=inconclusive,
    )
