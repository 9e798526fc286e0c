"""The pytest plugin of the smoke stage: each test's result is one line in a file as soon as it is known.

It is loaded by `-p ci.smoke.plugin` in the processes that the stage starts, and takes its job from a file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ci.engine.check import SPEC_ATTRIBUTE
from ci.engine.http import HttpFactory
from ci.engine.inert import printable
from ci.engine.redaction import Redactor
from ci.model import CheckError, CheckResult, ErrorKind, Evidence, Location, Outcome
from ci.smoke.examination import Examination
from ci.smoke.job import JOB_VARIABLE, USER_TESTS, Job, Line
from ci.smoke.outcomes import TestRun
from ci.smoke.user_tests import COLLECTION, declaration_of, paths_without_tests, plain_check, unreadable_file

pytest_plugins = ("ci.smoke.fixtures", "ci.smoke.browser_fixtures")

JOB: pytest.StashKey[Job] = pytest.StashKey()
HTTP: pytest.StashKey[HttpFactory] = pytest.StashKey()
RUN: pytest.StashKey[TestRun] = pytest.StashKey()

BROWSER_FIXTURES = frozenset({"visits", "browser", "page"})
"""Tests with these are not interrupted: Playwright has deadlines of its own, and a signal would tear its event loop."""


def pytest_configure(config: pytest.Config) -> None:
    job = Job.read(Path(os.environ[JOB_VARIABLE]))
    config.stash[JOB] = job
    if job.suite == "user":
        sys.path.append(str(config.invocation_params.dir))  # as `python -m pytest` does, but behind this package
    config.stash[HTTP] = HttpFactory.for_target(job.subject.url, budget=job.budget, environ=os.environ)
    config.pluginmanager.register(Recorder(job, config), "gonogo-recorder")


class Recorder:
    """Follows the tests of one process and writes down what becomes of them."""

    def __init__(self, job: Job, config: pytest.Config) -> None:
        self._job = job
        self._config = config
        self._redact = Redactor.of_environment(os.environ, job.config.secret_variables())
        self._outcomes: Counter[Outcome] = Counter()
        self._files: set[Path] = set()
        self._unreadable: list[str] = []

    @property
    def _of_user(self) -> bool:
        return self._job.suite == "user"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._files |= {item.path for item in items}
        for item in items:
            item.stash[RUN] = self._run_of(item)
        # A user's parametrised or plain test is wanted by its own id, which nobody knows before now.
        items[:] = [item for item in items if self._job.wants(item.stash[RUN].exam.spec.id)]
        for item in items:
            self._write(Line(expected=item.stash[RUN].exam.spec))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            node = report.nodeid or "the configured paths"
            self._unreadable.append(node)
            last = printable(report.longreprtext).strip().splitlines()[-1:] or ["no reason given"]
            problem = CheckError(kind=ErrorKind.MISCONFIGURED, message=f"{node} cannot be collected: {last[0].strip()}")
            self._record(CheckResult(spec=unreadable_file(node), outcome=Outcome.ERROR, error=problem))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._write(Line(started=item.stash[RUN].exam.spec.id))
        done = yield
        self._record(item.stash[RUN].result())
        return done

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        with _deadline(item):
            yield

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        with _deadline(item):
            yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        error = call.excinfo.value if call.excinfo else None
        if error is None and report.failed:  # an expected failure that did not come, where the user forbids that
            error = AssertionError(report.longreprtext)
        xfail = report.wasxfail if report.skipped and hasattr(report, "wasxfail") else None
        item.stash[RUN].end_of(call.when, error, call.duration, xfail)
        return report

    def pytest_sessionfinish(self) -> None:
        if self._of_user and self._job.wants(USER_TESTS):
            self._record(self._collection())
        self._write(Line(requests=self._config.stash[HTTP].budget.spent))

    def _run_of(self, item: pytest.Item) -> TestRun:
        function = getattr(item, "function", None)
        spec = declaration_of(function)
        if spec is None and not self._of_user:
            raise pytest.UsageError(f"{item.nodeid} declares no check ({SPEC_ATTRIBUTE})")
        if spec is not None and spec.stage != "smoke":
            raise pytest.UsageError(f"{item.nodeid} declares {spec.id}, but a smoke check's id begins with smoke/")
        file, line, _ = item.location
        return TestRun(
            exam=Examination(spec or plain_check(item.nodeid, function)),
            node=item.nodeid,
            is_plain=spec is None,
            location=Location(path=file, line=(line or 0) + 1) if self._of_user else Location(),
        )

    def _collection(self) -> CheckResult:
        """Whether the user's tests have said anything at all."""
        paths = self._job.config.smoke.paths
        ran = self._outcomes.total() - self._outcomes[Outcome.SKIP] - len(self._unreadable)
        problem = None
        if self._unreadable:
            problem = f"{', '.join(self._unreadable)} cannot be collected; its own result tells why"
        elif empty := paths_without_tests(paths, self._files, self._config.invocation_params.dir):
            problem = f"no test was found in {', '.join(empty)}; pytest looks for functions test_* in files test_*.py"
        elif not ran:
            problem = (
                f"none of {self._outcomes.total()} tests in {', '.join(paths)} ran: all were skipped or deselected"
            )
        if problem:
            error = CheckError(kind=ErrorKind.NO_DATA, message=problem)
            return CheckResult(spec=COLLECTION, outcome=Outcome.ERROR, error=error)
        evidence = Evidence(summary=f"{ran} tests of {', '.join(paths)} ran")
        return CheckResult(spec=COLLECTION, outcome=Outcome.PASS, evidence=(evidence,))

    def _record(self, result: CheckResult) -> None:
        self._outcomes[result.outcome] += 1
        self._write(Line(result=self._redact.model(result)))

    def _write(self, line: Line) -> None:
        with self._job.results.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json(exclude_none=True) + "\n")
        # Wakes the stage, which follows our output; it needs no polling then.
        print("", flush=True)  # noqa: T201


@contextlib.contextmanager
def _deadline(item: pytest.Item) -> Iterator[None]:
    """Ends a test by TimeoutError when its check's time is over: a server may drip for ever, within every time-out."""
    seconds = item.stash[RUN].exam.spec.timeout_s

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"the check did not end within {seconds:g} s")

    if not BROWSER_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
