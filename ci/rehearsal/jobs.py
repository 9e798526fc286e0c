"""The asynchronous job behind a promotion or rollback: pending, then in progress, one domain at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from ci.rehearsal.alias_requests import AliasRequest, JobStatus, JobType
from ci.rehearsal.state import Project


class JobPlan(BaseModel):
    """How one job shall go. Without a plan it succeeds.

    `status`: the state it ends in, or, for `pending` and `in-progress`, stays stuck in.
    `moved`: how many domains it moves before it fails, sticks, or somebody else steps in.
    `other_writer`: id of a deployment that somebody else promotes at that point.
    `visible_after`: seconds until the project shows the job at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: JobStatus = JobStatus.SUCCEEDED
    moved: int = 0
    other_writer: str | None = None
    visible_after: float = 0.0


@dataclass(slots=True)
class Pace:
    """Seconds that a job waits before it begins, and before each domain that it moves."""

    pending: float = 0.05
    per_alias: float = 0.02


class AliasJobs:
    """Runs the jobs of one project; each accepted request takes the next plan."""

    def __init__(self, project: Project, pace: Pace) -> None:
        self.pace = pace
        self.plans: deque[JobPlan] = deque()
        self._project = project
        self._tasks: set[asyncio.Task[None]] = set()

    def next_plan(self) -> JobPlan:
        """The plan of the next job; it counts as used only when `start` is called."""
        return self.plans[0] if self.plans else JobPlan()

    def start(self, request: AliasRequest) -> None:
        """Run the job in the background."""
        plan = self.plans.popleft() if self.plans else JobPlan()
        task = asyncio.create_task(self._run(request, plan))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until every job that can end has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop all jobs where they stand."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, request: AliasRequest, plan: JobPlan) -> None:
        project = self._project
        await asyncio.sleep(self.pace.pending)
        if project.superseded(request) or plan.status is JobStatus.PENDING:
            return
        if plan.status is JobStatus.SKIPPED:
            project.finish(request, JobStatus.SKIPPED, time.time())
            return
        project.begin(request)
        moved = 0
        for domain in list(request.domains):
            if self._ends_here(request, plan, moved):
                return
            await asyncio.sleep(self.pace.per_alias)
            if project.superseded(request):
                return
            project.move(request, project.aliases[domain], time.time())
            moved += 1
        if not self._ends_here(request, plan, max(moved, plan.moved)):
            project.finish(request, JobStatus.SUCCEEDED, time.time())

    def _ends_here(self, request: AliasRequest, plan: JobPlan, moved: int) -> bool:
        if moved != plan.moved:
            return False
        if plan.other_writer:
            other = self._project.find(plan.other_writer)
            self._project.change_at_once(JobType.PROMOTE, other, time.time())
            return True
        if plan.status is JobStatus.FAILED:
            self._project.finish(request, JobStatus.FAILED, time.time())
        return plan.status in {JobStatus.FAILED, JobStatus.IN_PROGRESS}
