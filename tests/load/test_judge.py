"""Judging samples that are made up: what holds for all of them, and what each rule says at its edge."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci.config import parse_config
from ci.engine.runner import judge
from ci.load import figures
from ci.load import judge as judgement
from ci.load.demands import Demands
from ci.load.eprocess import clean_requests_needed, log_e_rate_below
from ci.load.judge import CERTAINTY, chance_of_as_many
from ci.load.load_run import LoadRun
from ci.load.messages import Ending
from ci.load.plan import Limits, Plan
from ci.load.recording import Failure
from ci.load.samples import DTYPE, Samples, quantile
from ci.model import CheckResult, ErrorKind, Outcome
from tests.load import loads

RATE = 100.0
SECONDS = 10.0
NOTHING_KNOWN = {ErrorKind.NO_DATA, ErrorKind.NOT_REACHED, ErrorKind.NOT_REFUTED, ErrorKind.INCONCLUSIVE}
FAILURES = [kind for kind in Failure if kind not in (Failure.NONE, Failure.UNSENT)]


def a_plan(scenarios: str = "[{path: /}]") -> Plan:
    config = parse_config(
        "target: {production: 'https://app.example'}\n"
        f"load: {{users: 20, rate: 5, warm_up: 2s, duration: 10s, scenarios: {scenarios}}}"
    )
    return Plan.of(config.load, config.target.production)


def rows(count: int, latency_ms: Any = 40.0, **fields: Any) -> np.ndarray:
    """`count` requests, evenly spread over the judged time."""
    made = np.zeros(count, DTYPE)
    made["start"] = 2.0 + np.arange(count) * SECONDS / max(count, 1)
    made["latency"] = latency_ms
    made["status"] = 200
    for name, value in fields.items():
        made[name] = value
    return made


def failing(made: np.ndarray, count: int, kind: Failure = Failure.SERVER) -> np.ndarray:
    """The same with failures spread evenly among them."""
    made = made.copy()
    index = np.linspace(0, len(made) - 1, count).astype(int)
    made["failure"][index] = kind
    made["status"][index] = 500 if kind is Failure.SERVER else 0
    return made


def a_run(
    made: np.ndarray,
    *,
    plan: Plan | None = None,
    ending: Ending | None = None,
    inconclusive: Literal["hold", "accept"] = "hold",
    **limits: Any,
) -> LoadRun:
    limits = {"p95_ms": 500, "error_rate": 0.01, "min_requests": 200, **limits}
    plan = plan or a_plan()
    made = made.copy()
    made["service"] = np.maximum(made["latency"] - made["lag"], 0)
    return LoadRun(
        plan=plan,
        limits=Limits(**limits),
        demands=Demands(
            error_rate=limits["error_rate"], p95_ms=limits["p95_ms"], relative=bool(plan.baseline_url), cap_s=SECONDS
        ),
        samples=Samples(made),
        ending=ending or Ending(requests=len(made), at_s=12.0, until_s=12.0),
        inconclusive=inconclusive,
    )


def results(run: LoadRun) -> tuple[CheckResult, CheckResult, CheckResult]:
    return judge(judgement.latency, run), judge(judgement.error_rate, run), judge(judgement.volume, run)


def test_a_good_load_passes_with_evidence():
    checked = results(a_run(rows(1000)))
    assert [result.outcome for result in checked] == [Outcome.PASS] * 3
    assert "p95 40 ms of 1000 requests" in checked[0].evidence[0].summary
    assert "0 of 1000 requests failed" in checked[1].evidence[0].summary
    assert "100.0 of the intended 100 requests/s" in checked[2].evidence[0].summary


@given(
    latencies=st.lists(st.floats(1, 2000, width=32), min_size=1, max_size=60),
    limit=st.floats(1, 2000, width=32),
)
@settings(max_examples=60)
def test_latency_passes_exactly_when_95_of_100_keep_the_limit(latencies, limit):
    made = rows(1000)
    made["latency"] = np.resize(np.array(latencies, "<f4"), 1000)
    keeping = np.count_nonzero(made["latency"] <= limit)
    result = judge(judgement.latency, a_run(made, p95_ms=limit))
    assert result.outcome is (Outcome.PASS if keeping >= 950 else Outcome.FAIL)


@given(errors=st.integers(0, 1000), limit=st.floats(0, 1), kind=st.sampled_from(FAILURES))
@example(errors=0, limit=5e-324, kind=FAILURES[0])
@settings(max_examples=100)
def test_the_error_rate_fails_exactly_when_the_share_breaks_the_limit(errors, limit, kind):
    run = a_run(failing(rows(1000), errors, kind), error_rate=limit)
    result = judge(judgement.error_rate, run)
    if errors / 1000 > limit:
        assert result.outcome is Outcome.FAIL
    else:
        certified = limit in (0, 1) or log_e_rate_below(errors, 1000, limit) >= math.log(1 / run.demands.beta)
        assert (result.outcome is Outcome.PASS) is bool(certified or run.standing.rulings.errors_kept[-1])
        assert result.error is None or result.error.kind in (ErrorKind.NOT_REFUTED, ErrorKind.INCONCLUSIVE)
    if errors and result.evidence:
        assert f"{errors} × {kind.words}" in result.evidence[0].summary


def test_an_error_rate_that_few_requests_cannot_certify_is_not_refuted():
    """An objective of one in a thousand takes thousands of clean requests, and the message says how many."""
    result = judge(judgement.error_rate, a_run(rows(1000), error_rate=0.001))
    assert result.error and result.error.kind is ErrorKind.NOT_REFUTED
    needed = clean_requests_needed(0.001, 0.02)
    assert f"about {needed} requests like these would show it" in result.error.message
    near = judge(judgement.error_rate, a_run(failing(rows(1000), 9), error_rate=0.01))
    assert near.error and near.error.kind is ErrorKind.INCONCLUSIVE
    accepted = judge(judgement.error_rate, a_run(rows(1000), error_rate=0.001, inconclusive="accept"))
    assert accepted.outcome is Outcome.PASS
    assert "accepted by load.inconclusive" in accepted.evidence[1].summary


@given(
    count=st.integers(0, 1500),
    latency=st.floats(0.1, 20_000),
    errors=st.integers(0, 1500),
    kind=st.sampled_from(FAILURES),
    stopped=st.sampled_from([None, ErrorKind.UNREACHABLE]),
)
@settings(max_examples=200)
def test_a_pass_needs_enough_requests_at_nearly_the_intended_rate(count, latency, errors, kind, stopped):
    made = failing(rows(count, latency), min(errors, count), kind) if count else rows(0)
    run = a_run(made, ending=Ending(requests=count, at_s=5.0, stopped=stopped))
    reached = count >= 800 and not stopped
    checked = results(run)
    assert (checked[2].outcome is Outcome.PASS) is reached
    assert not checked[2].findings
    for result in checked:
        assert result.error is None or result.error.kind in NOTHING_KNOWN
        if not reached:
            assert result.outcome is not Outcome.PASS


def test_refusals_in_a_millisecond_do_not_make_a_target_fast():
    made = rows(1000, 700.0)
    made = failing(made, 600)
    made["latency"][made["failure"] == Failure.SERVER] = 1.0
    assert judge(judgement.latency, a_run(made)).outcome is Outcome.FAIL


def test_a_timeout_is_an_error_and_a_latency():
    made = failing(rows(1000), 60, Failure.TIMEOUT)
    made["latency"][made["failure"] == Failure.TIMEOUT] = 10_000.0
    latency, errors, _ = results(a_run(made))
    assert "p95 is 10000 ms" in latency.findings[0].message
    assert "60 × time-out" in errors.findings[0].message


def test_when_nearly_everything_fails_there_is_no_latency_to_judge():
    latency, errors, _ = results(a_run(failing(rows(1000), 900)))
    assert latency.outcome is Outcome.ERROR
    assert latency.error is not None and "100 requests have a latency" in latency.error.message
    assert errors.outcome is Outcome.FAIL


def test_the_warm_up_is_not_judged():
    cold = rows(200, 9000.0, failure=Failure.SERVER)
    cold["start"] = np.linspace(0, 1.999, 200)
    checked = results(a_run(np.concatenate([cold, rows(1000)])))
    assert [result.outcome for result in checked] == [Outcome.PASS] * 3


def test_each_slow_endpoint_has_a_finding_of_its_own():
    plan = a_plan("[{path: /fast}, {path: /slow}, {path: /rare}]")
    made = rows(1000)
    made["endpoint"][::4] = 1
    made["latency"][::4] = 900.0
    made["endpoint"][1:100:4] = 2
    made["latency"][1:100:4] = 900.0
    result = judge(judgement.latency, a_run(made, plan=plan))
    assert [f.key for f in result.findings] == ["total", "GET /slow"], "25 requests do not decide about /rare"
    assert result.findings[1].location.url == "https://app.example/slow"
    assert result.evidence[0].excerpt.index("/slow") < result.evidence[0].excerpt.index("/fast")
    assert len({f.fingerprint for f in result.findings}) == 2


def test_what_was_never_sent_is_slow_but_no_error():
    """A target that answers one request in ten: users wait, and all they meant to send later stays unsent."""
    made = rows(1000)
    unsent = np.arange(1000) >= 150
    made["failure"][unsent] = Failure.UNSENT
    made["status"][unsent] = 0
    made["latency"][unsent] = made["lag"][unsent] = 13_000.0 - made["start"][unsent] * 1e3
    latency, errors, volume = results(a_run(made, min_requests=100))
    assert latency.outcome is Outcome.FAIL
    assert "850 of them were never sent" in latency.evidence[0].summary
    assert errors.outcome is volume.outcome is Outcome.ERROR
    assert errors.evidence == ()
    assert volume.error and "15.0 of the intended 100 requests/s" in volume.error.message


def test_a_machine_that_is_late_itself_does_not_blame_the_target():
    slow = rows(1000, 600.0)
    assert judge(judgement.latency, a_run(slow)).outcome is Outcome.FAIL
    slow["late"] = 300.0
    blurred = judge(judgement.latency, a_run(slow))
    assert blurred.outcome is Outcome.ERROR
    assert blurred.error and "this machine itself was 300 ms late" in blurred.error.message
    assert judge(judgement.latency, a_run(rows(1000, late=300.0))).outcome is Outcome.PASS


def test_an_endpoint_is_not_blamed_for_waiting_behind_another():
    plan = a_plan("[{path: /fast}, {path: /slow}]")
    made = rows(1000, 900.0)
    made["lag"][1::2] = 890.0
    made["endpoint"][::2] = 1
    result = judge(judgement.latency, a_run(made, plan=plan))
    assert [f.key for f in result.findings] == ["total", "GET /slow"]


def test_a_rare_endpoint_that_always_fails_is_found_within_a_good_total():
    plan = a_plan("[{path: /}, {path: /rare}]")
    made = rows(1000)
    made["endpoint"][::200] = 1
    made["failure"][::200] = Failure.SERVER
    result = judge(judgement.error_rate, a_run(made, plan=plan))
    assert [f.key for f in result.findings] == ["GET /rare"]


def test_one_unlucky_request_does_not_accuse_an_endpoint():
    plan = a_plan("[{path: /}, {path: /rare}]")
    made = rows(1000)
    made["endpoint"][::25] = 1
    made["failure"][0] = Failure.CLOSED
    assert judge(judgement.error_rate, a_run(made, plan=plan)).outcome is Outcome.PASS


def test_what_kept_the_load_from_being_reached():
    waiting = judge(judgement.volume, a_run(rows(500, 400.0)))
    busy = judge(judgement.volume, a_run(rows(500, 400.0, lag=380.0)))
    few = judge(judgement.volume, a_run(rows(1000), min_requests=2000))
    assert waiting.error and "the target is too slow" in waiting.error.message
    assert busy.error and "this machine was too busy" in busy.error.message
    assert few.error and "1000 requests were judged, at least 2000" in few.error.message


def test_a_target_that_went_away_is_a_finding_however_few_requests_tell():
    made = rows(30, failure=Failure.CONNECT, status=0)
    ending = Ending(requests=30, at_s=5.0, stopped=ErrorKind.UNREACHABLE, detail="30 of the last 30 got no answer")
    latency, errors, volume = results(a_run(made, ending=ending))
    assert errors.outcome is Outcome.FAIL
    assert "30 of the last 30 got no answer" in errors.findings[0].message
    assert latency.outcome is volume.outcome is Outcome.ERROR


@given(requests=st.integers(1, 300), rate=st.floats(0.001, 0.5), share=st.floats(0, 1))
@settings(max_examples=80)
def test_the_binomial_tail_is_a_tail(requests, rate, share):
    errors = int(share * requests)
    tail = chance_of_as_many(errors, requests, rate)
    by_hand = sum(math.comb(requests, k) * rate**k * (1 - rate) ** (requests - k) for k in range(errors, requests + 1))
    assert tail == pytest.approx(by_hand, rel=1e-6, abs=1e-12)


def test_the_binomial_tail_at_objectives_that_leave_no_chance():
    assert chance_of_as_many(1, 100, 0.0) == 0.0
    assert chance_of_as_many(0, 100, 0.0) == 1.0
    assert chance_of_as_many(100, 100, 1.0) == 1.0


def test_an_endpoint_without_an_answer_leads_the_breakdown():
    plan = a_plan("[{path: /}, {path: /dead}]")
    made = rows(1000)
    made["endpoint"][::10] = 1
    made["failure"][::10] = Failure.CLOSED
    made["status"][::10] = 0
    shown = judge(judgement.latency, a_run(made, plan=plan)).evidence[0].excerpt
    assert shown.startswith("GET /dead: none of 100 requests has a latency")


def test_endpoints_that_keep_the_objective_are_hardly_ever_accused():
    rng = np.random.default_rng(20)
    values, counts = np.unique(rng.binomial(200, 0.01, 20_000), return_counts=True)
    accused = [chance_of_as_many(int(k), 200, 0.01) < CERTAINTY for k in values]
    assert counts[accused].sum() / 20_000 <= CERTAINTY


@given(st.lists(st.floats(0, 1e5, width=32), min_size=1, max_size=300), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_was_seen_and_the_smallest_that_serves(values, share):
    array = np.array(values, "<f4")
    q = quantile(array, share)
    assert q in array
    assert np.count_nonzero(array <= q) >= share * len(array) - 1e-6
    assert np.count_nonzero(array < q) < share * len(array) + 1e-6


@given(count=st.integers(0, 3000), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_plots_are_thin_and_ordered(count, seed):
    rng = np.random.default_rng(seed)
    made = rows(count, rng.lognormal(4, 1, count))
    made["start"] = rng.uniform(0, 3600, count)
    for plot in figures.plots(a_run(made)):
        assert [limit.value for limit in plot.limits] == ([500] if plot.y_label == "latency in ms" else [])
        for series in plot.series:
            assert 0 < len(series.points) <= figures.MAX_POINTS
            xs = [x for x, _ in series.points]
            assert xs == sorted(set(xs))
    over_time = [plot for plot in figures.plots(a_run(made)) if plot.title == "Latency over time"]
    for plot in over_time:
        p50, p95 = plot.series
        assert all(low <= high for (_, low), (_, high) in zip(p50.points, p95.points, strict=True))


def test_measures_of_nothing_and_of_something():
    nothing = {measure.name: measure.value for measure in figures.measures(a_run(rows(0)))}
    assert nothing == {"requests": 0, "rate": 0}
    made = failing(rows(1000, np.arange(1, 1001)), 10)
    something = {measure.name: measure for measure in figures.measures(a_run(made))}
    assert something["error rate"].value == 0.01 and something["error rate"].limit == 0.01
    assert something["p95"].value == pytest.approx(950, abs=10)
    assert something["rate"].value == RATE


def test_few_requests_convict_but_do_not_acquit():
    certain = judge(judgement.error_rate, a_run(failing(rows(100), 12), min_requests=200))
    assert certain.outcome is Outcome.FAIL
    for errors in (0, 2):
        unclear = judge(judgement.error_rate, a_run(failing(rows(100), errors), min_requests=200))
        assert unclear.outcome is Outcome.ERROR


def test_what_was_over_its_limit_when_a_load_was_ended_early_is_no_pass():
    """Six per cent are slow, or fail, where five may: too little of a load that was cut short to tell."""
    early = Ending(requests=600, at_s=8.0, until_s=8.0, decided="certain that it holds")
    few = rows(600, start=2.0 + np.arange(600) / 100)
    slow = few.copy()
    slow["latency"][::16] = 501
    latency = judge(judgement.latency, a_run(slow, ending=early))
    assert latency.error and latency.error.kind is ErrorKind.INCONCLUSIVE
    assert "ended before this was certain: p95 was 501 ms" in latency.error.message
    errors = judge(judgement.error_rate, a_run(failing(few, 36), ending=early, error_rate=0.05))
    assert errors.error and errors.error.kind is ErrorKind.INCONCLUSIVE
    assert "6.00% of the requests had failed by then" in errors.error.message
    assert judge(judgement.latency, a_run(slow)).outcome is Outcome.FAIL, "in its whole time it counts as it is"


def test_what_production_does_as_badly_is_held_and_not_blamed_on_the_candidate():
    failing_both = loads.a_run(loads.some_rows(candidate_fails=0.05, baseline_fails=0.05, seconds=23.0))
    errors = judge(judgement.error_rate, failing_both)
    assert errors.error and errors.error.kind is ErrorKind.UNHEALTHY and "so did" in errors.error.message
    slow_both = loads.a_run(loads.some_rows(median_ms=600.0, seconds=23.0))
    latency = judge(judgement.latency, slow_both)
    assert latency.error and latency.error.kind is ErrorKind.UNHEALTHY and "the baseline's is" in latency.error.message
    alone = loads.a_run(loads.some_rows(candidate_fails=0.05, seconds=23.0))
    assert judge(judgement.error_rate, alone).outcome is Outcome.FAIL
