"""Whether somebody is still there, from the samples of the last seconds."""

from __future__ import annotations

from ci.load.recording import SAMPLE, Arm, Failure, Sample
from ci.load.tally import DEAD_MINIMUM, DEAD_S, Tally

TICKS = round(DEAD_S / 0.25)
BOTH = (Arm.CANDIDATE, Arm.BASELINE)


def rows(count: int, failure: Failure = Failure.NONE, arm: Arm = Arm.CANDIDATE, latency_ms: float = 5.0) -> bytes:
    sample = Sample(1.0, 0, 0, latency_ms, latency_ms, 1, 0, 0, 200, 0, arm, failure)
    return SAMPLE.pack(*sample) * count


def after(*parts: bytes, ticks: int = TICKS) -> Tally:
    tally = Tally(0.25)
    for _ in range(ticks):
        for part in parts:
            tally.add(part)
        tally.tick()
    return tally


def test_a_target_is_dead_when_most_requests_of_some_seconds_got_no_answer():
    mostly = after(rows(6, Failure.CLOSED), rows(4))
    assert mostly.dead(BOTH) == {Arm.CANDIDATE: f"{6 * TICKS} of the last {10 * TICKS} requests got no answer"}
    assert not after(rows(5, Failure.CLOSED), rows(5)).dead(BOTH)


def test_errors_that_are_answers_are_a_sign_of_life():
    assert not after(rows(10, Failure.SERVER), rows(10, Failure.STATUS)).dead(BOTH)
    assert not after(rows(10, Failure.UNSENT)).dead(BOTH)


def test_a_moment_or_a_handful_is_not_enough():
    assert not after(rows(100, Failure.TIMEOUT), ticks=TICKS - 1).dead(BOTH)
    few = Tally(0.25)
    few.add(rows(DEAD_MINIMUM - 1, Failure.TIMEOUT))
    for _ in range(TICKS):
        few.tick()
    assert not few.dead(BOTH)


def test_the_arms_are_told_apart_and_the_past_is_forgotten():
    tally = after(rows(10), rows(10, Failure.CONNECT, Arm.BASELINE))
    assert set(tally.dead(BOTH)) == {Arm.BASELINE}
    assert not tally.dead((Arm.CANDIDATE,))
    for _ in range(TICKS):
        tally.add(rows(10, arm=Arm.BASELINE))
        tally.tick()
    assert not tally.dead(BOTH)


def test_the_last_second_is_the_candidates():
    tally = after(rows(30, latency_ms=20.0), rows(50, arm=Arm.BASELINE, latency_ms=900.0))
    rate, p95_ms = tally.last_second()
    assert (rate, p95_ms) == (120.0, 20.0)
    tally.tick()
    assert tally.last_second()[1] is None, "nothing was answered since"
