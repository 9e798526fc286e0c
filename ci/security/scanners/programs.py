"""Starting the scanners' programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ci.engine.redaction import SECRET_VARIABLES
from ci.engine.tools import ToolRun, run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind

FOLDER = Path(sys.executable).parent
"""Where the tools of the `security` extra are installed, whether or not that is on the PATH."""
ANY_EXIT = range(-64, 256)


async def start(
    name: str, *arguments: str | Path, timeout_s: float, cwd: Path, ok: Sequence[int] = (0,), **environ: str
) -> ToolRun:
    """Run a scanner in `cwd`. Raises CannotRun as `run_tool` does, and says which extra holds a missing program.

    It is not given the secrets of the run: no scanner needs one.
    """
    beside = FOLDER / name
    env = {key: value for key, value in os.environ.items() if key not in SECRET_VARIABLES}
    env |= {"PYTHONUTF8": "1", "NO_COLOR": "1", **environ}
    command = [beside if beside.exists() else name, *arguments]
    try:
        done = await run_tool(command, timeout_s=timeout_s, cwd=cwd, env=env, ok=ANY_EXIT)
    except CannotRun as error:
        if error.kind is ErrorKind.TOOL_MISSING:
            raise CannotRun(error.kind, f"{error}: install Node.js for npm, gonogo[security] for the others") from None
        raise
    if done.exit_code not in ok:
        # Its standard output is never repeated: it may quote what it has found.
        words = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no word of why")
        raise CannotRun(ErrorKind.TOOL_FAILED, f"{name} ended with exit code {done.exit_code}: {words.strip()[:300]}")
    return done


def parsed(done: ToolRun) -> Any:
    """The program's answer as JSON. Raises CannotRun, without repeating an answer that is none."""
    try:
        return json.loads(done.stdout)
    except ValueError:
        message = f"{done.name} ended with exit code {done.exit_code} and printed no JSON"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message) from None


def wrong_shape(name: str, error: Exception) -> CannotRun:
    """That a program's answer is JSON, but not what is known of it. The answer itself is not repeated."""
    return CannotRun(ErrorKind.BAD_OUTPUT, f"{name} answered in a shape that is not known: {type(error).__name__}")
