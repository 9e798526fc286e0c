"""The smoke stage: which checks there are, and running them side by side in processes of their own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ci.config import Config
from ci.engine.check import declared
from ci.engine.run import Run
from ci.engine.runner import errored, explain
from ci.errors import CannotRun
from ci.model import CheckError, CheckResult, CheckSpec, ErrorKind, Outcome, StageReport
from ci.smoke import suite
from ci.smoke.job import USER_PREFIX, Job, Line

STAGE = "smoke"


def specs(config: Config) -> tuple[CheckSpec, ...]:
    """Every check that the stage is to report; a user's own tests add theirs when they have been collected."""
    from ci.smoke.user_tests import COLLECTION

    users = (COLLECTION,) if config.smoke.paths else ()
    return declared(*suite.api(), *suite.browser()) + users


async def run(run: Run, *, only: Collection[str] | None = None) -> StageReport:
    """Run the checks, or `only` those with the given ids, against the run's subject."""
    started_at = datetime.now(UTC)
    flight = _Flight(run, None if only is None else tuple(only))
    if only is None:
        shutil.rmtree(run.store.folder / STAGE, ignore_errors=True)
    await flight.fly()
    return StageReport(
        stage=STAGE,
        subject=run.subject,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        results=flight.results(),
    )


class _Flight:
    """One run of the stage: its processes, and what they have told."""

    def __init__(self, run: Run, only: tuple[str, ...] | None) -> None:
        self._run = run
        self._smoke = run.config.smoke
        self._only = only
        self._deadline = asyncio.get_running_loop().time() + self._smoke.timeout.total_seconds()
        self._expected = {spec.id: spec for spec in specs(run.config) if only is None or spec.id in only}
        self._results: dict[str, list[CheckResult]] = {}
        self._lanes = self._lanes_of_suites()
        suites = sum(map(len, self._lanes))
        self._share = max(1, (run.http.budget.total - run.http.budget.spent) // max(1, suites))

    async def fly(self) -> None:
        """Run the lanes side by side: a browser is slow to start, and the APIs need no browser."""
        with tempfile.TemporaryDirectory(prefix="gonogo-") as name:  # private: only its owner may enter (0700)
            folder = Path(name)
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes:
                    group.create_task(self._fly_lane(lane, folder))

    def results(self) -> tuple[CheckResult, ...]:
        """One result of each check: those declared here in their order, then the user's."""
        from ci.smoke.outcomes import merged

        return tuple(merged(self._results[check_id]) for check_id in {**self._expected, **self._results})

    def _lanes_of_suites(self) -> list[list[str]]:
        api, browser = (
            [spec.id for spec in declared(*modules) if spec.id in self._expected]
            for modules in (suite.api(), suite.browser())
        )
        if browser and not self._smoke.browser:
            self._leave_out(browser, "the browser is switched off: write `browser: true` under smoke in gonogo.yaml")
            browser = []
        first = ["api"] if api else []
        # The user's tests come after ours in the same lane, so that two suites never log the test user out at once.
        if self._smoke.paths and (self._only is None or any(self._is_users(check_id) for check_id in self._only)):
            first.append("user")
        return [lane for lane in (first, ["browser"] if browser else []) if lane]

    def _is_users(self, check_id: str) -> bool:
        ours = {spec.id for spec in declared(*suite.api(), *suite.browser())}
        return check_id.startswith(USER_PREFIX) or check_id not in ours

    async def _fly_lane(self, suites: list[str], folder: Path) -> None:
        for name in suites:
            await self._fly_suite(name, folder)

    async def _fly_suite(self, name: str, folder: Path) -> None:
        from ci.smoke.processes import run_pytest

        job = Job(
            suite=name,
            config=self._run.config,
            subject=self._run.subject,
            results=folder / f"{name}.jsonl",
            evidence=self._run.store.folder.resolve() / STAGE,
            budget=self._share,
            only=self._only,
        )
        expected = _Expected({spec.id: spec for spec in self._expected.values() if _suite_of(spec) == name})
        why = CheckError(kind=ErrorKind.NO_DATA, message=f"pytest ended without a result of this check ({name} tests)")
        try:
            await run_pytest(
                job,
                folder,
                environ=self._run.environ,
                timeout_s=max(0.1, self._deadline - asyncio.get_running_loop().time()),
                on_line=lambda line: self._take(line, expected),
            )
        except CannotRun as error:
            why = explain(error)
        for spec in expected.without(self._results):
            self._add(errored(spec, why))

    def _take(self, line: Line, expected: _Expected) -> None:
        if line.expected:
            expected.add(line.expected)
        if line.started:
            self._run.progress.stage_at(STAGE, line.started)
        if line.result:
            self._add(line.result)
        if line.requests:
            self._run.http.budget.spent += line.requests

    def _add(self, result: CheckResult) -> None:
        self._results.setdefault(result.spec.id, []).append(result)
        self._run.progress.check_done(STAGE, result)

    def _leave_out(self, ids: list[str], reason: str) -> None:
        for check_id in ids:
            self._add(CheckResult(spec=self._expected[check_id], outcome=Outcome.SKIP, skip_reason=reason))


@dataclass(slots=True)
class _Expected:
    """The results that must come of one suite: several tests may declare the same check, as parametrised ones do."""

    specs: dict[str, CheckSpec]
    tests: Counter[str] = field(default_factory=Counter)

    def add(self, spec: CheckSpec) -> None:
        """A test of this check was collected."""
        self.specs.setdefault(spec.id, spec)
        self.tests[spec.id] += 1

    def without(self, results: Mapping[str, Sequence[CheckResult]]) -> list[CheckSpec]:
        """The checks of which a result is missing, be it that of a single test."""
        return [
            spec
            for check_id, spec in self.specs.items()
            if len(results.get(check_id, ())) < max(1, self.tests[check_id])
        ]


def _suite_of(spec: CheckSpec) -> str:
    if spec.id.startswith(USER_PREFIX):
        return "user"
    return "browser" if spec in declared(*suite.browser()) else "api"
