"""What the workflows cost: minutes of GitHub's runners per month, computed from the files.

GitHub bills each job of a private repository in whole minutes, rounded up, and gives every plan some of them; standard
runners of public repositories cost nothing. (GitHub Docs: "Billing for GitHub Actions", "Actions runner pricing".)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import yaml

from ci.errors import ConfigError
from ci.workflow.cron import Cron

PRICE_PER_MINUTE = 0.006
"""US dollars for a minute of the Linux runner with two cores."""
ROUTED = "ci-cd.yml"
"""The workflow in which each run takes one of several routes."""
INCLUDED = {"free": 2_000, "team": 3_000, "enterprise": 50_000}
"""Minutes a month that each plan has for private repositories."""
DEFAULT_TIMEOUT_MINUTES = 360
"""GitHub's own limit for a job that states none."""
STATED: Mapping[str, int] = {
    "ci-cd.yml/plan": 25,
    "ci-cd.yml/tests": 420,
    "ci-cd.yml/code": 75,
    "ci-cd.yml/stage": 150,
    "ci-cd.yml/tell": 30,
    "ci-cd.yml/staging": 35,
    "ci-cd.yml/production": 100,
    "ci-cd.yml/rollback": 60,
    "ci-cd.yml/reconcile": 60,
    "ci-cd.yml/verify": 60,
    "ci-cd.yml/rehearsal": 150,
    "ci-cd.yml/fork": 150,
    "ci-cd.yml/enforce": 15,
    "gate.yml/gate": 150,
    "monitoring.yml/round": 45,
    "nightly.yml/load": 900,
    "nightly.yml/history": 120,
    "nightly.yml/freshness": 45,
    "security-scan.yml/scan": 90,
}
"""Seconds that a job is expected to take, set-up from the cache included; `measured` takes their place."""

