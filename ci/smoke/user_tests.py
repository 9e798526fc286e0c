"""The user's own pytest files: their checks, whether they declare them or not."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from ci.engine.check import SPEC_ATTRIBUTE
from ci.model import CheckSpec, Severity
from ci.smoke.job import USER_PREFIX, USER_TESTS

LONGEST_SLUG = 80

COLLECTION = CheckSpec(
    id=USER_TESTS,
    title="Your own tests can be collected, and they run",
    severity=Severity.HIGH,
    why="Tests that are not found, cannot be imported or are all skipped say nothing about the application.",
    remediation="Run `python -m pytest` with the paths of smoke.paths and mend what it complains about.",
    references=("https://docs.pytest.org/en/stable/explanation/goodpractices.html",),
    timeout_s=120,
)


def declaration_of(function: object) -> CheckSpec | None:
    """What `ci.engine.check.declare` has attached to a test function."""
    spec = getattr(function, SPEC_ATTRIBUTE, None)
    return spec if isinstance(spec, CheckSpec) else None


def plain_check(node: str, function: Any = None) -> CheckSpec:
    """The check that a plain pytest test is: its id follows from its node id alone."""
    told = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0].rstrip(".")
    return CheckSpec(
        id=user_id(node),
        title=told or f"Your test {node} passes",
        severity=Severity.HIGH,
        why="A test that you wrote for this application does not pass.",
        remediation=f"Look at {node}: mend the application, or the test when the application is right.",
        references=("https://docs.pytest.org/",),
    )


def unreadable_file(node: str) -> CheckSpec:
    """The check that stands for a file whose tests could not be collected."""
    return CheckSpec(
        id=user_id(node),
        title=f"{node} can be collected",
        severity=Severity.HIGH,
        why="As long as a test file cannot be imported, none of its tests runs.",
        remediation=f"Run `python -m pytest --collect-only {node}` and mend the error.",
        references=("https://docs.pytest.org/",),
    )


def user_id(node: str) -> str:
    """A check id for a pytest node id: readable, the same in every run, and different for different nodes."""
    slug = re.sub(r"[^a-z0-9]+", "-", node.lower().replace(".py", "")).strip("-")[-LONGEST_SLUG:].strip("-")
    mark = hashlib.sha256(node.encode()).hexdigest()[:8]
    return f"{USER_PREFIX}{slug}-{mark}" if slug else f"{USER_PREFIX}{mark}"


def paths_without_tests(paths: tuple[str, ...], files: set[Path], base: Path) -> list[str]:
    """Those of the configured paths under which no test was found."""
    found = {file.resolve() for file in files}
    return [path for path in paths if not any(file.is_relative_to((base / path).resolve()) for file in found)]
