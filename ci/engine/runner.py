"""Running checks: the only place that turns exceptions into outcomes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import httpx

from ci.engine.check import Check
from ci.engine.progress import Progress
from ci.errors import CannotRun, NotApplicable
from ci.model import (
    CheckError,
    CheckResult,
    CheckSpec,
    ErrorKind,
    Evidence,
    Finding,
    Outcome,
    StageReport,
    Subject,
)

E = TypeVar("E")


def explain(error: BaseException, *, extra: str = "all") -> CheckError:
    """What an exception means for a check that met it; `extra` names the extra that brings a missing library."""
    match error:
        case BaseExceptionGroup():
            return explain(error.exceptions[0], extra=extra)
        case CannotRun():
            return CheckError(kind=error.kind, message=str(error))
        case TimeoutError() | httpx.TimeoutException():
            return CheckError(kind=ErrorKind.TIMEOUT, message=str(error) or "no answer in time")
        case httpx.TransportError() | httpx.InvalidURL() | ConnectionError():
            kind = ErrorKind.UNTRUSTED if _refused_in_handshake(error) else ErrorKind.UNREACHABLE
            return CheckError(kind=kind, message=str(error) or type(error).__name__)
        case httpx.DecodingError():
            return CheckError(kind=ErrorKind.BAD_OUTPUT, message=f"an answer is not encoded as it says: {error}")
        case asyncio.CancelledError() | KeyboardInterrupt():
            return CheckError(kind=ErrorKind.INTERRUPTED, message="the run was interrupted")
        case ModuleNotFoundError():
            missing = f"the library `{error.name}` is not installed: install it with `pip install 'gonogo[{extra}]'`"
            return CheckError(kind=ErrorKind.TOOL_MISSING, message=missing)
        case _:
            return CheckError(kind=ErrorKind.BUG, message=f"{type(error).__name__}: {error}")


def _refused_in_handshake(error: BaseException | None) -> bool:
    """Whether TLS is behind it, however many libraries have wrapped it since."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def errored(spec: CheckSpec, error: CheckError) -> CheckResult:
    """The result of a check that has no answer."""
    return CheckResult(spec=spec, outcome=Outcome.ERROR, error=error)


def skipped(spec: CheckSpec, reason: str) -> CheckResult:
    """The result of a check that has nothing to ask of this target."""
    return CheckResult(spec=spec, outcome=Outcome.SKIP, skip_reason=reason)


def judged(spec: CheckSpec, seen: Iterable[Evidence | Finding]) -> CheckResult:
    """The result of a check that yielded these. Nothing at all is an ERROR: it has examined nothing."""
    items = tuple(seen)
    evidence = tuple(item for item in items if isinstance(item, Evidence))
    findings = tuple(item for item in items if isinstance(item, Finding))
    if not items:
        return errored(spec, CheckError(kind=ErrorKind.NO_DATA, message="nothing was examined"))
    outcome = Outcome.FAIL if findings else Outcome.PASS
    return CheckResult(spec=spec, outcome=outcome, evidence=evidence, findings=findings)


def judge(check: Check[E], evidence: E) -> CheckResult:
    """Run one pure check; whatever it raises becomes an ERROR."""
    started = time.perf_counter()
    try:
        result = judged(check.spec, check.judge(evidence))
    except NotApplicable as reason:
        result = skipped(check.spec, str(reason))
    except Exception as error:
        result = errored(check.spec, explain(error))
    return result.model_copy(update={"duration_s": time.perf_counter() - started})


async def probe_and_judge(
    checks: Sequence[Check[E]],
    probe: Callable[[], Awaitable[E]],
    *,
    timeout_s: float,
) -> tuple[CheckResult, ...]:
    """Fetch once, judge purely. A probe without an answer makes every check an ERROR with its reason."""
    try:
        async with asyncio.timeout(timeout_s):
            evidence = await probe()
    except NotApplicable as reason:
        return tuple(skipped(check.spec, str(reason)) for check in checks)
    except Exception as error:
        why = explain(error)
        return tuple(errored(check.spec, why) for check in checks)
    return tuple(judge(check, evidence) for check in checks)


async def run_stage(
    stage: str,
    subject: Subject,
    body: Callable[[], Awaitable[StageReport]],
    *,
    specs: Sequence[CheckSpec],
    timeout_s: float,
    progress: Progress,
) -> StageReport:
    """Run a stage to a report, whatever happens: a crash or a hang is an ERROR of each of its checks."""
    started_at = datetime.now(UTC)
    progress.stage_started(stage)
    try:
        async with asyncio.timeout(timeout_s):
            report = await body()
    except Exception as error:
        why = explain(error, extra=stage)
        if why.kind is ErrorKind.TIMEOUT and not str(error):
            why = CheckError(kind=ErrorKind.TIMEOUT, message=f"the stage did not finish within {timeout_s:g} s")
        report = StageReport(
            stage=stage,
            subject=subject,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            results=tuple(errored(spec, why) for spec in specs),
        )
    progress.stage_done(report)
    return report
