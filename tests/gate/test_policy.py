from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config.shape.gate import Gate, Waiver
from ci.gate.policy import decide
from ci.model import Decision, Outcome, Severity, StageReport, Verdict
from tests.runs import NOW, SUBJECT, errored, failed, passed, report, skipped

PREFLIGHT = report(passed("preflight/reachable"), stage="preflight")
POLICY = Gate(required=("smoke",))


def verdict(*reports: StageReport, policy: Gate = POLICY, **more: object) -> Verdict:
    return decide(policy, SUBJECT, (PREFLIGHT, *reports), now=NOW, **more)


def messages(made: Verdict) -> str:
    return "\n".join(f"{r.stage} {r.check_id} {r.message}" for r in made.reasons)


def test_everything_in_order_is_go() -> None:
    assert verdict(report(passed())).decision is Decision.GO


def test_a_finding_is_no_go_and_carries_its_fingerprint() -> None:
    bad = failed()
    made = verdict(report(bad))
    assert made.decision is Decision.NO_GO
    assert made.reasons[0].fingerprint == bad.findings[0].fingerprint


@pytest.mark.parametrize(
    ("reports", "why"),
    [
        ((), "no report"),
        ((report(),), "checked nothing"),
        ((report(skipped()),), "checked nothing"),
        ((report(not_run="spared"),), "not run: spared"),
        ((report(errored()),), "timeout: no answer"),
        ((report(passed("smoke/a"), errored("smoke/b")),), "timeout: no answer"),
        ((report(passed()), report(passed())), "2 reports"),
        ((report(passed(), subject=SUBJECT.model_copy(update={"commit": "b" * 40})),), "not about"),
        ((report(passed(), subject=SUBJECT.model_copy(update={"deployment_id": "dpl_2"})),), "not about"),
        ((report(passed(), started_at=NOW - timedelta(hours=3), finished_at=NOW - timedelta(hours=2)),), "2 h old"),
        ((report(passed(), finished_at=NOW + timedelta(minutes=6)),), "in the future"),
        ((report(passed("security/hsts"), stage="security"),), "smoke"),
    ],
)
def test_whatever_is_not_known_is_hold(reports: tuple[StageReport, ...], why: str) -> None:
    made = verdict(*reports)
    assert made.decision is Decision.HOLD
    assert why in messages(made)
    assert {reason.decision for reason in made.reasons} == {Decision.HOLD}


@pytest.mark.parametrize(
    ("age", "decision"),
    [
        (POLICY.max_age, Decision.GO),
        (POLICY.max_age + timedelta(seconds=1), Decision.HOLD),
        (timedelta(minutes=-5), Decision.GO),
        (timedelta(minutes=-5, seconds=-1), Decision.HOLD),
    ],
)
def test_a_report_is_fresh_for_so_long_and_clocks_may_differ_by_so_much(age: timedelta, decision: Decision) -> None:
    made = verdict(report(passed(), started_at=NOW - timedelta(days=1), finished_at=NOW - age))
    assert made.decision is decision


def test_the_evidence_of_a_verdict_is_as_old_as_its_oldest_report() -> None:
    policy = Gate(required=("smoke", "security"))
    old = NOW - timedelta(minutes=30)
    made = verdict(
        report(passed(), started_at=old, finished_at=old),
        report(passed("security/hsts"), stage="security"),
        policy=policy,
    )
    assert (made.decision, made.evidence_from, made.decided_at) == (Decision.GO, old, NOW)


def test_without_preflight_nothing_is_bound_to_the_subject() -> None:
    made = decide(POLICY, SUBJECT, [report(passed())], now=NOW)
    assert made.decision is Decision.HOLD
    assert "preflight" in messages(made)


def test_no_go_beats_hold_and_both_reasons_are_told() -> None:
    made = verdict(report(failed("smoke/a"), errored("smoke/b")))
    assert made.decision is Decision.NO_GO
    assert {r.decision for r in made.reasons} == {Decision.NO_GO, Decision.HOLD}
    assert not made.notes, "a reason is not told again as a note"


