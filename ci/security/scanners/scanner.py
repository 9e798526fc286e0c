"""What a scanner is, and what it hands back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ci.config.shape.security import Code
from ci.model import CheckSpec, Severity
from ci.security.scanners.repository import Repository

LEAK = "leak"
"""The one rule of all secrets: what a tool calls them changes with its version, and no fingerprint may by that."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that a tool found fault with."""

    path: str
    line: int
    rule: str
    message: str
    severity: Severity
    content: str
    """What was found fault with: part of the fingerprint as a hash, and never shown, since it may be a secret."""
    last_line: int | None = None

    @property
    def key(self) -> str:
        """Survives a move to other lines and a new indentation."""
        normal = re.sub(r"\s+", " ", self.content).strip()
        return f"{self.rule} {hashlib.sha256(normal.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Examined:
    """What a scanner looked at, in words, and what it found. Words for nothing examined cannot be given."""

    what: tuple[str, ...]
    hits: tuple[Hit, ...] = ()


Look = Callable[[Repository, Code], Awaitable[Examined]]


@dataclass(frozen=True, slots=True)
class Scanner:
    """A declaration and the look that answers it. The look raises CannotRun, or NotApplicable."""

    spec: CheckSpec
    look: Look


def lines_at(text: str, line: int) -> str:
    """The line's content. The mark that begins a key says nothing of the key, so two lines that follow it count too."""
    lines = text.split("\n")
    count = 3 if "-----BEGIN" in "".join(lines[line - 1 : line]) else 1
    return "\n".join(lines[line - 1 : line - 1 + count])
