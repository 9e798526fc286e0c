"""What one test saw and found: the collector behind its `CheckResult`."""

from __future__ import annotations

from typing import NoReturn

from ci.engine.check import finding
from ci.engine.inert import one_line, printable
from ci.errors import CannotRun
from ci.model import CheckSpec, ErrorKind, Evidence, Finding, Location, Severity

MOST_EVIDENCE = 40
"""Observations of one check that are kept; the number of the others is told."""
MOST_FINDINGS = 50
EXCERPT = 600
"""Characters of an answer's body that a finding shows."""


class Examination:
    """Collects the observations and findings of one check while its test runs."""

    def __init__(self, spec: CheckSpec) -> None:
        self.spec = spec
        self.touched = False
        self.retries = 0
        self._evidence: list[Evidence] = []
        self._more = 0
        self._findings: dict[tuple[str, str, str], Finding] = {}

    def saw(self, summary: str) -> None:
        """The target was touched, and this was seen."""
        self.touched = True
        self.note(summary)

    def note(self, summary: str) -> None:
        """Something a reader should know that is not an answer of the target."""
        if len(self._evidence) < MOST_EVIDENCE:
            self._evidence.append(Evidence(summary=one_line(summary, 500)))
        else:
            self._more += 1

    def finding(
        self,
        message: str,
        *,
        url: str | None = None,
        path: str | None = None,
        key: str = "",
        excerpt: str = "",
        files: tuple[str, ...] = (),
        severity: Severity | None = None,
    ) -> None:
        """Something is wrong. One test may find many things; `key` tells those at one place apart."""
        evidence = (
            [Evidence(summary="the answer began", excerpt=printable(excerpt)[:EXCERPT])] if excerpt.strip() else []
        )
        evidence += [Evidence(summary=f"see {name} in the evidence folder") for name in files]
        if len(self._findings) < MOST_FINDINGS:
            self._findings[url or "", path or "", key] = finding(
                self.spec,
                one_line(message, 1_000),
                at=Location(url=url, path=path),
                evidence=tuple(evidence),
                severity=severity,
                key=key,
            )

    def skip(self, reason: str) -> NoReturn:
        """End the test: there is nothing to examine, and the reason says what to write in gonogo.yaml."""
        import pytest

        pytest.skip(reason)

    def without_answer(self, message: str) -> NoReturn:
        """End the test: what it builds on is not there, so nothing is known."""
        raise CannotRun(ErrorKind.NO_DATA, message)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        more = (Evidence(summary=f"… and {self._more} more"),) if self._more else ()
        return (*self._evidence, *more)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings.values())

    @property
    def attempts(self) -> int:
        return 1 + self.retries
