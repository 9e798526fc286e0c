"""Who asked the API for what: the count of calls, and every write in full."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(slots=True)
class Write:
    """One write that reached the API. `status` is what was answered; None while under way and when the answer was lost.

    `at`: Unix seconds. `applied`: the operation took effect.
    """

    method: str
    path: str
    operation: str
    at: float
    status: int | None = None
    applied: bool = False


@dataclass(slots=True)
class Ledger:
    """Everything that was asked since the start, or since the last `clear`."""

    calls: Counter[str] = field(default_factory=Counter)
    writes: list[Write] = field(default_factory=list)

    def note(self, method: str, path: str, operation: str, at: float) -> Write | None:
        """Record a call; for a write, its entry."""
        self.calls[operation] += 1
        if method in READS:
            return None
        self.writes.append(Write(method, path, operation, at))
        return self.writes[-1]

    def clear(self) -> None:
        """Forget everything."""
        self.calls.clear()
        self.writes.clear()
