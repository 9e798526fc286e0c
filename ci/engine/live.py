"""The moving display for a person at a terminal: one line for each running stage, findings above them as they come."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ci.engine.inert import log_line
from ci.engine.wording import counts_in_words, result_in_words, seconds_in_words, stage_in_words, stage_word
from ci.model import CheckResult, Outcome, StageReport

REFRESHES_PER_S = 8
LINE_LIMIT = 800
_STYLES = {
    "PASS": "green",
    "FAIL": "bold red",
    "ERROR": "bold yellow",
    "NOT RUN": "bold yellow",
    "STOPPED": "bold yellow",
    "FLAKY": "yellow",
    "SKIP": "dim",
}
_WORD_WIDTH = max(map(len, _STYLES))


@dataclass
class _Stage:
    """A stage under way."""

    begin: float
    activity: str = ""
    done: Counter[Outcome] = field(default_factory=Counter)

    def tally(self) -> str:
        return counts_in_words(self.done.elements()) if self.done else ""


class LiveProgress:
    """A context manager. A stage's moving line gives way to its summary when the stage ends."""

    def __init__(
        self, stderr: IO[str], environ: Mapping[str, str], verbose: bool, redact: Callable[[str], str]
    ) -> None:
        self._console = Console(
            file=stderr, force_terminal=True, highlight=False, markup=False, emoji=False, _environ=environ
        )
        self._verbose = verbose
        self._redact = redact
        self._stages: dict[str, _Stage] = {}
        unicode = self._console.encoding.lower().startswith("utf")
        self._spinner = Spinner("dots" if unicode else "line")
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,  # standard output is for the result alone
        )

    def __enter__(self) -> Self:
        with contextlib.suppress(Exception):
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves nothing moving. A stage that has not ended says so."""
        for name, stage in list(self._stages.items()):
            self._print("STOPPED", f"{name}: {stage.tally() or 'nothing checked'} when the run ended")
        self._stages.clear()
        with contextlib.suppress(Exception):
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Drawn by rich's own thread: it reads a copy of the stages, and every text in them is clean already."""
        grid = Table.grid(padding=(0, 2))
        for room in (1, 8, 6, 22):  # wide enough that the columns seldom move
            grid.add_column(no_wrap=True, min_width=room)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        frame = self._spinner.render(console.get_time())
        now = time.monotonic()
        for name, stage in list(self._stages.items()):
            title = Text(name, style="bold")
            lasted = Text(f"{now - stage.begin:4.0f} s")
            grid.add_row(frame, title, lasted, Text(stage.tally()), Text(stage.activity, style="dim"))
        yield grid

    def say(self, message: str) -> None:
        self._print("", message)

    def stage_started(self, stage: str) -> None:
        with contextlib.suppress(Exception):
            self._stages[self._clean(stage)] = _Stage(time.monotonic())

    def stage_at(self, stage: str, activity: str) -> None:
        with contextlib.suppress(Exception):
            self._of(stage).activity = self._clean(activity)

    def check_done(self, stage: str, result: CheckResult) -> None:
        with contextlib.suppress(Exception):
            self._of(stage).done[result.outcome] += 1
        if result.outcome in {Outcome.FAIL, Outcome.ERROR} or result.flaky or self._verbose:
            for word, message in result_in_words(result):
                self._print(word, message)

    def stage_done(self, report: StageReport) -> None:
        with contextlib.suppress(Exception):
            self._stages.pop(self._clean(report.stage), None)
        told = f"{report.stage}: {stage_in_words(report)} ({seconds_in_words(report.duration_s)})"
        self._print(stage_word(report), told, style="bold")

    def _of(self, stage: str) -> _Stage:
        return self._stages.setdefault(self._clean(stage), _Stage(time.monotonic()))

    def _print(self, word: str, message: str, style: str = "") -> None:
        """A line that stays, above the moving ones; what does not fit is continued under the message."""
        with contextlib.suppress(Exception):
            grid = Table.grid(padding=(0, 2))
            grid.add_column(width=_WORD_WIDTH, no_wrap=True)
            grid.add_column(overflow="fold")
            grid.add_row(Text(word, style=_STYLES.get(word, "")), Text(self._clean(message), style=style))
            self._console.print(grid)

    def _clean(self, text: str) -> str:
        return log_line(self._redact(text), LINE_LIMIT)
