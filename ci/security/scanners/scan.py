"""The code scan: all scanners side by side, each to a result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator

from ci.config.shape.security import Code
from ci.engine.check import finding
from ci.engine.run import Run
from ci.engine.runner import errored, explain, judged, skipped
from ci.errors import NotApplicable
from ci.model import CheckError, CheckResult, CheckSpec, ErrorKind, Evidence, Finding, Location
from ci.security.scanners import (
    node_dependencies,
    python_code,
    python_dependencies,
    secrets_history,
    secrets_tree,
    workflows,
)
from ci.security.scanners.repository import Change, Repository, open_repository
from ci.security.scanners.scanner import Examined, Hit, Scanner

STAGE = "security"
GRACE_S = 5.0
"""Seconds beyond its time limit in which a scanner's program is ended and its scratch folder removed."""
SCANNERS: tuple[Scanner, ...] = (
    secrets_tree.SCANNER,
    secrets_history.SCANNER,
    python_dependencies.SCANNER,
    node_dependencies.SCANNER,
    python_code.SCANNER,
    workflows.SCANNER,
)


def specs() -> tuple[CheckSpec, ...]:
    return tuple(scanner.spec for scanner in SCANNERS)


async def scan(run: Run, *, only: Collection[str] | None = None, demanded: bool = False) -> tuple[CheckResult, ...]:
    """Scan the repository at `run.folder`. `only` names the checks to make, by id.

    Without `security.code` in the configuration nothing is scanned, unless the code was `demanded` by name.
    """
    scanners = tuple(scanner for scanner in SCANNERS if only is None or scanner.spec.id in only)
    if not scanners:
        return ()
    code = run.config.security.code or (Code() if demanded else None)
    if code is None:
        reason = "the code is not scanned: write `code: {}` below `security:` in gonogo.yaml"
        return tuple(_told(run, skipped(scanner.spec, reason)) for scanner in scanners)
    try:
        repository = await open_repository(run.folder, since=run.since, exclude=code.exclude)
    except Exception as error:
        return tuple(_told(run, errored(scanner.spec, explain(error))) for scanner in scanners)
    busy = [scanner.spec.id for scanner in scanners]

    async def one(scanner: Scanner) -> CheckResult:
        run.progress.stage_at(STAGE, ", ".join(busy))
        result = _told(run, await _scan(scanner, repository, code))
        busy.remove(scanner.spec.id)
        if busy:
            run.progress.stage_at(STAGE, ", ".join(busy))
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(scanner)) for scanner in scanners]
    return tuple(task.result() for task in tasks)


async def _scan(scanner: Scanner, repository: Repository, code: Code) -> CheckResult:
    """One scanner's result, whatever happens."""
    started = time.perf_counter()
    if scanner.spec.id in code.leave_out:
        return skipped(scanner.spec, "it is left out by security.code.leave_out in gonogo.yaml")
    limit_s = code.timeout.total_seconds()
    try:
        async with asyncio.timeout(limit_s + GRACE_S):
            examined = await scanner.look(repository, code)
        result = judged(scanner.spec, _seen(scanner.spec, examined, repository.change))
    except* TimeoutError:
        message = f"the scan did not end within {limit_s:g} s: raise security.code.timeout"
        result = errored(scanner.spec, CheckError(kind=ErrorKind.TIMEOUT, message=message))
    except* NotApplicable as nothing:
        result = skipped(scanner.spec, str(nothing.exceptions[0]))
    except* Exception as error:
        result = errored(scanner.spec, explain(error))
    return result.model_copy(update={"duration_s": time.perf_counter() - started})


def _seen(spec: CheckSpec, examined: Examined, change: Change | None) -> Iterator[Evidence | Finding]:
    """What was examined, and what was found; of a change, what the change has brought."""
    yield from (Evidence(summary=words) for words in examined.what)
    hits = examined.hits
    if change and spec.id != secrets_history.SPEC.id:  # the history has been limited to the new commits already
        hits = tuple(hit for hit in hits if change.touches(hit.path, hit.line, hit.last_line or hit.line))
        older = len(examined.hits) - len(hits)
        yield Evidence(summary=f"{older} findings are older than {change.since}, and not counted here")
    yield from _findings(spec, hits)


def _findings(spec: CheckSpec, hits: Iterable[Hit]) -> Iterator[Finding]:
    """A finding for each fingerprint: the same content twice in a file is one finding at its first place."""
    together: dict[tuple[str, str], list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: (hit.path, hit.line)):
        together.setdefault((hit.path, hit.key), []).append(hit)
    for (path, key), same in together.items():
        first, *others = same
        also = f" (also at line {', '.join(str(hit.line) for hit in others)})" if others else ""
        place = Location(path=path, line=first.line)
        yield finding(spec, first.message + also, at=place, severity=first.severity, key=key)


def _told(run: Run, result: CheckResult) -> CheckResult:
    run.progress.check_done(STAGE, result)
    return result
