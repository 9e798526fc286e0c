"""Running kingfisher: without validating what it finds over the network, and redacted.

It exits 0 for an empty folder and for a repository without commits; its audit tells what it has read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.security.scanners.programs import ANY_EXIT, start, wrong_shape

CLEAN, FOUND = 0, 200
"""Exit codes."""


@dataclass(frozen=True, slots=True)
class Match:
    """A secret that kingfisher has found. The secret itself is not part of it."""

    rule: str
    name: str
    path: str
    line: int
    commit: str | None


@dataclass(frozen=True, slots=True)
class Scan:
    """What kingfisher has read, and found."""

    matches: tuple[Match, ...]
    blobs: int
    commits: int
    """Of the whole history; a range is told by its two ends instead."""
    ends: tuple[str | None, str | None]
    """Ids of the commit after which a range begins, and of the one that it ends with."""
    rules: int


async def scan(target: Path, *options: str, timeout_s: float) -> Scan:
    """Scan a folder, or a git directory. Raises CannotRun unless the scan is told to be complete."""
    with TemporaryDirectory(prefix="gonogo-kingfisher-") as scratch:
        written = Path(scratch) / "report.json"
        quiet = ("--no-validate", "--no-update-check", "--redact", "--no-dedup", "--format", "json")
        done = await start(
            "kingfisher",
            "scan",
            *quiet,
            "--output",
            written,
            *options,
            target,
            timeout_s=timeout_s,
            cwd=target,
            ok=ANY_EXIT,
        )
        # Its own words are not repeated: they may hold what it has found.
        if done.exit_code not in {CLEAN, FOUND}:
            raise CannotRun(ErrorKind.TOOL_FAILED, f"kingfisher ended with exit code {done.exit_code}")
        report = _read(written)
    try:
        made = _scan(report, target)
    except (KeyError, TypeError, ValueError) as error:
        raise wrong_shape("kingfisher", error) from error
    if (done.exit_code == FOUND) != bool(made.matches):
        message = f"kingfisher ended with {done.exit_code}, but its report holds {len(made.matches)} findings"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message)
    return made


def _read(written: Path) -> Any:
    try:
        return json.loads(written.read_text(encoding="utf-8").splitlines()[0])
    except (OSError, ValueError, IndexError) as error:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"kingfisher has left no report: {type(error).__name__}") from error


def _scan(report: dict[str, Any], target: Path) -> Scan:
    audit, summary = report["audit"], report["metadata"]["summary"]
    (scanned,) = audit["repositories"]
    if scanned["scan"]["status"] != "completed" or audit["summary"]["scan_succeeded"] != 1:
        raise CannotRun(ErrorKind.NO_DATA, f"kingfisher's scan is not complete: {scanned['scan']['status']}")
    if not summary["rules_applied"]:
        raise CannotRun(ErrorKind.NO_DATA, "kingfisher has applied no rule")
    history = scanned.get("git", {})
    return Scan(
        matches=tuple(_match(item, target) for item in report["findings"]),
        blobs=scanned["stats"]["blobs_scanned"],
        commits=history.get("fetched_commit_count", 0),
        ends=(history.get("base_sha"), history.get("tip_sha")),
        rules=summary["rules_applied"],
    )


def _match(item: dict[str, Any], target: Path) -> Match:
    found = item["finding"]
    history = found.get("git_metadata")
    path = history["file"]["path"] if history else str(found["path"])
    commit = history["commit"]["id"] if history else None
    return Match(item["rule"]["id"], item["rule"]["name"], _relative(path, target), found["line"], commit)


def _relative(path: str, target: Path) -> str:
    there = Path(path)
    return (
        there.relative_to(target).as_posix()
        if there.is_absolute() and there.is_relative_to(target)
        else there.as_posix()
    )


def distinct(matches: Sequence[Match]) -> tuple[Match, ...]:
    """One match for each place, in a steady order."""
    return tuple(sorted({(m.path, m.line, m.rule, m.commit): m for m in matches}.values(), key=repr))
