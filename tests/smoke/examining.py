"""Running declared checks in this process, as the plugin does in its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from ci.engine.progress import Silence
from ci.engine.run import Run
from ci.model import CheckResult, Outcome
from ci.smoke.accounts import Accounts
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.outcomes import TestRun
from ci.smoke.target import Connections, Target
from ci.smoke.user_tests import declaration_of


class Watching(Silence):
    """Keeps what a stage tells about itself."""

    def __init__(self) -> None:
        self.at: list[str] = []
        self.done: list[CheckResult] = []

    def stage_at(self, stage: str, activity: str) -> None:
        self.at.append(activity)

    def check_done(self, stage: str, result: CheckResult) -> None:
        self.done.append(result)


Results = dict[str, CheckResult]


class Examiner:
    def __init__(self, prepare: Callable[..., Run]) -> None:
        self._prepare = prepare

    def __call__(self, modules: Iterable[ModuleType], *, run: Run | None = None, **fixtures: Any) -> Results:
        run = run or self._prepare()
        connections = Connections(run.http, run.config.target.timeout.total_seconds())
        job = Job(
            suite="api",
            config=run.config,
            subject=run.subject,
            results=run.store.folder / "unused",
            evidence=run.store.folder / "smoke",
            budget=1000,
        )
        shared = {
            "smoke": run.config.smoke,
            "subject": run.subject,
            "job": job,
            "accounts": Accounts(run.config.smoke.login, run.environ),
            **fixtures,
        }
        try:
            return {
                result.spec.id: result
                for module in modules
                for function in vars(module).values()
                if declaration_of(function)
                for result in [self._result(function, connections, shared)]
            }
        finally:
            connections.close()

    def _result(self, function: Any, connections: Connections, shared: dict[str, Any]) -> CheckResult:
        spec = declaration_of(function)
        assert spec
        exam = Examination(spec)
        test = TestRun(exam=exam, node=function.__name__, is_plain=False)
        given = {**shared, "exam": exam, "target": Target(exam, connections)}
        error: BaseException | None = None
        try:
            function(**{name: given[name] for name in inspect.signature(function).parameters})
        except BaseException as raised:
            error = raised
        test.end_of("call", error, 0.0, None)
        return test.result()


def bad(results: Results, outcome: Outcome = Outcome.FAIL) -> set[str]:
    return {check_id for check_id, result in results.items() if result.outcome is outcome}


def told(results: Results) -> str:
    """What went wrong, for an assertion's message."""
    return "\n".join(
        f"{check_id}: {result.outcome} {result.error or result.skip_reason or [f.message for f in result.findings]}"
        for check_id, result in results.items()
        if result.outcome is not Outcome.PASS
    )
