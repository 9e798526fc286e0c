"""What every workflow here must be like, where running it under act would not show it. Pure: text to findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

RUNNER = "ubuntu-24.04"
CRON_MINUTES = {7, 22, 37, 52}
"""Off the marks at which everybody's schedules fire, and GitHub drops some of them."""
LONGEST_MINUTES = 120
FOREIGN_CODE = {"pull_request_target", "workflow_run", "issue_comment"}
"""Events that would run with secrets on what strangers have written."""
GRANTS = {
    "actions: read",
    "contents: read",
    "deployments: write",
    "id-token: write",
    "issues: write",
    "pages: write",
    "pull-requests: write",
    "security-events: write",
    "statuses: write",
}
WIDER = {("monitoring.yml", "contents: write")}
"""Grants that one workflow has a use for: the history of monitoring is a branch."""
TRIGGERS = {
    "ci-cd.yml": {"push", "pull_request", "repository_dispatch", "workflow_dispatch"},
    "gate.yml": {"workflow_call"},
    "security-scan.yml": {"push", "schedule", "workflow_dispatch"},
    "nightly.yml": {"schedule", "workflow_dispatch"},
    "monitoring.yml": {"schedule", "workflow_dispatch", "repository_dispatch"},
}
WRITERS = {
    "gonogo workflow promote": "production",
    "gonogo workflow verify": "rollback",
    "gonogo rollback": "rollback",
    "gonogo reconcile": "rollback",
    "gonogo workflow staging": "staging",
}
"""Commands that move a domain, and the environment whose rules they are under."""
WITHOUT_EVIDENCE = {"plan", "stage", "tell", "staging", "tests", "enforce", "round"}
"""Jobs that leave none; the evidence of a round of monitoring is its history."""
PINS = {
    ("actions/cache", "v5.0.5"): "27d5ce7f107fe9357f9df03efb73ab90386fccae",
    ("actions/checkout", "v7.0.1"): "3d3c42e5aac5ba805825da76410c181273ba90b1",
    ("actions/configure-pages", "v5.0.0"): "983d7736d9b0ae728b81ab479565c72886d7745b",
    ("actions/deploy-pages", "v5.0.0"): "cd2ce8fcbc39b97be8ca5fce6e763baed58fa128",
    ("actions/download-artifact", "v8.0.1"): "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",
    ("actions/setup-node", "v7.0.0"): "820762786026740c76f36085b0efc47a31fe5020",
    ("actions/setup-python", "v7.0.0"): "5fda3b95a4ea91299a34e894583c3862153e4b97",
    ("actions/upload-artifact", "v7.0.1"): "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a",
    ("actions/upload-pages-artifact", "v5.0.0"): "fc324d3547104276b827a68afc52ff2a11cc49c9",
    ("github/codeql-action", "v4.36.2"): "8aad20d150bbac5944a9f9d289da16a4b0d87c1e",
}
"""Tags that were looked up. A tag that is not here (a newer one) is believed; one that is here has this commit."""

Rule = Callable[["File"], Iterator[str]]


