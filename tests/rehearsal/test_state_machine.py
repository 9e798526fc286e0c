"""Random histories of a project: whatever happens in whatever order, the alias map obeys its rules."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from ci.rehearsal.alias_requests import AliasRequest, JobStatus, JobType
from ci.rehearsal.deployments import Deployment, Failure, ReadyState
from ci.rehearsal.refusal import RefusedError
from ci.rehearsal.state import Project

DOMAINS = ("one.test", "two.test", "three.test")
REDIRECTING = "www.one.test"


class Histories(RuleBasedStateMachine):
    deployments = Bundle("deployments")
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000.0
        self.project = Project(id="prj_1", name="demo", account_id="team_1")
        for domain in DOMAINS:
            self.project.aliases.add(domain)
        self.project.aliases.add(REDIRECTING, redirect=DOMAINS[0])

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def map(self) -> dict[str, str | None]:
        return {alias.domain: alias.deployment_id for alias in self.project.aliases}

    @rule(target=deployments, production=st.booleans(), automatic=st.booleans())
    def create(self, production: bool, automatic: bool) -> Deployment:
        number = len(self.project.deployments)
        item = Deployment(
            id=f"dpl_{number}",
            url=f"{number}.test",
            name="demo",
            target="production" if production else None,
            created_at=number,
            auto_assign=automatic,
        )
        self.project.create(item)
        return item

    @rule(item=deployments)
    def finish_build(self, item: Deployment) -> None:
        before, live = self.map(), self.project.auto_assign and item.auto_assign and item.production
        fresh = not item.ready_state.ended
        self.project.build_succeeded(item, self.tick())
        if fresh and live:
            assert self.project.aliases.everywhere() == item.id
        else:
            assert self.map() == before

    @rule(item=deployments)
    def fail_build(self, item: Deployment) -> None:
        before = self.map()
        self.project.build_failed(item, Failure("X", "x"))
        assert self.map() == before

    @rule(item=deployments)
    def delete(self, item: Deployment) -> None:
        before = self.map()
        try:
            self.project.delete(item)
        except RefusedError as refusal:
            assert refusal.status == 409
            assert item.id in {*before.values(), *self.project.on_the_way}
        assert self.map() == before

    @rule(target=jobs, item=deployments)
    def promote(self, item: Deployment) -> object:
        before = self.map()
        try:
            job = self.project.request_promotion(item, self.tick())
        except RefusedError as refusal:
            assert refusal.status in {409, 410, 422}
            return multiple()
        finally:
            assert self.map() == before  # accepting moves nothing: only the job does
        return job if job else multiple()

    @rule(target=jobs, item=deployments)
    def roll_back(self, item: Deployment) -> object:
        before, automatic = self.map(), self.project.auto_assign
        try:
            job = self.project.request_rollback(item, self.tick())
        except RefusedError as refusal:
            assert refusal.status in {402, 410, 422}
            assert self.project.auto_assign is automatic
            return multiple()
        finally:
            assert self.map() == before
        assert self.project.auto_assign is False
        return job

    @rule(job=jobs)
    def move_one(self, job: AliasRequest) -> None:
        if self.project.superseded(job):
            return
        self.project.begin(job)
        left = [alias for alias in self.project.aliases.routed if alias.deployment_id != job.to_id]
        if left:
            self.project.move(job, left[0], self.tick())
        else:
            self.project.finish(job, JobStatus.SUCCEEDED, self.tick())
            assert self.project.current_id == job.to_id
            assert self.project.auto_assign is (job.type is JobType.PROMOTE)

    @rule(job=consumes(jobs), status=st.sampled_from([JobStatus.FAILED, JobStatus.SKIPPED]))
    def end_job(self, job: AliasRequest, status: JobStatus) -> None:
        before = self.project.current_id
        if not self.project.superseded(job):
            self.project.finish(job, status, self.tick())
            assert self.project.current_id == before

    @rule(item=deployments)
    def somebody_else(self, item: Deployment) -> None:
        try:
            self.project.change_at_once(JobType.PROMOTE, item, self.tick())
        except RefusedError:
            return
        assert self.project.aliases.everywhere() == item.id == self.project.current_id

    @rule(item=deployments)
    def start_rolling_release(self, item: Deployment) -> None:
        before = self.map()
        try:
            self.project.start_rolling_release(item, self.tick(), (10, 100))
        except RefusedError as refusal:
            assert refusal.status in {409, 410, 422}
        assert self.map() == before

    @rule(target=jobs)
    def approve_rolling_stage(self) -> object:
        try:
            job = self.project.approve_rolling_stage(self.tick())
        except RefusedError as refusal:
            assert refusal.status in {409, 410, 422}
            return multiple()
        return job if job else multiple()

    @invariant()
    def only_ready_production_builds_are_served(self) -> None:
        for alias in self.project.aliases.routed:
            if alias.deployment_id:
                item = self.project.deployments[alias.deployment_id]
                assert item.production
                assert item.ready_state is ReadyState.READY

    @invariant()
    def a_redirecting_domain_serves_nothing(self) -> None:
        assert self.project.aliases[REDIRECTING].deployment_id is None

    @invariant()
    def only_the_last_job_can_be_open(self) -> None:
        assert not any(request.open for request in self.project.requests[:-1])

    @invariant()
    def requests_are_told_apart_by_time(self) -> None:
        times = [request.requested_at for request in self.project.requests]
        assert times == sorted(set(times))

    @invariant()
    def split_domains_mean_an_unfinished_or_failed_job(self) -> None:
        served = {alias.deployment_id for alias in self.project.aliases.routed}
        if len(served) > 1:
            ended_well = [item for item in self.project.requests if item.status is JobStatus.SUCCEEDED]
            assert len(ended_well) < len(self.project.requests)

    @invariant()
    def what_is_current_has_served(self) -> None:
        if self.project.current_id:
            assert self.project.deployments[self.project.current_id].has_served

    @invariant()
    def the_edge_serves_what_was_assigned_at_some_time(self) -> None:
        for alias in self.project.aliases.routed:
            known = {move.deployment_id for move in alias.moves}
            for delay in (0.0, 1.5, 1e9):
                served = alias.served(self.now, delay)
                assert served in known or (served is None and not known)
            assert alias.served(self.now) == alias.deployment_id


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase


def test_a_canary_that_became_production_stays_it_when_its_rolling_release_is_aborted() -> None:
    project = Project(id="prj_1", name="demo", account_id="team_1")
    project.aliases.add(DOMAINS[0])
    first, canary = (
        Deployment(id=f"dpl_{n}", url=f"{n}.test", name="demo", target="production", created_at=n, auto_assign=n == 0)
        for n in range(2)
    )
    for item in (first, canary):
        project.create(item)
        project.build_succeeded(item, 1.0)
    project.start_rolling_release(canary, 2.0, (10, 100))
    project.change_at_once(JobType.PROMOTE, canary, 3.0)
    project.request_rollback(canary, 4.0)
    assert project.current_id == canary.id
    assert canary.has_served
    project.start_rolling_release(first, 5.0, (10, 100))
    project.request_rollback(canary, 6.0)
    assert first.has_served, "it served before it was a canary"


def test_what_is_about_to_serve_production_is_not_deleted() -> None:
    project = Project(id="prj_1", name="demo", account_id="team_1")
    project.aliases.add(DOMAINS[0])
    item = Deployment(id="dpl_1", url="1.test", name="demo", target="production", created_at=1, auto_assign=False)
    project.create(item)
    project.build_succeeded(item, 1.0)
    job = project.request_promotion(item, 2.0)
    with pytest.raises(RefusedError, match="about to"):
        project.delete(item)
    assert job
    project.finish(job, JobStatus.FAILED, 3.0)
    project.delete(item)
    assert item.ready_state is ReadyState.DELETED
