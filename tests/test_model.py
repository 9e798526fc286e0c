from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ci.model import (
    CheckError,
    CheckResult,
    Decision,
    ErrorKind,
    Evidence,
    Finding,
    Location,
    Outcome,
    Reason,
    Severity,
    StageReport,
    Verdict,
)
from tests.runs import NOW, SUBJECT, errored, failed, passed, report, skipped, spec


@given(
    outcome=st.sampled_from(Outcome),
    evidence=st.booleans(),
    finding=st.booleans(),
    error=st.booleans(),
    skip=st.booleans(),
)
def test_only_results_that_tell_one_story_can_be_constructed(
    outcome: Outcome, evidence: bool, finding: bool, error: bool, skip: bool
) -> None:
    fields = {
        "evidence": (Evidence(summary="seen"),) if evidence else (),
        "findings": (Finding(check_id="smoke/health", message="bad", severity=Severity.LOW),) if finding else (),
        "error": CheckError(kind=ErrorKind.BUG, message="x") if error else None,
        "skip_reason": "because" if skip else None,
    }
    consistent = {
        Outcome.PASS: evidence and not (finding or error or skip),
        Outcome.FAIL: finding and not (error or skip),
        Outcome.ERROR: error and not finding,
        Outcome.SKIP: skip and not (error or finding),
    }[outcome]
    if consistent:
        assert CheckResult(spec=spec(), outcome=outcome, **fields).outcome is outcome
    else:
        with pytest.raises(ValidationError):
            CheckResult(spec=spec(), outcome=outcome, **fields)


def test_a_finding_of_another_check_is_refused() -> None:
    stranger = Finding(check_id="smoke/login", message="bad", severity=Severity.LOW)
    with pytest.raises(ValidationError, match="another check"):
        CheckResult(spec=spec("smoke/health"), outcome=Outcome.FAIL, findings=(stranger,))


def test_a_stage_that_checked_nothing_is_an_error() -> None:
    assert report().outcome is Outcome.ERROR
    assert report(skipped()).outcome is Outcome.ERROR


def test_the_worst_outcome_is_the_stages() -> None:
    assert report(passed("smoke/a"), errored("smoke/b"), failed("smoke/c")).outcome is Outcome.FAIL
    assert report(passed("smoke/a"), errored("smoke/b"), skipped("smoke/c")).outcome is Outcome.ERROR
    assert report(passed("smoke/a"), skipped("smoke/b")).outcome is Outcome.PASS


def test_severities_and_outcomes_have_an_order() -> None:
    info, low, medium, high, critical = (Severity(name) for name in ("info", "low", "medium", "high", "critical"))
    assert info.rank < low.rank < medium.rank < high.rank < critical.rank
    assert Outcome.PASS.rank < Outcome.SKIP.rank < Outcome.ERROR.rank < Outcome.FAIL.rank


def test_a_stage_cannot_finish_before_it_has_started() -> None:
    with pytest.raises(ValidationError, match="before it started"):
        report(passed(), finished_at=NOW - timedelta(seconds=1))
    assert report(passed(), finished_at=NOW + timedelta(seconds=2)).duration_s == 2


def test_two_results_of_one_check_are_refused() -> None:
    with pytest.raises(ValidationError, match="more than one result"):
        report(passed(), failed())


def test_a_stage_that_was_not_run_has_no_results() -> None:
    with pytest.raises(ValidationError, match="was not run"):
        report(passed(), not_run="smoke is NO-GO")


def test_reports_survive_the_journey_through_a_file() -> None:
    made = report(passed("smoke/a"), failed("smoke/b"), errored("smoke/c"), skipped("smoke/d"))
    assert StageReport.model_validate_json(made.model_dump_json()) == made


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        StageReport.model_validate({**report(passed()).model_dump(), "surprise": 1})


@given(host=st.sampled_from(["a.vercel.app", "b.vercel.app"]), line=st.integers(1, 99), words=st.text(max_size=20))
def test_a_fingerprint_ignores_host_line_and_wording(host: str, line: int, words: str) -> None:
    def made(**more: object) -> Finding:
        return Finding(check_id="smoke/health", message=words, severity=Severity.LOW, **more)

    url = Location(url=f"https://{host}/login?next=/app", line=line)
    same = Finding(
        check_id="smoke/health",
        message="other",
        severity=Severity.HIGH,
        location=Location(url="https://c.example/login"),
    )
    assert made(location=url).fingerprint == same.fingerprint
    assert made(location=url, key="other").fingerprint != same.fingerprint
    assert made(location=Location(url="https://c.example/app")).fingerprint != same.fingerprint


def test_a_file_is_known_by_its_whole_name_and_an_address_without_the_hash_of_its_build() -> None:
    def print_of(place: Location) -> str:
        return Finding(check_id="security/a", message="m", severity=Severity.LOW, location=place).fingerprint

    one, other = "/assets/index-1a2b3c4d.js", "/assets/index-9f8e7d6c.js"
    assert print_of(Location(path=one)) != print_of(Location(path=other))
    assert print_of(Location(url=one)) == print_of(Location(url=other))


def test_subjects_and_places_in_words() -> None:
    assert str(SUBJECT) == f"{SUBJECT.url} · commit {'a' * 12} · dpl_1"
    assert str(SUBJECT.model_copy(update={"commit": None, "deployment_id": None})) == SUBJECT.url
    assert [str(Location(path="a.py", line=3)), str(Location(path="a.py")), str(Location())] == ["a.py:3", "a.py", ""]
    assert str(Location(url="https://x/y")) == "https://x/y"


def test_a_long_excerpt_is_cut_and_the_cut_is_marked() -> None:
    cut = Evidence(summary="s", excerpt="x" * 5000).excerpt
    assert len(cut) == 2000
    assert cut.endswith("…")


@pytest.mark.parametrize("decision", list(Decision))
def test_a_verdict_cannot_contradict_its_reasons(decision: Decision) -> None:
    wrong = Decision.HOLD if decision is Decision.NO_GO else Decision.NO_GO
    with pytest.raises(ValidationError, match="reasons tell"):
        Verdict(
            decision=decision,
            subject=SUBJECT,
            stages=("smoke",),
            reasons=(Reason(rule="r", message="m", decision=wrong),),
            decided_at=NOW,
            evidence_from=NOW,
        )


def test_go_needs_a_stage_behind_it() -> None:
    with pytest.raises(ValidationError, match="at least one stage"):
        Verdict(decision=Decision.GO, subject=SUBJECT, stages=(), decided_at=NOW, evidence_from=NOW)