@dataclass(frozen=True)
class File:
    """A workflow, or a composite action, as text and as data."""

    name: str
    text: str

    @cached_property
    def data(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.text))

    @property
    def on(self) -> dict[str, Any]:
        """Its triggers; YAML 1.1 takes the key `on` for a boolean."""
        on = self.data.get("on", self.data.get(True))
        return dict.fromkeys(on) if isinstance(on, list) else {on: None} if isinstance(on, str) else on

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return self.data.get("jobs", {})

    @property
    def own_jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs that run here, not in another workflow."""
        return {name: job for name, job in self.jobs.items() if "uses" not in job}

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, job in self.own_jobs.items():
            yield from ((name, step) for step in job["steps"])
        yield from (("action", step) for step in self.data.get("runs", {}).get("steps", ()))


def findings(files: list[File]) -> list[str]:
    """Everything that is not as it must be."""
    found = [f"{file.name}: {problem}" for file in files for rule in FOR_ALL for problem in rule(file)]
    workflows = {file.name: file for file in files if file.jobs}
    found += [f"{file.name}: {problem}" for file in workflows.values() for rule in RULES for problem in rule(file)]
    return found + list(no_more_than_the_caller_may(workflows))


def pinned(file: File) -> Iterator[str]:
    for line in file.text.splitlines():
        used = re.match(r"\s*(?:- )?uses:\s*(\S+)(.*)", line)
        if not used or used[1].startswith(("./", "$/")):
            continue
        exact = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([0-9a-f]{40})", used[1])
        tag = re.fullmatch(r" # (v\d+\.\d+\.\d+)", used[2])
        if not exact or not tag:
            yield f"{used[1]}{used[2]} is not pinned to a commit with its tag beside it"
        elif PINS.get((exact[1], tag[1]), exact[2]) != exact[2]:
            yield f"{exact[1]}: {exact[2]} is not what {tag[1]} was when it was looked up"


def no_expression_in_scripts(file: File) -> Iterator[str]:
    for job, step in file.steps():
        if "${{" in step.get("run", ""):
            yield f"{job}: an expression inside `run:`; wanted: `env:`"


def no_credentials_kept(file: File) -> Iterator[str]:
    for job, step in file.steps():
        if (
            step.get("uses", "").startswith("actions/checkout@")
            and step.get("with", {}).get("persist-credentials") is not False
        ):
            yield f"{job}: checkout keeps the token; wanted: persist-credentials: false"


def no_failure_ignored(file: File) -> Iterator[str]:
    for name, job in file.jobs.items():
        yield from (f"{name}: {key} at the job" for key in ("continue-on-error", "container", "services") if key in job)
    yield from (f"{job}: a step's failure is ignored" for job, step in file.steps() if "continue-on-error" in step)


def permitted(file: File) -> Iterator[str]:
    if file.data.get("permissions") != {}:
        yield "permissions on top; wanted: {}, and grants per job"
    for name, job in file.jobs.items():
        grants = job.get("permissions")
        if not isinstance(grants, dict):
            yield f"{name}: permissions are {grants!r}; wanted: a list of grants"
            continue
        for scope, access in grants.items():
            grant = f"{scope}: {access}"
            if grant not in GRANTS and (file.name, grant) not in WIDER:
                yield f"{name}: {scope}: {access} is more than any job here needs"
    inside: int | None = None
    for number, line in enumerate(file.text.splitlines(), 1):
        indent = len(line) - len(line.lstrip())
        if inside is not None and indent > inside:
            if not re.search(r": (read|write) # \S", line):
                yield f"line {number}: a grant without its reason beside it"
            continue
        inside = indent if re.fullmatch(r"\s+permissions:", line) else None


def bounded(file: File) -> Iterator[str]:
    for name, job in file.own_jobs.items():
        limit = job.get("timeout-minutes")
        if not isinstance(limit, int) or not 0 < limit <= LONGEST_MINUTES:
            yield f"{name}: timeout-minutes is {limit!r}; wanted: at most {LONGEST_MINUTES}"
        if job.get("runs-on") != RUNNER:
            yield f"{name}: runs-on {job.get('runs-on')!r}; wanted: {RUNNER}"


def triggered(file: File) -> Iterator[str]:
    if file.on.keys() != TRIGGERS.get(file.name, set()):
        yield f"starts on {sorted(file.on)}; wanted: {sorted(TRIGGERS.get(file.name, ()))}"
    if foreign := FOREIGN_CODE & file.on.keys():
        yield f"{sorted(foreign)[0]} would run a stranger's code with secrets"
    for item in file.on.get("schedule") or ():
        minutes = re.fullmatch(r"([\d,]+) \S+ \S+ \S+ \S+", item["cron"])
        if not minutes or not {int(n) for n in minutes[1].split(",")} <= CRON_MINUTES:
            yield f"the schedule {item['cron']!r}; wanted: minutes of {sorted(CRON_MINUTES)}, not */n"


def none_cancelled(file: File) -> Iterator[str]:
    """Nothing is ended for something newer, and nothing that waits is dropped for it."""
    own = file.data.get("concurrency", {})
    places = {"on top": own, **{name: job["concurrency"] for name, job in file.jobs.items() if "concurrency" in job}}
    for place, concurrency in places.items():
        if not isinstance(concurrency, dict) or concurrency.get("cancel-in-progress") is not False:
            yield f"{place}: concurrency without `cancel-in-progress: false`"
    often = {"push", "pull_request", "repository_dispatch", "workflow_call"} & file.on.keys()
    if often and "github.run_id" not in str(own.get("group")) and own.get("queue") != "max":
        yield "on top: runs share a group, in which GitHub keeps one that waits and drops the others"
    for name, command in commands(file):
        if command in WRITERS:
            concurrency = file.jobs[name].get("concurrency") or {}
            if concurrency.get("queue") != "max" or "${{" in str(concurrency.get("group", "${{")):
                yield f"{name}: moves a domain, but is in no queue of its own (`queue: max`, a group for all runs)"


def guarded(file: File) -> Iterator[str]:
    """Who moves a domain does so under the rules of its environment, and secrets reach single steps alone."""
    for name, command in commands(file):
        environment = (file.jobs[name].get("environment") or {}).get("name")
        if environment != WRITERS.get(command, environment):
            yield f"{name}: {command} in the environment {environment}; wanted: {WRITERS[command]}"
    for place, settings in {"on top": file.data, **file.jobs}.items():
        if "secrets." in str(settings.get("env", "")):
            yield f"{place}: a secret for every step; wanted: at the one that needs it"
        if settings.get("secrets") == "inherit":
            yield f"{place}: hands on every secret; wanted: those that are needed, by name"


def thin(file: File) -> Iterator[str]:
    found: dict[str, list[str]] = {name: [] for name in file.own_jobs}
    for name, command in commands(file):
        found[name].append(command)
    for name, run in found.items():
        whole = len(run) == 1 and re.fullmatch(r"(gonogo [a-z -]+|make test VENV=\"\$GONOGO_VENV\")", run[0])
        if not whole:
            yield f"{name}: runs {run}; wanted: one `gonogo` command"


def evidence_kept(file: File) -> Iterator[str]:
    for name, job in file.own_jobs.items():
        last = job["steps"][-1]
        kept = last.get("if") == "always()" and last.get("uses", "").startswith("actions/upload-artifact@")
        if name not in WITHOUT_EVIDENCE and not kept:
            yield f"{name}: the evidence is not kept whatever happens (last step, `if: always()`)"


def enforced(file: File) -> Iterator[str]:
    """The one job that branch protection asks for looks at every other one, however they have ended."""
    if "enforce" not in file.jobs:
        if file.name == "ci-cd.yml":
            yield "there is no job `enforce`"
        return
    enforce = file.jobs["enforce"]
    if missing := sorted(file.jobs.keys() - {"enforce"} - set(enforce.get("needs", ()))):
        yield f"enforce does not look at {', '.join(missing)}"
    if enforce.get("if") != "always()":
        yield "enforce is left out when another job fails; wanted: `if: always()`"


def no_more_than_the_caller_may(workflows: Mapping[str, File]) -> Iterator[str]:
    """GitHub refuses to start a called workflow that wants more than its caller grants."""
    for file in workflows.values():
        for name, job in file.jobs.items():
            called = workflows.get(str(job.get("uses", "")).rpartition("/")[2])
            for inner in called.jobs.values() if called else ():
                more = inner.get("permissions", {}).items() - (job.get("permissions") or {}).items()
                yield from (
                    f"{file.name}: {name}: {called.name} wants {scope}: {access}" for scope, access in sorted(more)
                )


def commands(file: File) -> Iterator[tuple[str, str]]:
    """What the jobs run, by job."""
    return ((name, step["run"].strip()) for name, step in file.steps() if "run" in step)


FOR_ALL: tuple[Rule, ...] = (pinned, no_expression_in_scripts, no_credentials_kept)
RULES: tuple[Rule, ...] = (
    no_failure_ignored,
    permitted,
    bounded,
    triggered,
    none_cancelled,
    guarded,
    thin,
    evidence_kept,
    enforced,
)
