"""Showing a run while it goes on: live for a person at a terminal, plain lines for a log.

Nothing here may stop the run: a terminal that is gone, too narrow or cannot spell is borne in silence.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TextIO, cast

from ci.engine.inert import log_line
from ci.engine.progress import Progress
from ci.engine.wording import result_in_words, seconds_in_words, stage_in_words, stage_word
from ci.model import CheckResult, Outcome, StageReport

Redact = Callable[[str], str]

LINE_LIMIT = 400
_FALSE = {"", "0", "false", "no"}


def choose_progress(
    stderr: TextIO, environ: Mapping[str, str], verbose: bool, redact: Redact
) -> AbstractContextManager[Progress]:
    """Live on a terminal that a person looks at, else plain lines. `verbose` shows passes and activities, too.

    NO_COLOR (https://no-color.org) takes the colours away, not the movement.
    """
    if is_live(stderr, environ):
        return _live(stderr, environ, verbose, redact)
    return contextlib.nullcontext(PlainProgress(stderr, verbose, redact))


def is_live(stderr: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether lines may be rewritten: a terminal, no CI, and a TERM that can."""
    in_ci = environ.get("CI", "").lower() not in _FALSE
    try:
        return stderr.isatty() and not in_ci and environ.get("TERM", "") not in {"", "dumb"}
    except ValueError:  # a closed file
        return False


@contextlib.contextmanager
def _live(stderr: TextIO, environ: Mapping[str, str], verbose: bool, redact: Redact) -> Iterator[Progress]:
    from ci.engine.live import LiveProgress  # rich takes longer to load than `gonogo --help` may take

    with LiveProgress(unfailing(stderr), environ, verbose, redact) as progress:
        yield progress


class PlainProgress:
    """One line for each event, without colour or movement. A pass is told only when `verbose`."""

    def __init__(self, stderr: TextIO, verbose: bool, redact: Redact) -> None:
        self._out = unfailing(stderr)
        self._verbose = verbose
        self._redact = redact
        self._begin = time.monotonic()
        self._activity: dict[str, str] = {}

    def say(self, message: str) -> None:
        self._line("gonogo", message)

    def stage_started(self, stage: str) -> None:
        self._line(stage, "started")

    def stage_at(self, stage: str, activity: str) -> None:
        if self._verbose and self._activity.get(stage) != activity:
            self._line(stage, f"at {activity}")
        self._activity[stage] = activity

    def check_done(self, stage: str, result: CheckResult) -> None:
        if result.outcome is Outcome.PASS and not result.flaky and not self._verbose:
            return
        for word, message in result_in_words(result):
            self._line(stage, f"{word} {message}")

    def stage_done(self, report: StageReport) -> None:
        lasted = seconds_in_words(report.duration_s)
        self._line(report.stage, f"{stage_word(report)}: {stage_in_words(report)} ({lasted})")

    def _line(self, stage: str, words: str) -> None:
        with contextlib.suppress(Exception):
            elapsed = time.monotonic() - self._begin
            told = log_line(self._redact(f"{stage}: {words}"), LINE_LIMIT)
            self._out.write(f"[{elapsed:6.1f} s] {told}\n")
            self._out.flush()


class _Unfailing:
    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.encoding = file.encoding or "utf-8"

    def write(self, words: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._file.write(words.encode(self.encoding, "replace").decode(self.encoding))
        return len(words)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()


def unfailing(file: TextIO) -> TextIO:
    """A file that never raises: what cannot be encoded is replaced, what cannot be written is dropped."""
    return cast("TextIO", _Unfailing(file))
