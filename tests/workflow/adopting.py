"""The tables of docs/adopting.md: `python -m tests.workflow.adopting` renews them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from ci.cli.minutes import minutes

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adopting.md"
TABLE = re.compile(r"(<!-- gonogo workflow minutes(?P<options>.*?)-->\n).*?(<!-- /minutes -->)", re.DOTALL)


def renewed(text: str) -> str:
    """The page with every table as the command prints it."""

    def table(shown: re.Match[str]) -> str:
        options = [*shlex.split(shown["options"]), "--workflows", str(ROOT / ".github" / "workflows")]
        told = CliRunner().invoke(minutes, options)
        assert told.exit_code == 0, told.output
        return f"{shown[1]}{told.stdout.rstrip()}\n{shown[3]}"

    return TABLE.sub(table, text)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
