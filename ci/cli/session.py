"""What all commands share: their common options, printing, exit codes, interruption."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from ci.config import Config
    from ci.engine.actions import Step
    from ci.engine.evidence import EvidenceStore
    from ci.engine.progress import Progress
    from ci.engine.redaction import Redactor
    from ci.engine.run import Run
    from ci.model import Release, StageReport, Subject, Verdict

T = TypeVar("T")


class Exit(IntEnum):
    """Exit codes, one meaning each."""

    GO = 0
    NO_GO = 1
    USAGE = 2
    HOLD = 3
    ROLLED_BACK = 20
    ROLLBACK_FAILED = 21
    INTERRUPTED = 130


class Session:
    """The options common to all commands, and what is made of them."""

    def __init__(self, config: Path, evidence: Path, as_json: bool, verbose: bool) -> None:
        self.config_path = config
        self.evidence = evidence
        self.as_json = as_json
        self.verbose = verbose

    def config(self, url: str | None = None) -> Config:
        """The user's configuration; for a given URL the defaults will do when there is no file."""
        from ci.config import load_config, parse_config

        if url is None or self.config_path.exists() or self.config_path != Path("gonogo.yaml"):
            return load_config(self.config_path)
        click.echo("there is no gonogo.yaml here: the defaults are used", err=True)
        return parse_config(f"target: {{production: {url!r}}}", "--url")

    def redactor(self, config: Config | None) -> Redactor:
        from ci.engine.redaction import Redactor

        return Redactor.of_environment(os.environ, config.secret_variables() if config else ())

    def store(self, config: Config | None) -> EvidenceStore:
        from ci.engine.evidence import EvidenceStore

        return EvidenceStore(self.evidence, self.redactor(config))

    def show(self, redact: Redactor) -> AbstractContextManager[Progress]:
        """The progress display that fits the terminal."""
        from ci.engine.terminal import choose_progress

        return choose_progress(sys.stderr, os.environ, self.verbose, redact)

    def run(self, config: Config, subject: Subject, progress: Progress, baseline: str | None) -> Run:
        from ci.engine.run import Run

        return Run.about(subject, config, os.environ, self.store(config), progress, baseline)

    def step(self, config: Config | None = None) -> Step:
        """The step of GitHub Actions that this process is, if it is one."""
        from ci.engine.actions import Step

        return Step(os.environ, self.redactor(config))

    def print(self, reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None = None) -> None:
        """The result on stdout: for a machine, or for a person; in GitHub Actions on the run's page, too."""
        from ci.report import text

        self._show_in_actions(reports, verdict, release)

        if self.as_json:
            click.echo(as_json(reports, verdict, release))
        else:
            colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
            click.echo(text.render(reports, verdict, release, colour=colour))
            say(f"report: {self.evidence / 'report.html'}")

    def tell(self, sentence: str, **facts: object) -> None:
        """The result of a command without a report, on stdout: a sentence for a person, or facts for a machine."""
        import json

        click.echo(json.dumps(facts, default=str) if self.as_json else sentence)

    def finish(self, reports: Sequence[StageReport], verdict: Verdict) -> NoReturn:
        """Print a verdict and exit with its code."""
        from ci.model import Decision

        self.print(reports, verdict)
        sys.exit({Decision.GO: Exit.GO, Decision.NO_GO: Exit.NO_GO, Decision.HOLD: Exit.HOLD}[verdict.decision])

    def _show_in_actions(
        self, reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None
    ) -> None:
        """Annotations, the summary, and the verdict and the release's end as outputs."""
        step = self.step()
        if not step.inside:
            return
        from ci.report import annotations, markdown

        step.annotate(annotations.render(reports, verdict, release), sys.stderr)
        step.summary(markdown.render(reports, verdict, release))
        if verdict:
            step.output(verdict=verdict.decision)
        if release and release.end:
            step.output(end=release.end)


def as_json(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """The result for a machine."""
    import json

    result = {
        "verdict": verdict.model_dump(mode="json") if verdict else None,
        "reports": [report.model_dump(mode="json") for report in reports],
        "release": release.model_dump(mode="json") if release else None,
    }
    return json.dumps(result)


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the common options; it is called with the `Session` that they make."""

    @click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        default="gonogo.yaml",
        show_default=True,
        help="What is to be known of the application.",
    )
    @click.option(
        "--evidence",
        metavar="FOLDER",
        type=click.Path(path_type=Path, file_okay=False),
        default="evidence",
        show_default=True,
        help="Where reports, verdict and journal are kept.",
    )
    @click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout, and nothing else there.")
    @click.option("-v", "--verbose", is_flag=True, help="Tell more while working.")
    @functools.wraps(command)
    def with_session(config: Path, evidence: Path, as_json: bool, verbose: bool, **rest: Any) -> None:
        command(Session(config, evidence, as_json, verbose), **rest)

    return with_session


def await_(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`. The first Ctrl-C or SIGTERM cancels it; when it has tidied up, KeyboardInterrupt is raised."""
    import asyncio

    async def guarded() -> T:
        task = asyncio.ensure_future(work)
        asked_to_end = False

        def cancel_once() -> None:
            # A second cancellation would interrupt the tidying up and leave processes behind.
            nonlocal asked_to_end
            if not asked_to_end:
                asked_to_end = True
                say("ending what was started…")
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, cancel_once)
        return await task

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


class Ended(SystemExit):
    """A command that cannot go on: with which exit code, and why, which has been said."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(code)
        self.exit = code
        self.message = message


def say(message: str) -> None:
    """A line for people, on stderr; that nobody reads it any more is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(message, err=True)


def fail(code: Exit, message: str) -> NoReturn:
    """Say why the command cannot go on, and end it."""
    say(message)
    raise Ended(code, message)
