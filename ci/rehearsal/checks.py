"""Deployment checks: named conditions of a project, and their runs on deployments.

Pure. A check that blocks `deployment-alias` holds the production domains of an automatic deployment back until its
run on that deployment has succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ci.rehearsal.deployments import Deployment
from ci.rehearsal.refusal import not_found


class Blocks(StrEnum):
    """What waits for a check."""

    BUILD_START = "build-start"
    DEPLOYMENT_START = "deployment-start"
    DEPLOYMENT_ALIAS = "deployment-alias"
    DEPLOYMENT_PROMOTION = "deployment-promotion"
    NONE = "none"


class Requires(StrEnum):
    """What a check needs before it can run."""

    BUILD_READY = "build-ready"
    DEPLOYMENT_URL = "deployment-url"
    NONE = "none"


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"


class Conclusion(StrEnum):
    """How a run ended."""

    CANCELED = "canceled"
    SKIPPED = "skipped"
    TIMEOUT = "timeout"
    FAILED = "failed"
    NEUTRAL = "neutral"
    SUCCEEDED = "succeeded"


@dataclass(slots=True)
class Check:
    """One check of the project."""

    id: str
    name: str
    blocks: Blocks
    requires: Requires
    created_at: int
    timeout: int = 300


@dataclass(slots=True)
class Run:
    """One run of a check on a deployment."""

    id: str
    check_id: str
    deployment_id: str
    name: str
    created_at: int
    updated_at: int
    timeout: int
    status: RunStatus = RunStatus.QUEUED
    conclusion: Conclusion | None = None


@dataclass(slots=True)
class Checks:
    """All checks and runs of the project."""

    defined: dict[str, Check] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    def check(self, check_id: str) -> Check:
        """A check by id."""
        if check_id not in self.defined:
            raise not_found("Check")
        return self.defined[check_id]

    def run(self, run_id: str, deployment: Deployment) -> Run:
        """A run of this deployment by id."""
        run = self.runs.get(run_id)
        if run is None or run.deployment_id != deployment.id:
            raise not_found("Check run")
        return run

    def runs_of(self, deployment: Deployment) -> list[Run]:
        """The runs of a deployment, the oldest first."""
        return [run for run in self.runs.values() if run.deployment_id == deployment.id]

    def hold_back(self, deployment: Deployment) -> bool:
        """Whether a blocking check still keeps the production domains from this deployment."""
        passed = {run.check_id for run in self.runs_of(deployment) if run.conclusion is Conclusion.SUCCEEDED}
        return any(item.blocks is Blocks.DEPLOYMENT_ALIAS and item.id not in passed for item in self.defined.values())
