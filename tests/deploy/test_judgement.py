"""The pure part: who serves, whose job it is, what may be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.deploy.answers import Deployment, Project
from ci.deploy.judgement import (
    Arrival,
    Move,
    cause_outside,
    changed_since,
    judge_move,
    judge_verdict,
    may_roll_back,
    obstacle,
    older,
    pinned,
    unfit,
    unfit_to_return,
    who_serves,
)
from ci.deploy.transitions import EXIT_CODES, OPEN_ENDS, TABLE, Phase, Signal, mermaid
from ci.model import Decision, ErrorKind, Reason, ReleaseEnd, Subject, Verdict
from tests.runs import errored, failed, passed, report

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(type_: str = "promote", to: str = "mine", status: str = "succeeded", at: int = 2) -> dict[str, Any]:
    return {"type": type_, "toDeploymentId": to, "jobStatus": status, "requestedAt": at}


def project(*serving: str | None, last: dict[str, Any] | None = None, **more: Any) -> Project:
    domains = [
        {"domain": f"d{i}", "target": "PRODUCTION", "deployment": {"id": name} if name else None}
        for i, name in enumerate(serving)
    ]
    return Project.model_validate({"id": "prj", "alias": domains, "lastAliasRequest": last, **more})


def candidate(**more: Any) -> Deployment:
    fit = {"id": "dpl_1", "url": "u", "projectId": "prj", "target": "production", "readyState": "READY"}
    return Deployment.model_validate({**fit, "readySubstate": "STAGED", "gitSource": {"sha": "a" * 40}, **more})


def test_only_domains_that_show_production_count():
    mapped = [
        {"domain": "a", "environment": "production", "deployment": {"id": "x"}},
        {"domain": "www", "environment": "production", "redirect": "a", "deployment": {"id": "old"}},
        {"domain": "branch", "target": "PRODUCTION", "gitBranch": "dev", "deployment": {"id": "old"}},
        {"domain": "custom", "target": "PRODUCTION", "customEnvironmentId": "env_1", "deployment": {"id": "old"}},
        {"domain": "preview", "target": "PREVIEW", "deployment": {"id": "old"}},
    ]
    assert who_serves(Project.model_validate({"id": "p", "alias": mapped})).one == "x"


def test_a_project_without_domains_is_known_by_its_target():
    assert who_serves(Project.model_validate({"id": "p", "targets": {"production": {"id": "x"}}})).one == "x"
    assert who_serves(Project.model_validate({"id": "p", "alias": None, "targets": None})).nothing


def test_a_domain_without_deployment_splits_production():
    serving = who_serves(project("x", None))
    assert serving.one is None
    assert not serving.nothing
    assert str(serving) == "nothing and x"
    assert who_serves(project("x", "y")).one is None


def test_split_production_is_an_obstacle_and_an_empty_one_is_not():
    assert "split between x and y" in str(obstacle(project("x", "y"), override_pin=True))
    assert "split between nothing and x" in str(obstacle(project("x", None), override_pin=True))
    assert obstacle(project(None, None), override_pin=False) is None
    assert obstacle(project("x", "x"), override_pin=False) is None


@pytest.mark.parametrize("status", ["pending", "in-progress", "something-new"])
def test_a_job_that_has_not_ended_is_an_obstacle(status):
    assert "under way" in str(obstacle(project("x", last=job(status=status)), override_pin=True))


def test_a_pin_is_a_rollback_that_nobody_has_lifted():
    rolled_back = project("x", last=job("rollback", "x"), autoAssignCustomDomains=False)
    assert pinned(rolled_back)
    assert "--override-pin" in str(obstacle(rolled_back, override_pin=False))
    assert obstacle(rolled_back, override_pin=True) is None
    assert not pinned(project("x", last=job("rollback", "x"), autoAssignCustomDomains=True))
    assert not pinned(project("x", last=job("promote", "x"), autoAssignCustomDomains=False))
    assert not pinned(project("x", last=job("rollback", "x", "failed"), autoAssignCustomDomains=False))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"projectId": "prj_2"}, "belongs to project"),
        ({"projectId": None}, "belongs to project"),
        ({"target": None}, "preview"),
        ({"target": "staging"}, "staging"),
        ({"readyState": "BUILDING"}, "BUILDING"),
        ({"readyState": "SOMETHING_NEW"}, "SOMETHING_NEW"),
        ({"readySubstate": "PROMOTED"}, "not STAGED"),
        ({"readySubstate": "ROLLING"}, "not STAGED"),
        ({"readySubstate": None}, "not STAGED"),
        ({"gitSource": None}, "does not say which commit"),
        ({"gitSource": {"sha": "b" * 40}}, "built from commit bbbb"),
        ({"checksConclusion": "failed"}, "own checks"),
        ({"checksConclusion": "canceled"}, "own checks"),
    ],
)
def test_a_candidate_must_be_staged_production_of_this_project_and_commit(changes, told):
    assert unfit(candidate(), "prj", "a" * 40) is None
    assert unfit(candidate(), "prj", None) is None
    assert told in str(unfit(candidate(**changes), "prj", "a" * 40))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"projectId": "prj_2"}, "of prj_2"),
        ({"target": None}, "for preview"),
        ({"readyState": "ERROR"}, "found ERROR"),
        ({"readySubstate": "STAGED"}, "never served production"),
    ],
)
def test_production_goes_back_only_to_what_has_served_it(changes, told):
    fit = {"readySubstate": "PROMOTED"}
    assert unfit_to_return(candidate(**fit), "prj") is None
    assert told in str(unfit_to_return(candidate(**{**fit, **changes}), "prj"))


def test_the_commit_comes_from_git_first_then_from_the_metadata():
    assert candidate(meta={"gonogoCommit": "c"}).commit == "a" * 40
    assert candidate(gitSource=None, meta={"gonogoCommit": "c", "githubCommitSha": "d"}).commit == "c"
    assert candidate(gitSource=None, meta={"githubCommitSha": "d"}).commit == "d"


@pytest.mark.parametrize(
    ("descends", "precedes", "created", "is_older"),
    [
        (True, False, 1, False),
        (False, True, 9, True),
        (None, None, 1, True),
        (None, None, 9, False),
        (False, False, 1, True),
        (False, False, 9, False),
        (None, None, 5, False),
    ],
)
def test_git_decides_what_is_older_and_time_where_git_does_not_know(descends, precedes, created, is_older):
    current = candidate(gitSource={"sha": "b" * 40}, createdAt=5)
    assert older(candidate(createdAt=created), current, descends=descends, precedes=precedes) is is_older


def test_the_same_commit_again_is_not_older():
    assert not older(candidate(createdAt=1), candidate(createdAt=5), descends=None, precedes=None)
    nameless = {"gitSource": None}
    assert older(candidate(createdAt=1, **nameless), candidate(createdAt=5, **nameless), descends=None, precedes=None)


def verdict(**changes: Any) -> Verdict:
    subject = Subject(url="u", commit="a", deployment_id="d")
    facts = {"decision": Decision.GO, "subject": subject, "stages": ("smoke",), "decided_at": NOW, "evidence_from": NOW}
    return Verdict(**{**facts, **changes})


def reason(decision: Decision) -> tuple[Reason, ...]:
    return (Reason(rule="r", message="m", decision=decision),)


@pytest.mark.parametrize(
    ("changes", "signal"),
    [
        ({}, Signal.GO),
        ({"decision": Decision.NO_GO, "reasons": reason(Decision.NO_GO)}, Signal.NO_GO),
        ({"decision": Decision.HOLD, "reasons": reason(Decision.HOLD)}, Signal.NOT_GO),
        ({"partial": True}, Signal.NOT_GO),
        ({"evidence_from": NOW - timedelta(minutes=61)}, Signal.NOT_GO),
        ({"decided_at": NOW - timedelta(minutes=61)}, Signal.NOT_GO),
        ({"evidence_from": NOW - timedelta(minutes=60)}, Signal.GO),
        ({"evidence_from": NOW + timedelta(minutes=5), "decided_at": NOW + timedelta(minutes=5)}, Signal.GO),
        ({"evidence_from": NOW + timedelta(minutes=6), "decided_at": NOW + timedelta(minutes=6)}, Signal.NOT_GO),
        ({"subject": Subject(url="u", commit="a", deployment_id="e")}, Signal.NOT_GO),
        ({"subject": Subject(url="u", commit="b", deployment_id="d")}, Signal.NOT_GO),
        ({"subject": Subject(url="elsewhere", commit="a", deployment_id="d")}, Signal.NOT_GO),
        ({"subject": Subject(url="u")}, Signal.NOT_GO),
        ({"subject": Subject(url="u", deployment_id="d")}, Signal.NOT_GO),
    ],
)
def test_only_a_fresh_whole_go_about_this_very_deployment_counts(changes, signal):
    subject = Subject(url="u", commit="a", deployment_id="d")
    assert judge_verdict(verdict(**changes), subject, NOW, timedelta(hours=1))[0] is signal


MOVE = Move(type="promote", to="mine", away_from="prev", job_before=1)


@pytest.mark.parametrize(
    ("serving", "last", "arrival"),
    [
        (("mine", "mine"), job(), Arrival.THERE),
        (("mine", "prev"), job(), Arrival.UNDER_WAY),
        (("mine", "mine"), job(status="in-progress"), Arrival.UNDER_WAY),
        (("mine", "mine"), job(status="something-new"), Arrival.UNDER_WAY),
        (("mine", "mine"), None, Arrival.UNDER_WAY),
        (("mine", "mine"), job(at=1), Arrival.UNDER_WAY),
        (("prev", "prev"), job(status="pending"), Arrival.UNDER_WAY),
        (("prev", "prev"), job(), Arrival.UNDER_WAY),
        (("prev", "prev"), None, Arrival.NO_TRACE),
        (("prev", "prev"), job(to="old", at=1), Arrival.NO_TRACE),
        (("prev", "prev"), job(status="failed"), Arrival.FAILED_UNTOUCHED),
        (("prev", "prev"), job(status="skipped"), Arrival.FAILED_UNTOUCHED),
        (("mine", "prev"), job(status="failed"), Arrival.FAILED_MIXED),
        (("mine", "mine"), job(status="failed"), Arrival.FAILED_MIXED),
        (("mine", "third"), job(), Arrival.TAKEN_OVER),
        (("prev", "prev"), job(to="third", status="pending"), Arrival.TAKEN_OVER),
        (("mine", "mine"), job("rollback"), Arrival.TAKEN_OVER),
        (("mine", "mine"), job("rollback", "prev", "pending"), Arrival.TAKEN_OVER),
    ],
)
def test_a_move_has_arrived_when_job_and_every_domain_say_so(serving, last, arrival):
    assert judge_move(MOVE, project(*serving, last=last)) is arrival


def test_what_the_api_calls_current_is_believed_by_the_domains():
    current = Move(type="promote", to="mine", away_from="prev", job_before=1, by_domains=True)
    assert judge_move(current, project("mine", last=job(at=1))) is Arrival.THERE
    assert judge_move(current, project("prev", last=job(at=1))) is Arrival.NO_TRACE


@given(
    serving=st.lists(st.sampled_from(["mine", "prev", "third", None]), min_size=1, max_size=3),
    type_=st.sampled_from(["promote", "rollback", "new"]),
    to=st.sampled_from(["mine", "prev", "third"]),
    status=st.sampled_from(["pending", "in-progress", "succeeded", "failed", "skipped", "new"]),
    at=st.integers(0, 3),
    by_domains=st.booleans(),
)
def test_nothing_but_a_full_switch_by_our_job_arrives(serving, type_, to, status, at, by_domains):
    move = Move(type="promote", to="mine", away_from="prev", job_before=1, by_domains=by_domains)
    if judge_move(move, project(*serving, last=job(type_, to, status, at))) is Arrival.THERE:
        assert set(serving) == {"mine"}
        assert by_domains or ((type_, to, status) == ("promote", "mine", "succeeded") and at != 1)


def test_changes_since_are_a_new_job_or_another_map():
    assert changed_since(project("prev", last=job(at=1)), "prev", 1) is None
    assert changed_since(project(None), None, None) is None
    assert "asked for a promote to third" in str(changed_since(project("prev", last=job(to="third")), "prev", 1))
    assert "now served by third" in str(changed_since(project("third", last=job(at=1)), "prev", 1))
    assert "now served by prev and third" in str(changed_since(project("prev", "third"), "prev", None))


def test_only_what_is_wholly_ours_may_be_rolled_back():
    assert may_roll_back(project("mine", "mine", last=job()), "mine", 2) is None
    assert may_roll_back(project("mine", "third", last=job()), "mine", 2)
    assert may_roll_back(project("third", last=job()), "mine", 2)
    assert may_roll_back(project("mine", last=job("rollback", "prev", "pending", at=3)), "mine", 2)


def test_the_cause_lies_outside_when_everything_that_fails_failed_before():
    both = report(failed("smoke/a"), passed("smoke/b"))
    assert cause_outside(both, report(failed("smoke/a"), failed("smoke/b")))
    assert not cause_outside(report(failed("smoke/a"), failed("smoke/b")), both)
    assert not cause_outside(report(failed("smoke/a")), report(passed("smoke/a")))
    assert not cause_outside(report(passed("smoke/a")), report(failed("smoke/a")))
    wall, cut_off = errored("smoke/a", ErrorKind.LOGIN_WALL), errored("smoke/a", ErrorKind.UNREACHABLE)
    assert cause_outside(report(cut_off), report(cut_off))
    assert not cause_outside(report(cut_off), report(wall)), "a login wall before the old one explains nothing"


def test_every_phase_can_be_reached_and_left_and_every_end_can_be_reached():
    reached = set(TABLE.values()) | {Phase.PREFLIGHT}
    assert set(Phase) <= reached
    assert set(ReleaseEnd) <= reached
    assert {phase for phase, _ in TABLE} == set(Phase)
    assert {signal for _, signal in TABLE} == set(Signal)


def test_nothing_is_promoted_but_after_a_go_and_a_recheck():
    into = {(phase, signal) for (phase, signal), target in TABLE.items() if target is Phase.PROMOTE}
    assert into == {(Phase.RECHECK, Signal.UNCHANGED)}
    assert [key for key, target in TABLE.items() if target is Phase.RECHECK] == [(Phase.TEST, Signal.GO)]
    assert [key for key, target in TABLE.items() if target is ReleaseEnd.PROMOTED] == [(Phase.FINISH, Signal.DONE)]


def test_every_end_has_an_exit_code_and_only_success_is_zero():
    assert set(EXIT_CODES) == set(ReleaseEnd)
    assert [end for end, code in EXIT_CODES.items() if code == 0] == [ReleaseEnd.PROMOTED]
    assert OPEN_ENDS.isdisjoint({ReleaseEnd.PROMOTED, ReleaseEnd.ROLLED_BACK, ReleaseEnd.ROLLBACK_FAILED})


def test_the_diagram_shows_every_transition():
    drawn = mermaid()
    name = lambda state: state.value.replace("-", "")  # noqa: E731
    for (phase, signal), target in TABLE.items():
        line = next(x for x in drawn.splitlines() if x.strip().startswith(f"{name(phase)} --> {name(target)}:"))
        assert signal.value in line
    assert drawn.startswith("stateDiagram-v2\n")
    for start, end in product(ReleaseEnd, ["[*]"]):
        assert f"{name(start)} --> {end}" in drawn
