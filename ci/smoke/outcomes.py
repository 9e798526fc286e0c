"""What the end of a test means: the one place where pytest's words become a `CheckResult`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx
import pytest

from ci.engine.check import finding
from ci.engine.inert import printable
from ci.engine.runner import explain
from ci.errors import CannotRun
from ci.model import CheckError, CheckResult, ErrorKind, Evidence, Finding, Location, Outcome
from ci.smoke.examination import Examination

LONGEST_MESSAGE = 1_000

_NO_ANSWER = (CannotRun, httpx.TransportError, httpx.InvalidURL, ConnectionError, TimeoutError)


@dataclass(slots=True)
class TestRun:
    """One test on its way from set-up to teardown."""

    __test__ = False

    exam: Examination
    node: str
    is_plain: bool
    """A user's own test without a declaration: it need not use our fixtures."""
    duration_s: float = 0.0
    skipped: str | None = None
    failed: BaseException | None = None
    broken: BaseException | None = None
    """What kept the test from reaching an answer."""
    called: bool = False
    location: Location = field(default_factory=Location)

    def end_of(self, phase: str, error: BaseException | None, duration_s: float, xfail: str | None) -> None:
        """Note how one of the phases `setup`, `call` and `teardown` ended."""
        self.duration_s += duration_s
        self.called |= phase == "call"
        if error is None:
            return
        if xfail is not None:
            self.skipped = f"expected to fail: {xfail or 'no reason given'}"
        elif isinstance(error, pytest.skip.Exception):
            self.skipped = str(error) or "skipped without a reason"
        elif phase == "call" and self._is_an_answer(error):
            self.failed = error
        else:
            self.broken = self.broken or error

    def _is_an_answer(self, error: BaseException) -> bool:
        """An assertion says no. A user's plain test says no by any exception of its own."""
        if isinstance(error, _NO_ANSWER):
            return False
        return self.is_plain or isinstance(error, AssertionError | pytest.fail.Exception)

    def result(self) -> CheckResult:
        """The test's result. Whatever was found stands, even when the test broke later."""
        findings = self.exam.findings
        evidence = self.exam.evidence
        if self.failed is not None:
            findings = (*findings, self._finding_of(self.failed))
        if findings:
            if self.broken is not None:
                evidence = (*evidence, Evidence(summary=f"the test could not go on: {explain(self.broken).message}"))
            return self._result(Outcome.FAIL, evidence=evidence, findings=findings)
        if self.broken is not None:
            return self._result(Outcome.ERROR, evidence=evidence, error=explain(self.broken))
        if self.skipped is not None:
            return self._result(Outcome.SKIP, evidence=evidence, skip_reason=self.skipped)
        return self._passed(evidence)

    def _passed(self, evidence: tuple[Evidence, ...]) -> CheckResult:
        if not self.called:
            reason = CheckError(kind=ErrorKind.INTERRUPTED, message="the test was set up, but did not run")
            return self._result(Outcome.ERROR, evidence=evidence, error=reason)
        if self.is_plain:
            return self._result(Outcome.PASS, evidence=(Evidence(summary=f"test passed: {self.node}"), *evidence))
        if not self.exam.touched:
            reason = CheckError(
                kind=ErrorKind.NO_DATA,
                message=(
                    "the test passed without asking the target for anything; use the fixture "
                    "`target`, `client` or `page`"
                ),
            )
            return self._result(Outcome.ERROR, evidence=evidence, error=reason)
        return self._result(Outcome.PASS, evidence=evidence)

    def _finding_of(self, error: BaseException) -> Finding:
        text = printable(str(error)).strip() or f"{type(error).__name__} without a message"
        if self.is_plain and not isinstance(error, AssertionError | pytest.fail.Exception):
            text = f"{type(error).__name__}: {text}"
        first, _, rest = text.partition("\n")
        shown = (Evidence(summary="the assertion in full", excerpt=text),) if rest.strip() else ()
        return finding(self.exam.spec, first[:LONGEST_MESSAGE], at=self.location, evidence=shown)

    def _result(
        self,
        outcome: Outcome,
        *,
        evidence: tuple[Evidence, ...],
        findings: tuple[Finding, ...] = (),
        error: CheckError | None = None,
        skip_reason: str | None = None,
    ) -> CheckResult:
        return CheckResult(
            spec=self.exam.spec,
            outcome=outcome,
            evidence=evidence,
            findings=findings,
            error=error,
            skip_reason=skip_reason,
            attempts=self.exam.attempts,
            duration_s=self.duration_s,
        )


def merged(results: Iterable[CheckResult]) -> CheckResult:
    """One result of several tests that declare the same check, such as a parametrised one: the worst holds."""
    several = list(results)
    worst = max(several, key=lambda result: result.outcome.rank)
    if len(several) == 1:
        return worst
    return CheckResult(
        spec=worst.spec,
        outcome=worst.outcome,
        evidence=tuple(item for result in several for item in result.evidence),
        findings=tuple(item for result in several for item in result.findings),
        error=worst.error,
        skip_reason=worst.skip_reason,
        attempts=max(result.attempts for result in several),
        duration_s=sum(result.duration_s for result in several),
    )
