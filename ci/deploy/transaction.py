"""One release under way: what its phases share. Everything that must outlive this process is in the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ci.deploy.answers import Deployment, Project
from ci.deploy.context import Context, Stage, Test, Verify
from ci.deploy.journal import NO_FACTS, Fact, Facts, Journal
from ci.deploy.judgement import Move, who_serves
from ci.deploy.transitions import Phase, Signal
from ci.model import ReleaseEnd, Subject


class Result(NamedTuple):
    """What came out of a phase, a sentence for people, and what later phases must know."""

    signal: Signal
    message: str
    facts: Facts = NO_FACTS


PROMOTE = "promote"
ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A release: its context, its journal, and what the caller brings for testing and verifying."""

    ctx: Context
    journal: Journal
    verify: Verify
    stage: Stage | None = None
    test: Test | None = None
    back_to: str | None = None
    """The deployment that a rollback by hand shall go to; None for the one before."""
    resumed: bool = False
    """The process that began this release is gone."""

    def say(self, phase: Phase | ReleaseEnd, message: str, facts: Facts = NO_FACTS) -> None:
        """Note an event and tell it."""
        self.journal.note(phase, message, facts)
        self.ctx.progress.say(self.ctx.store.redact(f"{phase}: {message}"))

    async def read_project(self) -> Project:
        """The project as it is now; what it serves is remembered. Raises ApiError."""
        project = await self.ctx.vercel.project()
        self.journal.saw_serving(who_serves(project).one)
        return project

    @property
    def candidate(self) -> Subject:
        return self.journal.release.candidate

    @property
    def candidate_id(self) -> str:
        assert self.candidate.deployment_id is not None, "the candidate is known from STAGE on"
        return self.candidate.deployment_id

    @property
    def previous(self) -> Subject | None:
        return self.journal.release.previous

    @property
    def previous_id(self) -> str | None:
        return self.previous.deployment_id if self.previous else None

    @property
    def direction(self) -> str | None:
        """`promote` or `rollback`: the last write that was announced; None before the first."""
        return self.journal.recall(Fact.INTENT)

    @property
    def expected(self) -> Subject:
        """What production should show now, at its public URL."""
        subject = self.previous if self.direction == ROLLBACK else self.candidate
        assert subject is not None, "a rollback has a deployment to go to"
        return self._in_production(subject)

    @property
    def outgoing(self) -> Subject | None:
        """What production has shown before, at its public URL."""
        subject = self.candidate if self.direction == ROLLBACK else self.previous
        return self._in_production(subject) if subject else None

    def _in_production(self, subject: Subject) -> Subject:
        return subject.model_copy(update={"url": self.ctx.config.target.production})

    def move(self) -> Move:
        """The announced write as the journal tells it."""
        ends = (self.candidate_id, self.previous_id)
        to, away_from = reversed(ends) if self.direction == ROLLBACK else ends
        assert to is not None
        return Move(
            type=self.direction or PROMOTE,
            to=to,
            away_from=away_from,
            job_before=self.job_time(Fact.JOB_BEFORE),
            by_domains=self.journal.recall(Fact.ANSWER) == "current",
        )

    def job_time(self, fact: Fact) -> int | None:
        """`requestedAt` of a job that an event has noted."""
        text = self.journal.recall(fact)
        return int(text) if text else None


def requested_at(project: Project) -> int | None:
    """What tells the project's last job from a later one."""
    return project.last_alias_request.requested_at if project.last_alias_request else None


def subject_of(deployment: Deployment) -> Subject:
    """The deployment at its own immutable URL."""
    return Subject(url=deployment.base_url, commit=deployment.commit, deployment_id=deployment.id)
