"""Runs and facts for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci.config import Config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Progress, Silence
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.model import (
    CheckError,
    CheckResult,
    CheckSpec,
    ErrorKind,
    Evidence,
    Finding,
    Outcome,
    Severity,
    StageReport,
    Subject,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBJECT = Subject(url="https://app.example.com", commit="a" * 40, deployment_id="dpl_1")


def run_on(
    url: str,
    evidence: Path,
    *,
    environ: Mapping[str, str] | None = None,
    subject: Subject | None = None,
    progress: Progress | None = None,
    budget: int = 1000,
    **config: Any,
) -> Run:
    """A run against `url`; keywords are sections of the configuration."""
    environ = environ or {}
    target = {"production": url, **config.pop("target", {})}
    made = Config.model_validate({"target": target, **config})
    return Run(
        config=made,
        subject=subject or Subject(url=url),
        environ=environ,
        http=HttpFactory.for_target(url, budget=budget, environ=environ),
        store=EvidenceStore(evidence, Redactor.of_environment(environ, made.secret_variables())),
        progress=progress or Silence(),
    )


def spec(id: str = "smoke/health", severity: Severity = Severity.HIGH, **more: Any) -> CheckSpec:
    return CheckSpec(id=id, title="It works", severity=severity, why="It must.", remediation="Mend it.", **more)


def passed(id: str = "smoke/health", **more: Any) -> CheckResult:
    return CheckResult(spec=spec(id), outcome=Outcome.PASS, evidence=(Evidence(summary="seen"),), **more)


def failed(id: str = "smoke/health", severity: Severity = Severity.HIGH, message: str = "it is broken") -> CheckResult:
    made = spec(id, severity)
    return CheckResult(
        spec=made, outcome=Outcome.FAIL, findings=(Finding(check_id=id, message=message, severity=severity),)
    )


def errored(id: str = "smoke/health", kind: ErrorKind = ErrorKind.TIMEOUT) -> CheckResult:
    return CheckResult(spec=spec(id), outcome=Outcome.ERROR, error=CheckError(kind=kind, message="no answer"))


def skipped(id: str = "smoke/health") -> CheckResult:
    return CheckResult(spec=spec(id), outcome=Outcome.SKIP, skip_reason="not configured")


def report(*results: CheckResult, stage: str = "smoke", subject: Subject = SUBJECT, **more: Any) -> StageReport:
    return StageReport(
        **{"stage": stage, "subject": subject, "started_at": NOW, "finished_at": NOW, "results": results, **more}
    )
