"""One deployment and its life, in the words of Vercel's API."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Target = Literal["production", "staging"]


class ReadyState(StrEnum):
    """Where a build stands."""

    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    INITIALIZING = "INITIALIZING"
    READY = "READY"
    ERROR = "ERROR"
    CANCELED = "CANCELED"
    BLOCKED = "BLOCKED"
    DELETED = "DELETED"

    @property
    def ended(self) -> bool:
        """No further change will come by itself."""
        return self in {self.READY, self.ERROR, self.CANCELED, self.BLOCKED, self.DELETED}


class Substate(StrEnum):
    """What a production deployment has seen: PROMOTED means *has* served production, not "serves it now"."""

    STAGED = "STAGED"
    ROLLING = "ROLLING"
    PROMOTED = "PROMOTED"


@dataclass(frozen=True, slots=True)
class Source:
    """The commit that a deployment was built from.

    Vercel shows it as `gitSource` only when its Git integration has fetched the code (`integrated`). A deployment by
    its command line carries it in `meta.gitCommitSha` alone.
    """

    sha: str | None = None
    branch: str | None = None
    message: str | None = None
    integrated: bool = False

    def as_meta(self) -> dict[str, str]:
        """The metadata that Vercel adds to the deployment's own."""
        prefix = "github" if self.integrated else "git"
        known = {"CommitSha": self.sha, "CommitRef": self.branch, "CommitMessage": self.message}
        return {prefix + name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a build or an alias assignment did not succeed."""

    code: str
    message: str


@dataclass(slots=True)
class Deployment:
    """An immutable build at its own URL. Times are Unix milliseconds, as in the API."""

    id: str
    url: str
    name: str
    target: Target | None
    created_at: int
    auto_assign: bool = True
    meta: dict[str, str] = field(default_factory=dict)
    env_names: tuple[str, ...] = ()
    source: Source = Source()
    ready_state: ReadyState = ReadyState.QUEUED
    substate: Substate | None = None
    building_at: int | None = None
    ready_at: int | None = None
    alias_assigned_at: int | None = None
    alias_failure: Failure | None = None
    failure: Failure | None = None

    @property
    def production(self) -> bool:
        """Built with production's settings."""
        return self.target == "production"

    @property
    def has_served(self) -> bool:
        """Production has pointed at it at some time."""
        return self.substate is Substate.PROMOTED
