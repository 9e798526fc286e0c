"""Which of two commits is the older one, by git."""

from __future__ import annotations

from pathlib import Path

from ci.deploy.context import Ancestry
from ci.engine.tools import run_tool
from ci.errors import CannotRun

GIT_S = 20.0


def git_ancestry(folder: Path) -> Ancestry:
    """Asks the clone in `folder`. A clone that is too shallow, or no clone at all, knows nothing."""

    async def is_ancestor(first: str, second: str) -> bool | None:
        try:
            # 0: yes, 1: no; everything else, such as 128 for an unknown commit, is no answer.
            command = ["git", "merge-base", "--is-ancestor", "--end-of-options", first, second]
            run = await run_tool(command, timeout_s=GIT_S, cwd=folder, ok=(0, 1))
        except CannotRun:
            return None
        return run.exit_code == 0

    return is_ancestor
