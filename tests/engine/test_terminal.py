"""Progress on a real terminal (a pty), on a pipe, and where nothing can be written."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci.engine.redaction import MASK, Redactor
from ci.engine.terminal import PlainProgress, choose_progress, is_live
from ci.model import (
    CheckError,
    CheckResult,
    CheckSpec,
    ErrorKind,
    Evidence,
    Finding,
    Outcome,
    Severity,
    StageReport,
    Subject,
)

ROOT = Path(__file__).parents[2]
BEGIN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SECRET = "correct-horse-battery"
ANSI = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")

RUN = """
import os, sys
from ci.engine.redaction import Redactor
from ci.engine.terminal import choose_progress
from tests.engine.test_terminal import SECRET, tell
with choose_progress(sys.stderr, os.environ, "--verbose" in sys.argv, Redactor([SECRET])) as progress:
    tell(progress)
    if "--stop" in sys.argv:
        progress.stage_started("load")
        raise KeyboardInterrupt
print("result")
"""


def spec(id: str) -> CheckSpec:
    return CheckSpec(id=id, title="It works", severity=Severity.HIGH, why="w", remediation="r")


def passed(id: str, attempts: int = 1) -> CheckResult:
    seen = (Evidence(summary="GET / answered 200"),)
    return CheckResult(spec=spec(id), outcome=Outcome.PASS, evidence=seen, attempts=attempts)


def failed(id: str, message: str) -> CheckResult:
    finding = Finding(check_id=id, message=message, severity=Severity.HIGH)
    return CheckResult(spec=spec(id), outcome=Outcome.FAIL, findings=(finding,))


def errored(id: str, message: str) -> CheckResult:
    return CheckResult(spec=spec(id), outcome=Outcome.ERROR, error=CheckError(kind=ErrorKind.TIMEOUT, message=message))


def report(stage: str, *results: CheckResult, not_run: str | None = None) -> StageReport:
    return StageReport(
        stage=stage,
        subject=Subject(url="https://app.example.com"),
        started_at=BEGIN,
        finished_at=BEGIN + timedelta(seconds=3.2),
        results=results,
        not_run=not_run,
    )


def tell(progress) -> None:
    """A run in which everything happens once."""
    progress.say(f"target https://app.example.com, token {SECRET}")
    for stage in ("smoke", "security"):
        progress.stage_started(stage)
    progress.stage_at("smoke", "smoke/health")
    results = (
        passed("smoke/health"),
        passed("smoke/refresh", attempts=2),
        failed("smoke/login", f"the answer held {SECRET}\r\n::error::owned \x1b[2J"),
        errored("smoke/slow", "no answer within 10 s"),
    )
    for result in results:
        progress.stage_at("smoke", result.spec.id)
        progress.check_done("smoke", result)
    progress.stage_done(report("smoke", *results))
    progress.check_done("security", passed("security/hsts"))
    progress.stage_done(report("security", passed("security/hsts")))
    progress.stage_done(report("load", not_run="smoke was NO-GO"))


def environment(**more: str) -> dict[str, str]:
    quiet = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR", "TERM", "COLUMNS"}}
    return {**quiet, "TERM": "xterm-256color", "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), **more}


def on_a_terminal(*arguments: str, columns: int = 90, **more: str) -> str:
    """What a person's terminal gets of a run: everything written to it, movements included."""
    here, there = os.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdin=there, stdout=subprocess.PIPE, stderr=there, env=environment(**more), cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    os.close(there)
    try:
        written = b"".join(_chunks(here))
        out, _ = process.communicate(timeout=30)
    finally:
        os.close(here)
        process.kill()
        process.wait()
    assert out in {b"result\n", b""}, "standard output is for the result alone"
    return written.decode()