Source = Literal["stated", "measured", "its time limit"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it is billed. `workflow`: the file that defines it."""

    workflow: str
    id: str
    seconds: float
    source: Source

    @property
    def billed(self) -> int:
        """Minutes, rounded up as GitHub does."""
        return max(1, ceil(self.seconds / 60))


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of run. `runs`: how many a month."""

    workflow: str
    occasion: str
    runs: float
    jobs: tuple[Job, ...]

    @property
    def seconds(self) -> float:
        """Of runners' time per run."""
        return sum(job.seconds for job in self.jobs)

    @property
    def billed(self) -> int:
        """Minutes per run."""
        return sum(job.billed for job in self.jobs)

    @property
    def per_month(self) -> float:
        """Minutes billed a month."""
        return self.billed * self.runs


@dataclass(frozen=True, slots=True)
class Bill:
    """All lines, and what they come to."""

    lines: tuple[Line, ...]
    private: bool
    plan: str

    @property
    def minutes(self) -> float:
        """Minutes a month, as they are billed."""
        return sum(line.per_month for line in self.lines)

    @property
    def included(self) -> int:
        """Minutes that the plan has."""
        return INCLUDED[self.plan]

    @property
    def dollars(self) -> float:
        """What is to be paid a month."""
        return max(0.0, self.minutes - self.included) * PRICE_PER_MINUTE if self.private else 0.0

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        lines = [
            {
                "workflow": line.workflow,
                "occasion": line.occasion,
                "runs_per_month": round(line.runs, 2),
                "seconds_per_run": round(line.seconds),
                "billed_minutes_per_run": line.billed,
                "billed_minutes_per_month": round(line.per_month),
                "jobs": [
                    {"job": f"{job.workflow}/{job.id}", "seconds": round(job.seconds), "source": job.source}
                    for job in line.jobs
                ],
            }
            for line in self.lines
        ]
        return {
            "lines": lines,
            "minutes_per_month": round(self.minutes),
            "private": self.private,
            "plan": self.plan,
            "included_minutes": self.included,
            "dollars_per_month": round(self.dollars, 2),
        }


def bill(
    folder: Path,
    *,
    routes: Mapping[str, Sequence[str]],
    runs: Mapping[str, float],
    pushes: Mapping[str, float],
    measured: Mapping[str, float] | None = None,
    private: bool = True,
    plan: str = "free",
) -> Bill:
    """What the workflows in `folder` cost a month.

    `routes`: the jobs of ci-cd.yml by the route that a run takes; `runs`: how often each is taken in a month;
    `pushes`: how often each branch is pushed to, for the other workflows that start with that.
    A job that is neither measured nor stated counts with its time limit. Raises ConfigError for files that are not
    understood.
    """
    files = {path.name: _read(path) for path in sorted(folder.glob("*.yml"))}
    if not files:
        raise ConfigError(f"there are no workflows in {folder}; wanted: files that end in .yml")
    times = _Times(measured or {})
    lines: list[Line] = []
    for name, file in files.items():
        jobs = {id_: _jobs(name, id_, files, times) for id_ in file["jobs"]}
        lines += _by_route(name, jobs, routes, runs) if name == ROUTED else _by_trigger(name, file, jobs, pushes)
    return Bill(tuple(lines), private, plan)


def _by_route(
    name: str, jobs: Mapping[str, Sequence[Job]], routes: Mapping[str, Sequence[str]], runs: Mapping[str, float]
) -> Iterator[Line]:
    for route, chosen in routes.items():
        if not runs.get(route):
            continue
        if unknown := sorted(set(chosen) - jobs.keys()):
            raise ConfigError(f"{name} has no job {unknown[0]}, which the route {route} takes")
        yield Line(name, route, runs[route], tuple(job for id_ in chosen for job in jobs[id_]))


def _by_trigger(
    name: str, file: Mapping[str, Any], jobs: Mapping[str, Sequence[Job]], pushes: Mapping[str, float]
) -> Iterator[Line]:
    """All jobs, as often as the clock and pushes start them."""
    whole = tuple(job for found in jobs.values() for job in found)
    for cron in _crons(file):
        yield Line(name, f"schedule {cron}", _parsed(name, cron).per_month, whole)
    if "push" in file["on"]:
        yield Line(name, "push", sum(pushes.get(branch, 0) for branch in _branches(file, pushes)), whole)


def measured_durations(path: Path) -> dict[str, float]:
    """Mean seconds per job, from GitHub's own answers about runs: `GET /repos/…/actions/runs/{id}/jobs`, one or many.

    Only jobs that ended in success are counted. Raises ConfigError for a file that is something else.
    """
    try:
        answers = json.loads(path.read_text())
        found: dict[str, list[float]] = {}
        for answer in answers if isinstance(answers, list) else [answers]:
            for job in answer["jobs"]:
                if job["conclusion"] == "success":
                    found.setdefault(job["name"].rpartition(" / ")[2], []).append(_seconds(job))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        wanted = "wanted: what `gh api repos/OWNER/NAME/actions/runs/ID/jobs` prints"
        raise ConfigError(
            f"{path} cannot be read as durations of jobs ({type(error).__name__}: {error}); {wanted}"
        ) from None
    if not found:
        raise ConfigError(f"{path} holds no job that ended in success, so nothing was measured")
    return {name: fmean(values) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class _Times:
    measured: Mapping[str, float]

    def of(self, workflow: str, id_: str, job: Mapping[str, Any]) -> Job:
        for name in (id_, str(job.get("name", id_))):
            if name in self.measured:
                return Job(workflow, id_, self.measured[name], "measured")
        if (stated := STATED.get(f"{workflow}/{id_}")) is not None:
            return Job(workflow, id_, stated, "stated")
        limit = job.get("timeout-minutes", DEFAULT_TIMEOUT_MINUTES)
        return Job(workflow, id_, float(limit) * 60, "its time limit")


def _jobs(workflow: str, id_: str, files: Mapping[str, Any], times: _Times) -> tuple[Job, ...]:
    """The jobs that are billed: a job that calls another workflow costs nothing itself."""
    job = files[workflow]["jobs"][id_]
    called = str(job.get("uses", "")).rpartition("/")[2]
    if not called:
        return (times.of(workflow, id_, job),)
    if called not in files:
        raise ConfigError(f"{workflow}: the job {id_} calls {called}, which is not there")
    return tuple(item for inner in files[called]["jobs"] for item in _jobs(called, inner, files, times))


def _read(path: Path) -> dict[str, Any]:
    try:
        file = yaml.safe_load(path.read_text())
        # YAML 1.1 takes the key `on` for a boolean.
        return {"on": file.get("on", file.get(True)) or {}, "jobs": dict(file["jobs"])}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path} is no workflow that can be understood: {error}") from None


def _crons(file: Mapping[str, Any]) -> Iterable[str]:
    on = file["on"]
    schedule = on.get("schedule", ()) if isinstance(on, dict) else ()
    return [str(item["cron"]) for item in schedule]


def _parsed(name: str, cron: str) -> Cron:
    try:
        return Cron.parse(cron)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def _branches(file: Mapping[str, Any], all_: Iterable[str]) -> Iterable[str]:
    """The branches whose pushes start this workflow."""
    push = file["on"].get("push") if isinstance(file["on"], dict) else None
    named: Iterable[str] = (push or {}).get("branches", all_)
    return named


def _seconds(job: Mapping[str, Any]) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(job["completed_at"]) - datetime.fromisoformat(job["started_at"])).total_seconds()