def test_a_finding_about_another_subject_is_not_held_against_this_one() -> None:
    other = report(failed(), subject=SUBJECT.model_copy(update={"commit": "b" * 40}))
    assert verdict(other).decision is Decision.HOLD


@given(found=st.sampled_from(Severity), fail_on=st.sampled_from(Severity))
def test_the_threshold_decides_which_findings_count(found: Severity, fail_on: Severity) -> None:
    made = verdict(report(failed(severity=found)), policy=Gate(required=("smoke",), fail_on=fail_on))
    if found.rank >= fail_on.rank:
        assert made.decision is Decision.NO_GO
        assert not made.notes
    else:
        assert made.decision is Decision.GO
        assert any(note.rule == "minor" for note in made.notes)


def waiver(fingerprint: str, expires: date) -> Gate:
    accepted = Waiver(fingerprint=fingerprint, owner="ana", reason="known", expires=expires)
    return Gate(required=("smoke",), waivers=(accepted,))


def test_a_waiver_holds_until_its_last_day() -> None:
    bad = failed()
    print_ = bad.findings[0].fingerprint
    made = verdict(report(bad), policy=waiver(print_, NOW.date()))
    assert made.decision is Decision.GO
    assert "waived by ana" in made.notes[0].message
    made = verdict(report(bad), policy=waiver(print_, NOW.date() - timedelta(days=1)))
    assert made.decision is Decision.NO_GO
    assert any("expired" in note.message for note in made.notes)


def test_a_waiver_of_nothing_is_reported() -> None:
    made = verdict(report(passed()), policy=waiver("0" * 16, NOW.date()))
    assert made.decision is Decision.GO
    assert any("meets no finding" in note.message for note in made.notes)


def test_a_required_check_must_not_be_skipped_or_missing() -> None:
    policy = Gate(required=("smoke", "smoke/login"))
    assert "was skipped" in messages(verdict(report(passed(), skipped("smoke/login")), policy=policy))
    assert "has no result" in messages(verdict(report(passed()), policy=policy))
    assert verdict(report(passed("smoke/login")), policy=policy).decision is Decision.GO


def test_a_verdict_over_fewer_stages_says_that_it_is_partial() -> None:
    policy = Gate(required=("smoke", "security"))
    made = verdict(report(passed()), policy=policy, only=("smoke",))
    assert made.decision is Decision.GO
    assert made.partial
    assert "security" in made.notes[0].message
    assert not verdict(report(passed()), only=("smoke",)).partial
    single = Gate(required=("smoke", "security/hsts"))
    assert verdict(report(passed()), policy=single, only=("smoke",)).decision is Decision.GO


def test_asking_for_no_stage_is_hold() -> None:
    assert verdict(report(passed()), only=()).decision is Decision.HOLD


def test_flaky_skipped_and_optional_errors_are_told() -> None:
    made = verdict(
        report(passed("smoke/a", attempts=2), skipped("smoke/b")),
        report(errored("security/hsts"), stage="security"),
    )
    assert made.decision is Decision.GO
    assert {note.rule for note in made.notes} == {"flaky", "skipped", "no-errors"}


RESULTS = {Outcome.PASS: passed, Outcome.FAIL: failed, Outcome.ERROR: errored, Outcome.SKIP: skipped}


@given(outcomes=st.lists(st.sampled_from(Outcome), max_size=6))
def test_go_never_comes_of_anything_but_passes(outcomes: list[Outcome]) -> None:
    made = verdict(report(*(RESULTS[o](f"smoke/c{i}") for i, o in enumerate(outcomes))))
    if Outcome.FAIL in outcomes:
        assert made.decision is Decision.NO_GO
    elif Outcome.ERROR in outcomes or Outcome.PASS not in outcomes:
        assert made.decision is Decision.HOLD
    else:
        assert made.decision is Decision.GO
