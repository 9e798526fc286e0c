"""The one job whose colour counts: nothing that did not happen is green."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.deploy.transitions import EXIT_CODES
from ci.errors import CannotRun
from ci.model import ReleaseEnd
from ci.workflow.enforcing import enforce, results
from ci.workflow.routes import JOBS, Route

ALL = sorted({job for jobs in JOBS.values() for job in jobs})


def needs(route: Route, **changes: Any) -> str:
    """The results of a run in which everything went well, but for the changes."""
    planned = JOBS[route]
    jobs: dict[str, Any] = {
        name: {"result": "success" if name in planned else "skipped", "outputs": {}} for name in ALL
    }
    if "gate" in planned:
        jobs["gate"]["outputs"] = {"verdict": "GO"}
    jobs["plan"] = {"result": "success", "outputs": {"route": route, "jobs": json.dumps(planned)}}
    for name, change in changes.items():
        jobs[name] = {**jobs[name], **change}
    return json.dumps(jobs)


@pytest.mark.parametrize("route", list(Route))
def test_as_planned_is_green(route: Route) -> None:
    assert enforce(needs(route)) == (0, (), route)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(list(Route)), st.data())
def test_any_other_result_is_not(route: Route, data: st.DataObject) -> None:
    job = data.draw(st.sampled_from([*ALL, "plan"]))
    fine = "success" if job in (*JOBS[route], "plan") else "skipped"
    result = data.draw(st.sampled_from(sorted({"success", "failure", "cancelled", "skipped", "neutral", ""} - {fine})))
    ruling = enforce(needs(route, **{job: {"result": result}}))
    assert ruling.code != 0
    assert ruling.problems


@pytest.mark.parametrize(("verdict", "code"), [("NO-GO", 1), ("HOLD", 3), ("", 3), (None, 3), ("go", 3), ("GO ", 3)])
def test_a_gate_without_go_is_not(verdict: str | None, code: int) -> None:
    ruling = enforce(needs(Route.PRODUCTION, gate={"outputs": {"verdict": verdict}}, production={"result": "skipped"}))
    assert ruling.code == code
    assert ruling.problems[0].startswith("gate: ")


@pytest.mark.parametrize(
    ("end", "code"),
    [*((end, code) for end, code in EXIT_CODES.items() if code and end is not ReleaseEnd.NO_GO), ("nonsense", 1)],
)
def test_how_a_release_ended_is_said(end: str, code: int) -> None:
    ruling = enforce(needs(Route.PRODUCTION, production={"result": "failure", "outputs": {"end": end}}))
    assert ruling.code == code
    if end in set(ReleaseEnd):
        green = enforce(needs(Route.PRODUCTION, production={"result": "success", "outputs": {"end": end}}))
        assert green.code == code


@pytest.mark.parametrize(("route", "jobs"), [("production", "[]"), ("production", '["tests"]'), ("x", "[]")])
def test_a_plan_that_demands_less_than_its_route(route: str, jobs: str) -> None:
    ruling = enforce(needs(Route.OURS, plan={"outputs": {"route": route, "jobs": jobs}}))
    assert ruling.code == 3
    assert "nobody knows what had to run" in ruling.problems[0]


def test_a_planned_job_that_is_not_there() -> None:
    jobs = json.loads(needs(Route.PRODUCTION))
    del jobs["tests"]
    ruling = enforce(json.dumps(jobs))
    assert (ruling.code, ruling.problems) == (3, ("tests: was planned, but there is no such job",))


def test_jobs_that_left_no_outputs() -> None:
    """A skipped job may have `null` for its outputs."""
    jobs = json.loads(needs(Route.CODE))
    for name in set(jobs) - {"plan"}:
        jobs[name]["outputs"] = None
    assert enforce(json.dumps(jobs)).code == 0
    assert results(json.dumps(jobs))["tests"] == "success"


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"plan": 1}', "null"])
def test_results_that_cannot_be_read(text: str) -> None:
    with pytest.raises(CannotRun):
        enforce(text)
    assert results(text) == {}


def test_a_plan_without_jobs_demands_something_all_the_same() -> None:
    assert enforce("{}").code == 3
    with pytest.raises(CannotRun, match="names no jobs"):
        enforce(needs(Route.CODE, plan={"outputs": {}}))
    assert enforce(needs(Route.CODE, plan={"result": "failure", "outputs": None})).code == 3