def _chunks(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return
        if not chunk:
            return
        yield chunk


def screen(written: str) -> list[str]:
    """The lines that stand on the terminal at the end (the few movements of ECMA-48 that rich makes)."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b["):
            if part.endswith("A"):
                row -= int(part[2:-1] or 1)
            elif part == "\x1b[2K":
                lines[row] = ""
        else:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


def test_a_terminal_ends_with_findings_and_one_summary_for_each_stage() -> None:
    assert screen(on_a_terminal()) == [
        f"         target https://app.example.com, token {MASK}",
        "FLAKY    smoke/refresh: passed at try 2",
        f"FAIL     smoke/login: high: the answer held {MASK} ::error::owned ␛[2J",
        "ERROR    smoke/slow: timeout: no answer within 10 s",
        "FAIL     smoke: 1 failed, 1 undecided, 2 passed (3.2 s)",
        "PASS     security: 1 passed (3.2 s)",
        "NOT RUN  load: smoke was NO-GO (3.2 s)",
    ]


def test_a_terminal_shows_stages_side_by_side_while_they_run() -> None:
    written = ANSI.sub("", on_a_terminal())
    assert re.search(r"smoke +0 s .*\r?\n. +security +0 s", written)
    assert "2 passed" in written


def test_the_cursor_comes_back() -> None:
    written = on_a_terminal()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_a_run_that_is_stopped_says_what_did_not_end_and_gives_the_cursor_back() -> None:
    written = on_a_terminal("--stop")
    assert "STOPPED  load: nothing checked when the run ended" in "\n".join(screen(written))
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_no_color_takes_the_colours_alone() -> None:
    plain, coloured = on_a_terminal(NO_COLOR="1"), on_a_terminal()
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", plain) and re.search(r"\x1b\[[\d;]*3[0-7]m", coloured)
    assert screen(plain) == screen(coloured)
    assert "\x1b[2K" in plain


def test_verbose_tells_passes() -> None:
    assert "PASS     smoke/health: It works" in screen(on_a_terminal("--verbose"))


def test_a_narrow_terminal_shows_every_word() -> None:
    narrow, wide = screen(on_a_terminal(columns=30)), screen(on_a_terminal(columns=200))
    assert max(map(len, narrow)) <= 30 < max(map(len, wide))
    assert re.sub(r"\s", "", "".join(narrow)) == re.sub(r"\s", "", "".join(wide))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_spell_gets_what_it_can(encoding: str) -> None:
    written = on_a_terminal(PYTHONUTF8="0", PYTHONIOENCODING=f"{encoding}:strict")
    assert "PASS     security: 1 passed (3.2 s)" in screen(written)


@pytest.mark.parametrize(
    "settings", [{"CI": "true"}, {"TERM": "dumb"}, {"TERM": ""}, {"CI": "1", "GITHUB_ACTIONS": "true"}]
)
def test_no_movement_in_ci_or_on_a_dumb_terminal(settings: dict[str, str]) -> None:
    written = on_a_terminal(**settings)
    assert "\x1b" not in written
    assert "smoke: FAIL: 1 failed, 1 undecided, 2 passed (3.2 s)" in written


def piped(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), cwd=ROOT, timeout=30)


def test_a_pipe_gets_one_plain_line_for_each_event() -> None:
    run = piped()
    assert run.stdout == "result\n"
    lines = run.stderr.splitlines()
    assert all(re.match(r"\[ *\d+\.\d s\] \w+: \S", line) for line in lines)
    assert [re.sub(r"^\[.*?\] ", "", line) for line in lines] == [
        f"gonogo: target https://app.example.com, token {MASK}",
        "smoke: started",
        "security: started",
        "smoke: FLAKY smoke/refresh: passed at try 2",
        f"smoke: FAIL smoke/login: high: the answer held {MASK} ::error::owned ␛[2J",
        "smoke: ERROR smoke/slow: timeout: no answer within 10 s",
        "smoke: FAIL: 1 failed, 1 undecided, 2 passed (3.2 s)",
        "security: PASS: 1 passed (3.2 s)",
        "load: NOT RUN: smoke was NO-GO (3.2 s)",
    ]


def test_verbose_on_a_pipe_tells_passes_and_activities() -> None:
    told = piped("--verbose").stderr
    assert "smoke: at smoke/health" in told and "smoke: PASS smoke/health: It works" in told


def test_plain_lines_do_not_wait_for_rich() -> None:
    code = """if True:
        import io, sys
        from ci.engine.terminal import choose_progress
        choose_progress(io.StringIO(), {}, False, str)
        print("rich" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert run.stdout == "False\n"


class Broken(io.StringIO):
    """A terminal that has been closed under the run's feet."""

    def isatty(self) -> bool:
        return True

    def write(self, _: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("environ", [{"TERM": "xterm"}, {"TERM": "dumb"}], ids=["live", "plain"])
def test_a_broken_terminal_does_not_stop_the_run(environ: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    with choose_progress(Broken(), environ, True, str) as progress:
        tell(progress)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("environ", [{"TERM": "xterm"}, {"TERM": "dumb"}], ids=["live", "plain"])
def test_a_redactor_that_fails_shows_nothing_and_stops_nothing(environ: dict[str, str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def broken(_: str) -> str:
        raise RuntimeError("no mask")

    terminal = Terminal()
    with choose_progress(terminal, environ, True, broken) as progress:
        tell(progress)
    assert "example" not in terminal.getvalue() and SECRET not in terminal.getvalue()


def test_a_closed_file_is_no_terminal() -> None:
    file = io.StringIO()
    file.close()
    assert not is_live(file, {"TERM": "xterm"})
    tell(PlainProgress(file, True, Redactor()))


def test_a_run_that_fails_fails_as_it_would_without_a_display() -> None:
    with pytest.raises(ZeroDivisionError), choose_progress(Broken(), {"TERM": "xterm"}, False, str) as progress:
        progress.stage_started("smoke")
        raise ZeroDivisionError
