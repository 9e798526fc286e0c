"""From act's lines of JSON to what a person would see on GitHub: jobs, outputs, summaries, annotations, artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UNKNOWN_RUNNER = "unsupported platform"


@dataclass(frozen=True, slots=True)
class Annotation:
    """`level`: error, warning or notice."""

    level: str
    message: str
    place: dict[str, str]


@dataclass(slots=True)
class Run:
    """What came of a run. A job of a reusable workflow is named `caller/job`."""

    code: int
    seconds: float
    folder: Path
    jobs: dict[str, str] = field(default_factory=dict)
    steps: dict[tuple[str, str], str] = field(default_factory=dict)
    outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    """By job and output's name."""
    summaries: list[tuple[str, str]] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)

    @property
    def ran(self) -> dict[str, str]:
        """The jobs that were not skipped, with their results."""
        return {job: result for job, result in self.jobs.items() if result != "skipped"}

    @property
    def summary(self) -> str:
        """All step summaries."""
        return "\n".join(content for _, content in self.summaries)

    @property
    def artifacts(self) -> dict[str, list[str]]:
        """The files in every artifact."""
        found = {}
        for artifact in sorted((self.folder / "artifacts").iterdir()):
            found[artifact.name] = sorted(
                str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()
            )
        return found

    @property
    def sarif(self) -> list[str]:
        """The categories under which SARIF was uploaded."""
        return sorted(path.stem for path in (self.folder / "sarif").glob("*.sarif"))

    def told(self) -> str:
        """All that the run has shown to anybody: log, outputs, summaries, annotations, and its artifacts' contents."""
        files = [path for name in ("artifacts", "sarif") for path in (self.folder / name).rglob("*") if path.is_file()]
        return "\n".join(
            [
                *(line for _, line in self.log),
                *self.outputs.values(),
                self.summary,
                *(f"{item.message} {item.place}" for item in self.annotations),
                *(path.read_bytes().decode(errors="replace") for path in files),
            ]
        )

    def text(self, job: str = "") -> str:
        """The log, of one job or of all."""
        return "\n".join(line for name, line in self.log if job in ("", name))


def read(lines: Iterable[str], workflow: str, code: int, seconds: float, folder: Path) -> Run:
    """Understand act's output. Raises AssertionError where act has given up or left a job out silently."""
    run = Run(code=code, seconds=seconds, folder=folder)
    results: dict[str, list[str]] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            run.log.append(("", line))
            continue
        assert UNKNOWN_RUNNER not in record["msg"], record["msg"]
        job = _job(record, workflow)
        if "jobResult" in record:
            results.setdefault(job, []).append(record["jobResult"])
        _understand(run, job, record)
    run.jobs = {job: _worst(found) for job, found in results.items()}
    assert run.jobs, f"act ran nothing: {(folder / 'act.stderr').read_text()[-2000:]}"
    return run


def _understand(run: Run, job: str, record: dict[str, Any]) -> None:
    if "stepResult" in record and record.get("stage") == "Main":
        run.steps[job, ".".join(record.get("stepID") or ())] = record["stepResult"]
    match record.get("command"):
        case "set-output":
            run.outputs[job, record["name"]] = record["arg"]
        case "summary":
            run.summaries.append((job, record["content"]))
        case "error" | "warning" | "notice" as level:
            run.annotations.append(Annotation(level, record.get("arg", ""), record.get("kvPairs") or {}))
    if record.get("raw_output"):
        run.log.append((job, record["msg"].rstrip("\r\n")))


def _job(record: dict[str, Any], workflow: str) -> str:
    name, job = str(record.get("job", "")).strip(), str(record.get("jobID", ""))
    if not name or name.startswith(f"{workflow}/"):
        return job
    return f"{name.partition('/')[0]}/{job}"


def _worst(results: list[str]) -> str:
    return next((word for word in ("failure", "cancelled", "success") if word in results), results[-1])
