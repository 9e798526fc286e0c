"""Waivers by fingerprint, and by check and path."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from ci.config.shape.gate import Gate, Waiver
from ci.gate.policy import decide
from ci.model import CheckResult, Decision, Finding, Location, Outcome, Severity, StageReport, Verdict
from tests.runs import NOW, SUBJECT, errored, passed, report, skipped, spec

TODAY = NOW.date()
CHECK = "security/python-code"
WHO = {"owner": "ana", "reason": "known", "expires": TODAY}
PREFLIGHT = report(passed("preflight/reachable"), stage="preflight")


def found(*places: str, check: str = CHECK) -> CheckResult:
    findings = tuple(
        Finding(check_id=check, message=f"wrong at {p}", severity=Severity.HIGH, location=Location(path=p))
        for p in places
    )
    return CheckResult(spec=spec(check), outcome=Outcome.FAIL, findings=findings)


def verdict(*reports: StageReport, waivers: tuple[Waiver, ...], **more: object) -> Verdict:
    policy = Gate(required=("security",), waivers=waivers)
    return decide(policy, SUBJECT, (PREFLIGHT, *reports), now=NOW, **more)


def of(*results: CheckResult, **more: object) -> StageReport:
    return report(*results, stage="security", **more)


def notes(made: Verdict) -> str:
    return "\n".join(note.message for note in made.notes if note.rule == "waivers")


@pytest.mark.parametrize(
    ("path", "holds"),
    [("tests/a.py", True), ("tests/*", True), ("*", True), ("tests/b.py", False), ("tests", False), ("a.py", False)],
)
def test_a_check_is_waived_at_a_path(path: str, holds: bool) -> None:
    made = verdict(of(found("tests/a.py")), waivers=(Waiver(check=CHECK, path=path, **WHO),))
    assert made.decision is (Decision.GO if holds else Decision.NO_GO)
    assert ("waived by ana" in notes(made)) is holds
    assert ("meets no finding: remove it" in notes(made)) is not holds


def test_a_waiver_of_one_check_is_none_of_another() -> None:
    made = verdict(
        of(found("a.py", check="security/secrets-tree"), passed(CHECK)), waivers=(Waiver(check=CHECK, path="*", **WHO),)
    )
    assert made.decision is Decision.NO_GO


def test_each_finding_that_a_waiver_meets_is_told() -> None:
    made = verdict(of(found("a.py", "b.py")), waivers=(Waiver(check=CHECK, path="*", **WHO),))
    assert notes(made).count("waived by ana") == 2
    assert len({note.fingerprint for note in made.notes}) == 2


def test_an_expired_waiver_waives_nothing_and_is_told() -> None:
    expired = Waiver(check=CHECK, path="*", **{**WHO, "expires": TODAY - timedelta(days=1)})
    made = verdict(of(found("a.py")), waivers=(expired,))
    assert made.decision is Decision.NO_GO
    assert f"the waiver of ana for {CHECK} at * expired on" in notes(made)
    made = verdict(of(passed(CHECK)), waivers=(expired,))
    assert "expired on" in notes(made)
    assert "remove it" in notes(made)


def test_a_fingerprint_waives_no_other_finding() -> None:
    one = Waiver(fingerprint=found("a.py").findings[0].fingerprint, **WHO)
    made = verdict(of(found("a.py", "b.py")), waivers=(one,))
    assert [reason.message for reason in made.reasons] == ["wrong at b.py"]


def test_one_waiver_that_holds_is_enough() -> None:
    expired = Waiver(check=CHECK, path="*", **{**WHO, "expires": TODAY - timedelta(days=1)})
    holding = Waiver(fingerprint=found("a.py").findings[0].fingerprint, **WHO)
    assert verdict(of(found("a.py")), waivers=(expired, holding)).decision is Decision.GO


@pytest.mark.parametrize("result", [errored(CHECK), skipped(CHECK), passed("security/other")])
def test_a_waiver_of_what_was_not_examined_is_not_called_useless(result: CheckResult) -> None:
    made = verdict(of(result, passed("security/another")), waivers=(Waiver(check=CHECK, path="*", **WHO),))
    assert "not wholly judged here" in notes(made)


def test_a_fingerprint_is_called_useless_only_when_everything_was_judged() -> None:
    waiver = Waiver(fingerprint="0" * 16, **WHO)
    assert "remove it" in notes(verdict(of(passed(CHECK)), waivers=(waiver,)))
    for reports in ((), (of(passed(CHECK), left_out="the live probes"),), (of(passed(CHECK), errored("security/b")),)):
        assert "not wholly judged here" in notes(verdict(*reports, waivers=(waiver,)))


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"check": CHECK},
        {"path": "*"},
        {"fingerprint": "0" * 16, "check": CHECK, "path": "*"},
        {"fingerprint": "0" * 16, "path": "*"},
        {"fingerprint": "0" * 15},
        {"check": "python-code", "path": "*"},
    ],
)
def test_a_waiver_says_in_one_way_what_it_is_for(what: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Waiver.model_validate({**WHO, **what})


def test_a_waiver_needs_an_owner_a_reason_and_a_last_day() -> None:
    for missing in WHO:
        rest = {name: value for name, value in WHO.items() if name != missing}
        with pytest.raises(ValidationError):
            Waiver.model_validate({"fingerprint": "0" * 16, **rest})


def test_a_report_that_leaves_something_out_makes_the_verdict_partial() -> None:
    made = verdict(of(passed(CHECK), left_out="the live probes"), waivers=())
    assert (made.decision, made.partial) == (Decision.GO, True)
    assert "left out: the live probes; this verdict promotes nothing" in made.notes[0].message
    assert not verdict(of(passed(CHECK)), waivers=()).partial


def test_without_a_target_no_preflight_is_demanded_and_the_verdict_is_partial() -> None:
    policy = Gate(required=("security",))
    made = decide(policy, SUBJECT, [of(passed(CHECK))], now=NOW, only=("security",), target=False)
    assert (made.decision, made.partial) == (Decision.GO, True)
    nothing = decide(policy, SUBJECT, [], now=NOW, only=(), target=False)
    assert nothing.decision is Decision.HOLD
