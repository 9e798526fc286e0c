"""The pytest processes of the stage: how they are started, followed and understood."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pydantic

from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.smoke import suite
from ci.smoke.job import JOB_VARIABLE, Job, Line

_NOT_FOR_TESTS = ("VERCEL_TOKEN", "GITHUB_TOKEN", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""Variables that are kept from the tests: secrets they have no use for, and other people's options of pytest."""

_ENDS = {
    2: "was interrupted",
    3: "met an internal error",
    4: "did not understand how it was called",
    5: "found no tests",
}
"""pytest's exit codes that are neither `all passed` nor `some failed`."""


@dataclass(slots=True)
class Follower:
    """Reads the lines of a results file as they come."""

    path: Path
    on_line: Callable[[Line], None]
    _read: int = 0

    def catch_up(self) -> None:
        """Read what has been written since, but for a line that is not whole yet.

        Raises CannotRun(BAD_OUTPUT) when a line is damaged.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                line = _line(raw)  # a damaged one is met again and again: nothing behind it counts
                self._read += len(raw)
                self.on_line(line)


async def run_pytest(
    job: Job, folder: Path, *, environ: Mapping[str, str], timeout_s: float, on_line: Callable[[Line], None]
) -> None:
    """Run one suite; every line that its plugin writes is passed on as soon as it is there.

    Raises CannotRun when pytest ended otherwise than by running its tests: TIMEOUT, or TOOL_FAILED with its last words.
    """
    job_file = folder / f"{job.suite}.json"
    job.write(job_file)
    follower = Follower(job.results, on_line)
    try:
        run = await run_tool(
            _command(job, folder, environ),
            timeout_s=timeout_s,
            env=_environment(job, job_file, environ),
            ok=range(-64, 256),
            on_line=lambda _: follower.catch_up(),
        )
    except CannotRun:
        follower.catch_up()
        raise
    follower.catch_up()
    if run.exit_code not in (0, 1):
        raise CannotRun(ErrorKind.TOOL_FAILED, _last_words(job, run.exit_code, run.stdout + run.stderr))


def _line(raw: bytes) -> Line:
    try:
        return Line.model_validate_json(raw)
    except pydantic.ValidationError as error:
        problem = str(error).splitlines()[0]
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"a line in the results of the tests is damaged: {problem}") from error


def _command(job: Job, folder: Path, environ: Mapping[str, str]) -> list[str]:
    """pytest's arguments. Our own suites know nothing of the folder they are started in; a user's tests live in it.

    `-P` keeps that folder from the front of the import path: many repositories have a folder `ci` of their own.
    """
    plugins = ["-p", "ci.smoke.plugin", "-p", "no:cacheprovider"]
    common = [sys.executable, "-P", "-m", "pytest", *plugins, "--maxfail=0", "--tb=short", "-q", "--color=no"]
    if job.suite == "user":
        own_options = [*_neutralised(environ), "--continue-on-collection-errors", f"--rootdir={Path.cwd()}"]
        return [*common, *own_options, *job.config.smoke.paths]
    modules = suite.browser() if job.suite == "browser" else suite.api()
    files = [str(module.__file__) for module in modules]
    apart = ["-c", os.devnull, f"--rootdir={folder}", "--noconftest", "--import-mode=importlib", "--assert=plain"]
    return [*common, *apart, *files]


def _neutralised(environ: Mapping[str, str]) -> list[str]:
    """Options against plugins of the user's that would come in the way: of our `page`, of one process, of speed."""
    options = ["-p", "no:playwright"]
    if environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        return options
    options += ["-n0"] if importlib.util.find_spec("xdist") else []
    return [*options, *(["--no-cov"] if importlib.util.find_spec("pytest_cov") else [])]


def _environment(job: Job, job_file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    login = job.config.smoke.login
    needed = {login.password, login.expired_token} if login else set()
    withheld = {*_NOT_FOR_TESTS, *job.config.secret_variables()} - needed
    env = {name: value for name, value in environ.items() if name not in withheld}
    env |= {JOB_VARIABLE: str(job_file), "PYTHONUNBUFFERED": "1"}
    if job.suite != "user":
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return env


def _last_words(job: Job, exit_code: int, output: str) -> str:
    ended = f"was ended by signal {-exit_code}" if exit_code < 0 else _ENDS.get(exit_code, "ended unexpectedly")
    lines = [line for line in output.strip().splitlines() if line.strip()]
    words = " / ".join(lines[-6:])[-600:] or "no output"
    return f"pytest for the {job.suite} tests {ended} (exit code {exit_code}): {words}"
