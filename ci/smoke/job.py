"""What travels between the stage and the pytest processes it starts: a job on the way in, lines on the way out."""

from __future__ import annotations

from pathlib import Path

from ci.config import Config
from ci.model import CheckResult, CheckSpec, Model, Subject

JOB_VARIABLE = "GONOGO_SMOKE_JOB"
"""Environment variable with the path of the job's file."""

USER_TESTS = "smoke/user-tests"
USER_PREFIX = "smoke/user-"


class Job(Model):
    """What one pytest process has to do. It holds no secret: those go by environment variables."""

    suite: str
    config: Config
    subject: Subject
    results: Path
    """The file of lines that the plugin writes."""
    evidence: Path
    """The folder for screenshots and traces."""
    budget: int
    """Requests that this process may make."""
    only: tuple[str, ...] | None = None
    """Ids of the checks that are wanted; all of the suite's when it is None."""

    @classmethod
    def read(cls, path: Path) -> Job:
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        # What was not set stays not set: a default says something else than the same value written down.
        path.write_text(self.model_dump_json(by_alias=True, exclude_unset=True), encoding="utf-8")

    def wants(self, check_id: str) -> bool:
        """Whether a check is to run. Who wants the user's tests to run wants all of them."""
        if self.only is None or check_id in self.only:
            return True
        return self.suite == "user" and USER_TESTS in self.only


class Line(Model):
    """One line of the results file; exactly one field is set."""

    expected: CheckSpec | None = None
    """A test was collected, so a result of this check must follow."""
    started: str | None = None
    """Id of the check that runs now."""
    result: CheckResult | None = None
    requests: int | None = None
    """How many requests the process has made in all."""
