"""Running other programs: every one has a deadline, and none outlives the run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.errors import CannotRun
from ci.model import ErrorKind

GRACE_S = 3.0
"""Seconds between asking a process to end and killing it."""
LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one line of output."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A program's end."""

    name: str
    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The standard output as JSON. Raises CannotRun(BAD_OUTPUT) when it is not."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            start = self.stdout[:200] or "nothing"
            raise CannotRun(
                ErrorKind.BAD_OUTPUT, f"{self.name} ended with {self.exit_code} and printed no JSON, but: {start}"
            ) from error

    def failed(self) -> CannotRun:
        """That it ended as it should not have, with its last words."""
        words = (self.stderr or self.stdout).strip()[-800:] or "no output"
        return CannotRun(ErrorKind.TOOL_FAILED, f"{self.name} ended with exit code {self.exit_code}: {words}")


async def run_tool(
    command: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    ok: Sequence[int] = (0,),
    on_line: Callable[[str], str | None] | None = None,
    conversing: bool = False,
) -> ToolRun:
    """Run a program to its end.

    `on_line` is told each line of standard output as it comes. The standard input of a `conversing` program stays open
    as long as this process lives, and the line that `on_line` gives back, if any, is written there.
    Raises CannotRun: TOOL_MISSING when the program is not there, TIMEOUT after `timeout_s` seconds, TOOL_FAILED for an
    exit code not in `ok`.
    On a time-out, an exception or a cancellation the program and its children are ended first.
    """
    argv = [str(part) for part in command]
    name = Path(argv[0]).name
    if shutil.which(argv[0], path=(env or os.environ).get("PATH")) is None:
        raise CannotRun(ErrorKind.TOOL_MISSING, f"the program `{name}` is not installed")
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=asyncio.subprocess.PIPE if conversing else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=LINE_LIMIT,
    )

    def hear(line: str) -> None:
        said = on_line(line) if on_line else None
        if said is not None and process.stdin:
            process.stdin.write(f"{said}\n".encode())

    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await asyncio.gather(_lines(process.stdout, hear), _lines(process.stderr, None))
            await process.wait()
    except TimeoutError:
        raise CannotRun(ErrorKind.TIMEOUT, f"{name} did not end within {timeout_s:g} s") from None
    finally:
        await end_process_group(process)
    assert process.returncode is not None
    run = ToolRun(name, process.returncode, stdout, stderr)
    if run.exit_code not in ok:
        raise run.failed()
    return run


async def end_process_group(process: asyncio.subprocess.Process) -> None:
    """End a process started in a session of its own, and all its children: politely, then for certain."""
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def _lines(stream: asyncio.StreamReader | None, on_line: Callable[[str], None] | None) -> str:
    assert stream is not None
    kept: list[str] = []
    async for raw in stream:
        line = raw.decode(errors="replace")
        kept.append(line)
        if on_line:
            on_line(line.rstrip("\n"))
    return "".join(kept)
