"""A rolling release: a canary takes traffic in steps before it becomes production.

Here it is what promotions wait for. The edge does not split traffic: it serves the current deployment until the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class RollingState(StrEnum):
    """Where a rolling release stands."""

    ACTIVE = "ACTIVE"
    COMPLETE = "COMPLETE"
    ABORTED = "ABORTED"


@dataclass(slots=True)
class RollingRelease:
    """The latest rolling release of the project; promotions asked for meanwhile wait in `queued`."""

    current_id: str
    canary_id: str
    percentages: tuple[int, ...] = (10, 100)
    stage: int = 0
    state: RollingState = RollingState.ACTIVE
    started_at: int = 0
    updated_at: int = 0
    queued: list[str] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Promotions must wait for its end."""
        return self.state is RollingState.ACTIVE

    @property
    def last_stage(self) -> bool:
        """The next approval completes it."""
        return self.stage >= len(self.percentages) - 1
