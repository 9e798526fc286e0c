"""Each outcome of the comparison: its kind, its words, and what it blames."""

from __future__ import annotations

import numpy as np
import pytest

from ci.engine.runner import judge
from ci.errors import CannotRun
from ci.load import judge as objectives
from ci.load.comparison import Ratio, of_the_whole
from ci.load.load_run import LoadRun
from ci.load.messages import Ending
from ci.load.recording import Arm
from ci.load.regression import regression
from ci.load.stage import demand_the_application
from ci.model import CheckResult, ErrorKind, Outcome
from tests.load.loads import a_plan, a_run, some_rows


def compared(run: LoadRun) -> CheckResult:
    return judge(regression, run)


def kind_of(result: CheckResult) -> ErrorKind | None:
    return result.error.kind if result.error else None


def decided(rows) -> Ending:
    """As the generator tells it when it was told to end by then."""
    at_s = float(rows["start"].max()) + 0.01
    return Ending(requests=len(rows), at_s=at_s, until_s=at_s, decided="certain")


def test_equal_arms_pass_with_the_interval():
    rows = some_rows(1, seconds=18)
    run = a_run(rows, ending=decided(rows))
    result = compared(run)
    assert result.outcome is Outcome.PASS
    assert "candidate against baseline after" in result.evidence[0].summary
    assert result.evidence[0].excerpt.count("GET /") == 3
    assert judge(objectives.volume, run).outcome is Outcome.PASS, "to end early is no shortfall"


def test_a_regression_tells_how_much_how_sure_and_where():
    result = compared(a_run(some_rows(1, slow_endpoint=(1, 2.0), seconds=20)))
    assert result.outcome is Outcome.FAIL
    assert [finding.key for finding in result.findings] == ["total", "GET /a"]
    assert "up to 5% is tolerated" in result.findings[0].message
    assert "p95 +" in result.findings[1].message and " to +" in result.findings[1].message
    assert result.findings[1].location.url == "https://new.example/a"
    assert result.evidence[0].excerpt.startswith("GET /a: ")


def test_the_interval_holds_the_truth():
    for seed in range(4):
        standing = a_run(some_rows(seed, slower=0.3, seconds=20)).standing
        whole = of_the_whole(standing, worse=True)
        assert whole.typical.low <= 1.3 <= whole.typical.high
        assert whole.typical.low > 1.0


def test_a_tail_alone_is_a_regression():
    """Ten requests of a hundred four times as slow: the median stays as it is."""
    result = compared(a_run(some_rows(2, tail=(0.10, 4.0)), p95_ms=5000))
    assert result.outcome is Outcome.FAIL


def test_to_fail_fast_is_not_to_be_faster():
    run = a_run(some_rows(1, candidate_fails=1.0, fails_fast=True))
    assert judge(objectives.error_rate, run).outcome is Outcome.FAIL
    assert compared(run).outcome is not Outcome.PASS


def test_few_more_errors_are_a_regression_within_the_objective():
    """Three percent where five are allowed, and the baseline has none."""
    result = compared(a_run(some_rows(1, candidate_fails=0.03), error_rate=0.05))
    assert result.outcome is Outcome.FAIL
    assert "against 0.00%" in result.findings[0].message


@pytest.mark.parametrize("broken", [{"candidate_fails": 0.1, "baseline_fails": 0.1}, {"median_ms": 600.0}])
def test_when_both_break_an_objective_the_environment_is_unhealthy(broken):
    run = a_run(some_rows(1, **broken))
    assert kind_of(compared(run)) is ErrorKind.UNHEALTHY
    check = objectives.error_rate if "candidate_fails" in broken else objectives.latency
    result = judge(check, run)
    assert kind_of(result) is ErrorKind.UNHEALTHY and result.error
    assert "baseline" in result.error.message


def test_a_broken_objective_is_the_candidates_when_the_baseline_keeps_it():
    run = a_run(some_rows(1, candidate_fails=0.1))
    assert judge(objectives.error_rate, run).outcome is Outcome.FAIL
    assert compared(run).outcome in (Outcome.ERROR, Outcome.FAIL)


