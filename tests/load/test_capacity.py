"""Finding the highest rate that keeps the objectives, from samples."""

from __future__ import annotations

import numpy as np
import pytest

from ci.config import parse_config
from ci.load.capacity import Ladder, climb
from ci.load.plan import Limits, Plan
from ci.load.recording import SAMPLE, Failure, Sample
from ci.load.samples import DTYPE, Samples

CONFIG = parse_config(
    "target: {production: https://app.example}\n"
    "load: {profile: capacity, users: 10, rate: 5, warm_up: 1s, slo: {p95_ms: 100},"
    " capacity: {highest: 400, growth: 2, step: 2s}}"
)
PLAN = Plan.of(CONFIG.load, "https://app.example")
LIMITS = Limits.of(CONFIG.load)
RATES = [50, 100, 200, 400]


def rows(latency_ms, failed=lambda rate, n: False, sent=1.0) -> bytes:
    """Samples of every rung: `latency_ms(rate)`, `failed(rate, n)`, and the share that could be sent."""
    made = []
    for rung, rate in enumerate(RATES):
        for n in range(int(rate * 2 * sent)):
            start = 1 + 2 * rung + n / rate
            failure = Failure.SERVER if failed(rate, n) else Failure.NONE
            ms = latency_ms(rate)
            made.append(SAMPLE.pack(*Sample(start, 0, 0, ms, ms, 1, n, 0, 200, 0, 0, failure)))
    return b"".join(made)


def found(raw: bytes, until_s: float = 100):
    return climb(PLAN, LIMITS, Samples(np.frombuffer(raw, DTYPE)), until_s)


def test_the_rungs_are_those_of_the_plan():
    assert [phase.from_rate for phase in PLAN.phases[1:]] == RATES


@pytest.mark.parametrize(
    ("raw", "highest", "words"),
    [
        (rows(lambda rate: 20), 400, "the limit was not found"),
        (rows(lambda rate: 20 if rate < 200 else 300), 100, "at 200 requests/s p95 was 300 ms, at most 100 ms"),
        (rows(lambda rate: 300), None, "no rate kept the objectives; at 50 requests/s p95 was"),
        (rows(lambda rate: 20, lambda rate, n: rate >= 200 and n % 10 == 0), 100, "10.00% of the requests failed"),
        (rows(lambda rate: 300 if rate == 100 else 20), 400, "the limit was not found"),
        (rows(lambda rate: 20, sent=0.5), None, "50 of 100 requests could be sent in time"),
    ],
)
def test_the_highest_rate_before_two_broken_rungs(raw, highest, words):
    result = found(raw)
    assert result.highest == highest
    assert words in result.words


def test_a_rung_counts_only_when_it_is_over():
    raw = rows(lambda rate: 20)
    assert [len(found(raw, until).rungs) for until in (0.5, 2.9, 3.0, 8.9, 9.0)] == [0, 0, 1, 3, 4]


def test_the_ladder_ends_the_load_at_the_second_broken_rung():
    raw = rows(lambda rate: 20 if rate < 100 else 300)
    ladder = Ladder(PLAN, LIMITS)
    size, told = len(raw) // 8 // SAMPLE.size * SAMPLE.size, []
    for at in range(0, len(raw), size):
        part = raw[at : at + size]
        until_s = SAMPLE.unpack(part[-SAMPLE.size :])[0]
        told.append((until_s, ladder.feed(part, until_s)))
    first_s, words = next((until_s, words) for until_s, words in told if words)
    assert 7.0 <= first_s < 8.0, "the rungs of 100 and 200 requests/s end at 5 and 7 s"
    assert words.startswith("50 requests/s were held; at 100 requests/s")
