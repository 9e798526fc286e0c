"""Secrets in any commit of the git history, by kingfisher."""

from __future__ import annotations

from pathlib import Path

from ci.config.shape.security import Code
from ci.errors import CannotRun
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.scanners import kingfisher
from ci.security.scanners.repository import Change, Repository
from ci.security.scanners.scanner import LEAK, Examined, Hit, Scanner, lines_at

SPEC = CheckSpec(
    id="security/secrets-history",
    title="No commit of the git history holds a secret",
    severity=Severity.CRITICAL,
    why="What was committed once can be read by whoever has a clone, long after a later commit has removed it.",
    remediation="Replace the secret at its issuer: rewriting the history does not reach the clones. "
    "Then waive the finding with an owner, the date of the replacement as reason, and an expiry date.",
    references=(
        "OWASP Secrets Management Cheat Sheet",
        "CWE-798",
        "CWE-540",
        "https://docs.github.com/code-security/how-tos/secure-your-secrets",
        "https://github.com/mongodb/kingfisher",
    ),
    timeout_s=300,
)


async def look(repository: Repository, code: Code) -> Examined:
    await _demand_whole_history(repository)
    # In a linked working tree the history lies elsewhere.
    folder = (repository.root / (await repository.git("rev-parse", "--git-common-dir")).strip()).resolve()
    timeout_s = code.timeout.total_seconds()
    if repository.change:
        what, scan = await _scan_range(repository, repository.change, folder, timeout_s)
    else:
        what, scan = await _scan_everything(repository, folder, timeout_s)
    # What lies beside the history in the git folder is no part of what others can clone.
    matches = kingfisher.distinct([match for match in scan.matches if match.commit])
    told = f"kingfisher read {what} ({scan.blobs} versions of files) with {scan.rules} rules"
    return Examined((told,), tuple([await _hit(repository, match) for match in matches]))


async def _scan_everything(repository: Repository, folder: Path, timeout_s: float) -> tuple[str, kingfisher.Scan]:
    commits = int(await repository.git("rev-list", "--count", "--all"))
    scan = await kingfisher.scan(folder, timeout_s=timeout_s)
    if scan.commits < commits or not scan.blobs:
        raise CannotRun(ErrorKind.NO_DATA, f"kingfisher has read {scan.commits} commits, but there are {commits}")
    return f"{scan.commits} commits", scan


async def _scan_range(
    repository: Repository, change: Change, folder: Path, timeout_s: float
) -> tuple[str, kingfisher.Scan]:
    between = f"{change.base}..{repository.commit}"
    commits = int(await repository.git("rev-list", "--count", between))
    options = ("--since-commit", change.base, "--branch", repository.commit)
    scan = await kingfisher.scan(folder, *options, timeout_s=timeout_s)
    if scan.ends != (change.base, repository.commit):
        raise CannotRun(ErrorKind.NO_DATA, f"kingfisher has not read {between}, but {'..'.join(map(str, scan.ends))}")
    written = await repository.git("log", "--diff-filter=AM", "--no-renames", "--name-only", "--format=", between)
    if written.strip() and not scan.blobs:
        raise CannotRun(ErrorKind.NO_DATA, f"kingfisher has read no file of {between}, but files were changed")
    return f"the {commits} commits since {change.since}", scan


async def _demand_whole_history(repository: Repository) -> None:
    shallow = (await repository.git("rev-parse", "--is-shallow-repository")).strip() == "true"
    partial = await repository.git("config", "--get-regexp", r"^remote\..*\.promisor$", ok=(0, 1))
    if shallow or partial.strip():
        kind = "shallow" if shallow else "partial"
        message = f"this is a {kind} clone, so most of the history is not here: check out with fetch-depth: 0"
        raise CannotRun(ErrorKind.NO_DATA, message)


async def _hit(repository: Repository, match: kingfisher.Match) -> Hit:
    text = await repository.git("show", f"{match.commit}:{match.path}")
    message = (
        f"commit {(match.commit or '')[:12]} holds what looks like a secret ({match.name}); "
        "replace it at its issuer, whether or not it is still in the tree"
    )
    return Hit(match.path, match.line, LEAK, message, SPEC.severity, lines_at(text, match.line))


SCANNER = Scanner(SPEC, look)
