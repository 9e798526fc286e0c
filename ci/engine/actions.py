"""What a step of GitHub Actions leaves to its workflow: outputs, a summary, annotations. Elsewhere, nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ci.engine.inert import log_line
from ci.engine.redaction import Redactor
from ci.errors import ConfigError

SUMMARY_LIMIT = 1_000_000
"""Bytes. GitHub drops a step's summary of more than 1 MiB as a whole."""

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Step:
    """The step that this process is. Every text passes the redactor."""

    environ: Mapping[str, str]
    redact: Redactor

    @property
    def inside(self) -> bool:
        """Whether this is a step of GitHub Actions at all."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    def output(self, **values: str) -> None:
        """Outputs for later steps and jobs. Raises ConfigError for a value that another could hide in."""
        lines = []
        for name, value in values.items():
            if not _NAME.fullmatch(name) or "\n" in value or "\r" in value:
                raise ConfigError(f"the output {name} must be one line")
            lines.append(f"{name}={self.redact(value)}\n")
        self._append("GITHUB_OUTPUT", "".join(lines))

    def summary(self, markdown: str) -> None:
        """A part of the run's page. What does not fit is left out, and that is said."""
        text = self.redact(markdown).rstrip("\n") + "\n\n"
        if len(text.encode()) > SUMMARY_LIMIT:
            text = text.encode()[: SUMMARY_LIMIT - 200].decode(errors="ignore") + "\n\n*More did not fit here.*\n\n"
        self._append("GITHUB_STEP_SUMMARY", text)

    def annotate(self, commands: str, out: TextIO) -> None:
        """Workflow commands, ready-made by `ci.report.annotations`. Their text is inert, but not yet redacted."""
        if self.inside and commands:
            # Output of checks may hold commands of its own; none must act between ours.
            out.write("".join(f"{self.redact(line)}\n" for line in commands.splitlines()))
            out.flush()

    def notice(self, message: str, out: TextIO) -> None:
        """One sentence on the run's page."""
        self.annotate(f"::notice title=Gonogo::{log_line(message, 1000)}", out)

    def _append(self, variable: str, text: str) -> None:
        path = self.environ.get(variable)
        if self.inside and path and text:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
