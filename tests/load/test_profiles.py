"""The course of each profile, and who sends when."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.config import parse_config
from ci.load.plan import Plan, Shard
from ci.load.profiles import PRESETS, Course, Phase

rate = st.floats(0, 5000)
phase = st.builds(Phase, duration_s=st.floats(0.1, 3600), from_rate=rate, to_rate=rate)


def plan_of(load: str) -> Plan:
    config = parse_config(f"target: {{production: https://app.example}}\nload: {{{load}}}")
    return Plan.of(config.load, "https://app.example")


@given(phases=st.lists(phase, min_size=1, max_size=6).filter(lambda p: sum(x.requests for x in p) > 1), share=st.data())
@settings(max_examples=60)
def test_the_time_of_a_request_and_the_number_due_are_inverse(phases, share):
    course = Course(tuple(phases))
    total = course.due_by(course.end_s)
    n = share.draw(st.floats(0, 0.999)) * total
    at = course.time_of(n)
    assert 0 <= at <= course.end_s + 1e-6
    assert course.due_by(at) == pytest.approx(n, rel=1e-6, abs=1e-4 * total)
    assert course.time_of(total * 1.001 + 1) == math.inf


@pytest.mark.parametrize("profile", PRESETS)
def test_the_users_together_send_what_is_intended_and_no_two_at_once(profile):
    plan = plan_of(f"profile: {profile}, users: 8, rate: 2, warm_up: 1s, duration: 12s, capacity: {{highest: 40}}")
    times = sorted(at for user in range(plan.users) for at in _until_the_end(plan, user))
    assert len(times) == pytest.approx(plan.course.due_by(plan.end_s), abs=1)
    for s in range(1, int(plan.end_s)):
        assert sum(at < s for at in times) == pytest.approx(plan.course.due_by(s), abs=1.001)
    assert len(set(times)) == len(times)


def _until_the_end(plan: Plan, user: int) -> list[float]:
    found = []
    while (at := plan.due_s(user, len(found))) < plan.end_s:
        found.append(at)
    return found


def test_what_each_profile_is():
    def at(plan: Plan, s: float) -> float:
        return (plan.course.due_by(s + 0.01) - plan.course.due_by(s - 0.01)) / 0.02

    gate, ramp, spike = (plan_of(f"profile: {name}") for name in ("gate", "ramp", "spike"))
    assert [at(gate, s) for s in (1, 30, 62)] == pytest.approx([100, 100, 100])
    assert [at(ramp, s) for s in (1, 23, 43.5, 62)] == pytest.approx([10, 55, 100, 100], rel=0.01)
    assert [at(spike, s) for s in (1, 10, 20, 32, 35, 62)] == pytest.approx([20, 20, 100, 100, 20, 20])
    assert plan_of("profile: soak").end_s == 1803
    thousand = plan_of("profile: thousand")
    assert (thousand.users, thousand.rate) == (1000, pytest.approx(200))
    assert plan_of("profile: thousand, users: 1500, rate: 1").rate == pytest.approx(1500)


def test_capacity_climbs_from_the_wanted_rate_and_judges_that_alone():
    climb = "capacity: {highest: 250, growth: 1.5, step: 4s}"
    plan = plan_of(f"profile: capacity, warm_up: 2s, {climb}, slo: {{p95_ms: 400}}")
    assert [phase.from_rate for phase in plan.phases[1:]] == [100, 150, 225]
    assert (plan.warm_up_s, plan.judged_to_s, plan.end_s) == (2, 6, 14)
    assert plan.rate == 100
    assert plan.users == 100, "250 requests a second of 400 ms each are 100 at a time"


@given(users=st.integers(1, 60), workers=st.integers(1, 5), shards=st.integers(1, 4))
@settings(max_examples=40)
def test_shards_and_workers_share_the_users(users, workers, shards):
    base = plan_of(f"users: {users}, workers: {workers}")
    parts = [base.model_copy(update={"shard": Shard(index=i, of=shards)}) for i in range(shards)]
    assert sum(part.users_here for part in parts) == users
    assert sum(part.expected(5, 20) for part in parts) == pytest.approx(base.expected(5, 20))
    numbers = [part.worker_number(worker) for part in parts for worker in range(workers)]
    assert sorted(numbers) == list(range(shards * workers))
    for part in parts:
        # Each worker of a shard has its share of the users, the first ones one more.
        spread = [range(worker, part.users_here, workers) for worker in range(workers)]
        seen = [part.number_of(user, worker) for worker, its in enumerate(spread) for user in range(len(its))]
        assert sorted(seen) == list(range(part.shard.index, users, shards))