def test_few_pairs_do_not_refute_and_the_message_says_how_many_would_do():
    result = compared(a_run(some_rows(1, rate=4.0), a_plan(rate=0.1), min_requests=100))
    assert kind_of(result) is ErrorKind.NOT_REFUTED and result.error
    assert "240 pairs are too few" in result.error.message
    assert "would show it if it goes on like this" in result.error.message


def test_what_is_neither_right_nor_wrong_is_inconclusive_and_a_policy_may_accept_it():
    """It lies between the five percent that are tolerated and the ten that a pass must exclude, and time is short."""
    plan = a_plan(duration_s=15)
    rows = some_rows(5, plan=plan, slower=0.085, seconds=18)
    held = compared(a_run(rows, plan))
    assert kind_of(held) is ErrorKind.INCONCLUSIVE and held.error
    assert "neither show a regression nor" in held.error.message
    accepted = compared(a_run(rows, plan, inconclusive="accept"))
    assert accepted.outcome is Outcome.PASS
    assert "accepted by load.inconclusive" in accepted.evidence[1].summary


def test_no_estimate_lies_outside_its_interval():
    """The ratio was another at first, so that what is left of the interval is of then."""
    ratio = Ratio.of(np.repeat([0.3, 0.0], [20, 40]), 0.01)
    assert ratio.estimate == pytest.approx(1.0)
    assert ratio.low <= ratio.estimate <= ratio.high


def test_an_objective_left_open_by_a_regression_refers_to_it():
    """Errors enough to tell the arms apart, but not yet to be sure of the objective."""
    rows = some_rows(2, candidate_fails=0.013, slower=0.6, seconds=13)
    open_yet = judge(objectives.error_rate, a_run(rows, ending=decided(rows)))
    assert open_yet.error and "see load/regression first" in open_yet.error.message


def test_what_is_missing_may_be_an_objective():
    """Both are equal, but users wait almost as long as they may."""
    plan = a_plan(duration_s=15)
    rows = some_rows(3, plan=plan, seconds=18)
    limit_ms = float(np.quantile(rows["latency"], 0.95))
    held = compared(a_run(rows, plan, p95_ms=limit_ms))
    assert held.error and f"to show that p95 stays below {limit_ms:g} ms (load.slo.p95_ms)" in held.error.message


def test_without_a_baseline_nothing_is_compared_and_the_report_says_so():
    plan = a_plan(paired=False)
    result = compared(a_run(some_rows(1, plan=plan), plan))
    assert result.outcome is Outcome.SKIP
    assert result.skip_reason and "only the objectives are judged" in result.skip_reason


def test_a_pass_at_a_fraction_of_the_load_is_none():
    result = compared(a_run(some_rows(1, rate=70.0)))
    assert kind_of(result) is ErrorKind.NOT_REACHED and result.error
    assert "70.0 of the intended 100 pairs" in result.error.message.replace("requests", "pairs")


def test_a_load_that_broke_off_compares_nothing():
    rows = some_rows(1, seconds=8)
    ending = Ending(
        requests=len(rows), at_s=8.0, until_s=8.0, stopped=ErrorKind.TOOL_FAILED, detail="a worker was lost"
    )
    result = compared(a_run(rows, ending=ending))
    assert result.outcome is Outcome.ERROR and result.error
    assert "a worker was lost" in result.error.message


@pytest.mark.parametrize(
    ("stopped", "kind", "words"),
    [
        (ErrorKind.RATE_LIMITED, ErrorKind.RATE_LIMITED, "the baseline limits our requests"),
        (ErrorKind.CHALLENGED, ErrorKind.CHALLENGED, "in the place of the baseline"),
        (ErrorKind.LOGIN_WALL, ErrorKind.LOGIN_WALL, r"answered https://old\.example in the application's place"),
        (ErrorKind.UNREACHABLE, ErrorKind.UNHEALTHY, "the baseline is not there"),
    ],
)
def test_a_baseline_that_is_not_there_is_not_the_candidates_fault(stopped, kind, words):
    rows = some_rows(1, seconds=8)
    ending = Ending(requests=len(rows), at_s=8.0, until_s=8.0, stopped=stopped, arm=Arm.BASELINE, detail="seen")
    with pytest.raises(CannotRun, match=words) as caught:
        demand_the_application(a_run(rows, ending=ending))
    assert caught.value.kind is kind
