"""A promotion or a rollback as the project remembers it (`lastAliasRequest`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class JobStatus(StrEnum):
    """Progress of the asynchronous job that moves the aliases."""

    PENDING = "pending"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class JobType(StrEnum):
    """What asked for the job."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(slots=True)
class AliasRequest:
    """One promotion or rollback. It shows in the project from `visible_from` on (Vercel registers it a little late)."""

    type: JobType
    to_id: str
    from_id: str | None
    requested_at: int
    visible_from: int
    status: JobStatus = JobStatus.PENDING
    domains: dict[str, JobStatus] = field(default_factory=dict)
    description: str | None = None

    @property
    def open(self) -> bool:
        """Aliases may still move because of it."""
        return self.status in {JobStatus.PENDING, JobStatus.IN_PROGRESS}


def milliseconds(now: float) -> int:
    """Unix seconds as the API writes them."""
    return round(now * 1000)
