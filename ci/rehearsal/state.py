"""The project as Vercel sees it: deployments, alias map, promotions, and the rules that move them.

Pure: no I/O, no clock. Every transition takes `now` in Unix seconds. Refusals are raised as `RefusedError`
with the status that Vercel's document gives for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ci.rehearsal.alias_requests import AliasRequest, JobStatus, JobType, milliseconds
from ci.rehearsal.aliases import Alias, AliasMap
from ci.rehearsal.deployments import Deployment, Failure, ReadyState, Substate
from ci.rehearsal.refusal import RefusedError, not_found
from ci.rehearsal.rolling import RollingRelease, RollingState
from ci.rehearsal.variables import Variable

DESCRIPTION_LIMIT = 250
Plan = Literal["hobby", "pro", "enterprise"]


@dataclass(slots=True)
class Project:
    """One project with one production environment."""

    id: str
    name: str
    account_id: str
    team_slug: str | None = None
    created_at: int = 0
    plan: Plan = "pro"
    auto_assign: bool = True
    aliases: AliasMap = field(default_factory=AliasMap)
    staging: Alias | None = None
    """A domain that is not of production: no promotion moves it, only its assignment does."""
    deployments: dict[str, Deployment] = field(default_factory=dict)
    requests: list[AliasRequest] = field(default_factory=list)
    production_history: list[str] = field(default_factory=list)
    rolling_release: RollingRelease | None = None
    variables: list[Variable] = field(default_factory=list)
    must_wait: Callable[[Deployment], bool] = lambda deployment: False
    """Whether a blocking check still holds the aliases of a deployment back."""

    # -- reading

    @property
    def current_id(self) -> str | None:
        """`targets.production.id`: the deployment that last became production as a whole."""
        return self.production_history[-1] if self.production_history else None

    @property
    def pinned(self) -> bool:
        """The last change of production was a rollback, and no promotion has lifted its pin."""
        done = [request for request in self.requests if request.status is JobStatus.SUCCEEDED]
        return not self.auto_assign and bool(done) and done[-1].type is JobType.ROLLBACK

    def last_request(self, now: float) -> AliasRequest | None:
        """`lastAliasRequest`, as far as it is registered at `now`."""
        shown = [request for request in self.requests if request.visible_from <= milliseconds(now)]
        return shown[-1] if shown else None

    def find(self, id_or_url: str) -> Deployment:
        """A deployment by id, URL, or a domain that points at it."""
        key = id_or_url.removeprefix("https://").removeprefix("http://").rstrip("/")
        if key in self.aliases:
            key = self.aliases[key].deployment_id or key
        for deployment in self.deployments.values():
            if key in (deployment.id, deployment.url):
                return deployment
        raise not_found("Deployment")

    # -- building

    def create(self, deployment: Deployment) -> None:
        """Register a deployment whose build has not begun."""
        self.deployments[deployment.id] = deployment
        if deployment.production:
            deployment.substate = Substate.STAGED

    def build_began(self, deployment: Deployment, now: float) -> None:
        """The builder is at work."""
        if not deployment.ready_state.ended:
            deployment.ready_state, deployment.building_at = ReadyState.BUILDING, milliseconds(now)

    def build_succeeded(self, deployment: Deployment, now: float) -> None:
        """The deployment answers at its own URL; production aliases follow when nothing holds them back."""
        if deployment.ready_state.ended:
            return
        deployment.ready_state, deployment.ready_at = ReadyState.READY, milliseconds(now)
        if not self.assign_if_automatic(deployment, now) and not self.must_wait(deployment):
            deployment.alias_assigned_at = deployment.ready_at  # its own URL is all that it gets for now

    def build_failed(self, deployment: Deployment, failure: Failure) -> None:
        """The build ended without a running application."""
        if not deployment.ready_state.ended:
            deployment.ready_state, deployment.failure = ReadyState.ERROR, failure

    def cancel(self, deployment: Deployment) -> None:
        """Stop a build that has not ended."""
        if deployment.ready_state.ended:
            raise RefusedError(400, "bad_request", "The deployment has already ended and cannot be canceled")
        deployment.ready_state = ReadyState.CANCELED

    def delete(self, deployment: Deployment) -> None:
        """Remove a deployment for good; what serves production, or is about to, stays."""
        if self.aliases.of(deployment.id):
            raise RefusedError(409, "conflict", "The deployment is aliased to a production domain")
        if deployment.id in self.on_the_way:
            raise RefusedError(409, "conflict", "The deployment is about to be aliased to a production domain")
        deployment.ready_state = ReadyState.DELETED

    def assign_if_automatic(self, deployment: Deployment, now: float) -> bool:
        """Give a ready production build the production domains, unless project, build or a check says no."""
        automatic = deployment.production and deployment.auto_assign and self.auto_assign
        if not automatic or deployment.ready_state is not ReadyState.READY or self.must_wait(deployment):
            return False
        for alias in self.aliases.routed:
            alias.point_at(deployment.id, now)
        self._became_production(deployment, now)
        return True

    # -- promotion and rollback

    def request_promotion(self, deployment: Deployment, now: float, visible_after: float = 0.0) -> AliasRequest | None:
        """Accept a promotion: the job to run, or None when it waits behind a rolling release (202)."""
        self._demand_promotable(deployment)
        if self.rolling_release and self.rolling_release.active:
            self.rolling_release.queued.append(deployment.id)
            return None
        return self._request(JobType.PROMOTE, deployment, now, visible_after)

    def request_rollback(
        self, deployment: Deployment, now: float, description: str | None = None, visible_after: float = 0.0
    ) -> AliasRequest:
        """Accept a rollback. It aborts a rolling release, and pins: later builds stay staged until a promotion."""
        if description and len(description) > DESCRIPTION_LIMIT:
            raise RefusedError(
                400, "bad_request", f"`description` must not be longer than {DESCRIPTION_LIMIT} characters"
            )
        self._demand_servable(deployment)
        if not deployment.has_served:
            raise RefusedError(422, "never_promoted", "The deployment has never served production")
        rolling = self.rolling_release
        aborts = rolling is not None and rolling.active
        if self.aliases.everywhere() == deployment.id and not aborts:
            raise RefusedError(422, "already_current", "The deployment is already the current production deployment")
        if self.plan == "hobby" and not aborts and deployment.id != self._previous_id():
            raise RefusedError(
                402, "payment_required", "On the Hobby plan only the previous deployment can be restored"
            )
        if rolling is not None and aborts:
            rolling.state, rolling.updated_at = RollingState.ABORTED, milliseconds(now)
            rolling.queued.clear()
            served = rolling.canary_id in self.production_history
            self.deployments[rolling.canary_id].substate = Substate.PROMOTED if served else Substate.STAGED
        self.auto_assign = False
        return self._request(JobType.ROLLBACK, deployment, now, visible_after, description)

    def begin(self, request: AliasRequest) -> None:
        """The job was picked up."""
        request.status = JobStatus.IN_PROGRESS

    def superseded(self, request: AliasRequest) -> bool:
        """A later request has taken over: this job must not move anything any more."""
        return not request.open or self.requests[-1] is not request

    def move(self, request: AliasRequest, alias: Alias, now: float) -> None:
        """Move one domain."""
        alias.point_at(request.to_id, now)
        request.domains[alias.domain] = JobStatus.SUCCEEDED

    def finish(self, request: AliasRequest, status: JobStatus, now: float) -> None:
        """End a job. Only success makes the deployment production, and only a successful promotion lifts the pin."""
        request.status = status
        for domain, state in request.domains.items():
            if state in {JobStatus.PENDING, JobStatus.IN_PROGRESS}:
                request.domains[domain] = status
        if status is JobStatus.SUCCEEDED:
            if request.type is JobType.PROMOTE:
                self.auto_assign = True
            self._became_production(self.deployments[request.to_id], now)

    def change_at_once(self, type_: JobType, deployment: Deployment, now: float) -> AliasRequest:
        """A whole promotion or rollback in one step: what somebody else did between two of our requests."""
        if type_ is JobType.PROMOTE:
            self._demand_promotable(deployment)
            request = self._request(type_, deployment, now, 0.0)
        else:
            request = self.request_rollback(deployment, now)
        self.begin(request)
        for alias in self.aliases.elsewhere(deployment.id):
            self.move(request, alias, now)
        self.finish(request, JobStatus.SUCCEEDED, now)
        return request

    @property
    def on_the_way(self) -> frozenset[str]:
        """Deployments that an open request or a rolling release brings to production."""
        coming = {request.to_id for request in self.requests if request.open}
        if self.rolling_release and self.rolling_release.active:
            coming |= {self.rolling_release.canary_id, *self.rolling_release.queued}
        return frozenset(coming)

    # -- rolling release

    def start_rolling_release(self, canary: Deployment, now: float, percentages: tuple[int, ...]) -> RollingRelease:
        """Let a canary take a first share of traffic."""
        self._demand_promotable(canary)
        if self.rolling_release and self.rolling_release.active:
            raise RefusedError(409, "conflict", "A rolling release is already active")
        if self.current_id is None:
            raise RefusedError(422, "no_production", "There is no production deployment to roll from")
        at = milliseconds(now)
        canary.substate = Substate.ROLLING
        self.rolling_release = RollingRelease(self.current_id, canary.id, percentages, started_at=at, updated_at=at)
        return self.rolling_release

    def approve_rolling_stage(self, now: float) -> AliasRequest | None:
        """One stage further; the job that completes the release when it was the last."""
        rolling = self._active_rolling_release()
        if rolling.last_stage:
            return self.complete_rolling_release(now)
        rolling.stage, rolling.updated_at = rolling.stage + 1, milliseconds(now)
        return None

    def complete_rolling_release(self, now: float) -> AliasRequest:
        """Give the canary all traffic, then whatever was promoted meanwhile its turn."""
        rolling = self._active_rolling_release()
        rolling.state, rolling.updated_at = RollingState.COMPLETE, milliseconds(now)
        waiting, rolling.queued = rolling.queued, []
        winner = self.deployments[waiting[-1] if waiting else rolling.canary_id]
        if waiting:
            self.change_at_once(JobType.PROMOTE, self.deployments[rolling.canary_id], now)
        return self._request(JobType.PROMOTE, winner, now, 0.0)

    # -- inner workings

    def _active_rolling_release(self) -> RollingRelease:
        if self.rolling_release is None or not self.rolling_release.active:
            raise RefusedError(409, "conflict", "No rolling release is active")
        return self.rolling_release

    def _demand_servable(self, deployment: Deployment) -> None:
        if deployment.ready_state is ReadyState.DELETED:
            raise RefusedError(410, "gone", "The deployment has been deleted")
        if deployment.ready_state is not ReadyState.READY:
            raise RefusedError(422, "not_ready", f"The deployment is {deployment.ready_state}, not READY")

    def _demand_promotable(self, deployment: Deployment) -> None:
        self._demand_servable(deployment)
        if not deployment.production:
            raise RefusedError(422, "not_production", "Only a production deployment can be promoted without a rebuild")
        if self.aliases.everywhere() == deployment.id:
            raise RefusedError(409, "conflict", "The deployment is already the current production deployment")

    def _request(
        self, type_: JobType, to: Deployment, now: float, visible_after: float, description: str | None = None
    ) -> AliasRequest:
        for request in self.requests:
            if request.open:
                self.finish(request, JobStatus.SKIPPED, now)
        # A client tells its request from an earlier one by this time alone, so it never repeats.
        at = max(milliseconds(now), self.requests[-1].requested_at + 1 if self.requests else 0)
        waiting = {alias.domain: JobStatus.PENDING for alias in self.aliases.elsewhere(to.id)}
        visible_from = milliseconds(now + visible_after)
        request = AliasRequest(
            type_, to.id, self.current_id, at, visible_from, domains=waiting, description=description
        )
        self.requests.append(request)
        return request

    def _became_production(self, deployment: Deployment, now: float) -> None:
        deployment.substate, deployment.alias_assigned_at = Substate.PROMOTED, milliseconds(now)
        if self.current_id != deployment.id:
            self.production_history.append(deployment.id)

    def _previous_id(self) -> str | None:
        return self.production_history[-2] if len(self.production_history) > 1 else None
