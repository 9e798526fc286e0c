"""The baseline of detect-secrets: what somebody has looked at and found to be no secret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ci.errors import CannotRun
from ci.model import ErrorKind

Entry = tuple[str, str, str]
"""Path, kind, and hash of what looks like a secret."""


@dataclass(frozen=True, slots=True)
class Baseline:
    accepted: frozenset[Entry] = frozenset()

    def unmet(self, seen: set[Entry]) -> frozenset[Entry]:
        return self.accepted - seen


def read_baseline(path: Path) -> Baseline:
    """The baseline, empty when there is no such file. Raises CannotRun when it is damaged.

    An entry that was audited as a secret (`is_secret`) accepts nothing.
    """
    if not path.exists():
        return Baseline()
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        return Baseline(
            frozenset(
                (name, entry["type"], entry["hashed_secret"])
                for name, entries in results.items()
                for entry in entries
                if entry.get("is_secret") is not True
            )
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path.name} is no baseline of detect-secrets ({type(error).__name__}): restore it"
        raise CannotRun(ErrorKind.MISCONFIGURED, message) from error
