"""What the workflows cost, computed by hand and by the program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.cli.minutes import minutes
from ci.errors import ConfigError
from ci.workflow.cron import Cron
from ci.workflow.minutes import STATED, Job, bill, measured_durations
from tests.workflow.adopting import PAGE, ROOT, TABLE, renewed

WORKFLOWS = ROOT / ".github" / "workflows"
CI = """
on: {push: {branches: [main]}}
jobs:
  plan: {runs-on: x, timeout-minutes: 1, steps: []}
  work: {runs-on: x, timeout-minutes: 5, steps: []}
  judge: {uses: ./.github/workflows/called.yml}
  enforce: {runs-on: x, timeout-minutes: 2, steps: []}
"""
CALLED = "on: {workflow_call: {}}\njobs: {inner: {runs-on: x, timeout-minutes: 3, steps: []}}"
ROUND = """
on:
  schedule: [{cron: "7,22,37,52 * * * *"}]
  push: {branches: [main, develop]}
jobs: {round: {runs-on: x, steps: []}}
"""
ROUTES = {"production": ("plan", "work", "judge", "enforce"), "code": ("plan", "enforce")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"ci-cd.yml": CI, "called.yml": CALLED, "round.yml": ROUND}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_job_is_rounded_up(folder: Path) -> None:
    measured = {"plan": 5.0, "work": 61.0, "inner": 60.0, "enforce": 0.0, "round": 20.0}
    made = bill(
        folder,
        routes=ROUTES,
        runs={"production": 10, "code": 3},
        pushes={"main": 10, "develop": 5},
        measured=measured,
    )
    told = {(line.workflow, line.occasion): (line.runs, line.billed, line.per_month) for line in made.lines}
    assert told[("ci-cd.yml", "production")] == (10, 1 + 2 + 1 + 1, 50)
    assert told[("ci-cd.yml", "code")] == (3, 2, 6)
    assert told[("round.yml", "push")] == (15, 1, 15)
    assert told[("round.yml", "schedule 7,22,37,52 * * * *")] == (2922, 1, 2922)
    assert made.minutes == 50 + 6 + 15 + 2922
    assert made.dollars == pytest.approx((2993 - 2000) * 0.006)
    assert {job.source for line in made.lines for job in line.jobs} == {"measured"}


def test_what_nobody_has_stated_counts_with_its_limit(folder: Path) -> None:
    made = bill(folder, routes=ROUTES, runs={"production": 1}, pushes={})
    [production] = [line for line in made.lines if line.workflow == "ci-cd.yml"]
    work = next(job for job in production.jobs if job.id == "work")
    assert (work.seconds, work.source) == (300, "its time limit")
    lonely = next(job for line in made.lines for job in line.jobs if job.id == "round")
    assert lonely.billed == 360


def test_a_public_repository_pays_nothing(folder: Path) -> None:
    made = bill(folder, routes=ROUTES, runs={}, pushes={"main": 10_000}, private=False)
    assert made.minutes > 10_000
    assert made.dollars == 0


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("ci-cd.yml", "jobs: {plan: {}}\non: push", "has no job"),
        ("ci-cd.yml", CI.replace("called.yml", "gone.yml"), "gone.yml, which is not there"),
        ("round.yml", "{", "no workflow that can be understood"),
        ("round.yml", ROUND.replace("7,22,37,52 *", "61 *"), "outside 0 to 59"),
    ],
)
def test_what_is_not_understood_is_said(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(ConfigError, match=said):
        bill(folder, routes=ROUTES, runs={"production": 1}, pushes={})


def test_an_empty_folder_costs_not_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no workflows"):
        bill(tmp_path, routes=ROUTES, runs={}, pushes={})


def _job(name: str, end: str, conclusion: str = "success") -> dict[str, str]:
    started = "2026-01-01T00:00:00Z"
    return {"name": name, "conclusion": conclusion, "started_at": started, "completed_at": f"2026-01-01T{end}Z"}


def test_measured_durations_are_means_of_successes(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    first = {"jobs": [_job("Plan", "00:00:20"), _job("Gate / Stages", "00:02:00"), _job("Plan", "00:09:00", "failure")]}
    path.write_text(json.dumps([first, {"jobs": [_job("Plan", "00:00:40")]}]))
    assert measured_durations(path) == {"Plan": 30, "Stages": 120}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"jobs": []}', '{"jobs": [{"name": "x"}]}', '{"jobs": 3}', "3", '[["jobs"]]']
)
def test_what_holds_no_duration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(text)
    with pytest.raises(ConfigError):
        measured_durations(path)


@pytest.mark.parametrize(
    ("cron", "per_month"),
    [
        ("0 0 * * *", 1461 / 48),
        ("*/15 * * * *", 96 * 1461 / 48),
        ("0 12 1 * *", 1),
        ("0 0 29 feb *", 1 / 48),
        ("5 4 * * sun", 208 / 48),
        ("5 4 * * 7", 208 / 48),
        ("0 0 1-7 * mon-fri", None),
    ],
)
def test_how_often_a_schedule_fires(cron: str, per_month: float | None) -> None:
    found = Cron.parse(cron).per_month
    if per_month is None:  # either kind of day will do, so it is more than the weekdays alone
        assert found > Cron.parse("0 0 * * mon-fri").per_month
    else:
        assert found == pytest.approx(per_month, abs=0.05)


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "60 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "1-2-3 * * * *"]
)
def test_a_wrong_schedule_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        Cron.parse(cron)


@given(st.text(alphabet="0123456789*/-, abcjunmo", max_size=20))
@settings(max_examples=100)
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        made = Cron.parse(text)
    except ValueError:
        return
    assert made.minutes
    assert made.hours


@given(st.floats(min_value=0, max_value=20_000))
@settings(max_examples=100)
def test_billed_minutes_are_the_next_whole_ones(seconds: float) -> None:
    billed = Job("x", "y", seconds, "measured").billed
    assert billed * 60 >= seconds
    assert billed == 1 or (billed - 1) * 60 < seconds


def test_every_job_of_the_workflows_has_a_stated_duration() -> None:
    jobs = {
        f"{path.name}/{name}"
        for path in WORKFLOWS.glob("*.yml")
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
        if "uses" not in job
    }
    assert jobs
    assert jobs <= STATED.keys()


def test_the_command_tells_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = CliRunner().invoke(minutes, ["--main", "10", "--json"])
    assert told.exit_code == 0, told.output
    made = json.loads(told.stdout)
    assert made["minutes_per_month"] == sum(line["billed_minutes_per_month"] for line in made["lines"])
    assert {line["occasion"] for line in made["lines"]} >= {"production", "staging", "preview"}
    told = CliRunner().invoke(minutes, ["--by-vercel", "--public"])
    assert "| ready" in told.stdout
    assert "cost nothing" in told.stdout


def test_the_tables_of_the_adoption_page_are_what_the_command_prints() -> None:
    page = PAGE.read_text()
    assert len(TABLE.findall(page)) >= 2
    assert renewed(page) == page, "renew them: python -m tests.workflow.adopting"


def test_the_adoption_page_names_every_secret_variable_and_environment() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS.glob("*.yml"))
    page = PAGE.read_text()
    named = set(re.findall(r"\b(?:secrets|vars)\.([A-Z_]+)", text)) - {"GITHUB_TOKEN"}
    environments = set(re.findall(r"environment:\n +name: ([\w-]+)", text))
    assert named
    assert environments
    assert {name for name in named | environments if f"`{name}`" not in page} == set()


def test_the_links_of_the_adoption_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target
