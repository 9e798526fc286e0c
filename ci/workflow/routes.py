"""Which way an event takes, and which jobs of ci-cd.yml that means. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ci.errors import ConfigError
from ci.workflow.events import ByHand, Event, Payload, PullRequest, Push, VercelEvent

PRODUCTION_BRANCH = "main"
STAGING_BRANCH = "develop"


class Route(enum.StrEnum):
    """The way of one run."""

    REHEARSAL = "rehearsal"
    """Not linked to Vercel, or asked for: a release offline, on the runner."""
    FORK = "fork"
    """A pull request without secrets."""
    PREVIEW = "preview"
    STAGING = "staging"
    PRODUCTION = "production"
    CODE = "code"
    """Vercel builds the push; here only the code is judged."""
    GATE = "gate"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RECONCILE = "reconcile"
    READY = "ready"
    """Vercel has built a deployment and waits for the verdict."""
    VERIFY = "verify"
    """Vercel has promoted a deployment."""
    OURS = "ours"
    """Vercel tells of what this pipeline has done itself: nothing is left to do."""


JOBS: Mapping[Route, tuple[str, ...]] = {
    Route.REHEARSAL: ("tests", "code", "rehearsal"),
    Route.FORK: ("tests", "code", "fork"),
    Route.PREVIEW: ("tests", "code", "stage", "gate", "tell"),
    Route.STAGING: ("tests", "code", "stage", "gate", "tell", "staging"),
    Route.PRODUCTION: ("tests", "code", "stage", "gate", "tell", "production"),
    Route.CODE: ("tests", "code"),
    Route.GATE: ("gate",),
    Route.PROMOTE: ("gate", "production"),
    Route.ROLLBACK: ("rollback",),
    Route.RECONCILE: ("reconcile",),
    Route.READY: ("gate", "tell"),
    Route.VERIFY: ("verify",),
    Route.OURS: (),
}
"""The jobs of a route besides `plan` and `enforce`, which are part of every one."""

Target = Literal["production", "preview"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does, and with what."""

    route: Route
    why: str
    """A sentence for people."""
    target: Target = "preview"
    environment: str = ""
    """Vercel's own word for the environment; part of the commit status' name."""
    project: str = ""
    """The project that an event claims to be about."""
    url: str = ""
    deployment: str = ""
    commit: str = ""
    baseline: str = ""
    stages: tuple[str, ...] = ()
    """The stages of the gate; all that the policy demands when empty."""
    since: str = ""
    """The revision that a pull request began at."""
    run: str = ""
    upload: bool = False
    """Whether SARIF may be uploaded to code scanning."""
    left_out: tuple[str, ...] = ()
    """What this route does not do, and why."""

    @property
    def jobs(self) -> tuple[str, ...]:
        """The jobs that have to run, and to succeed."""
        return JOBS[self.route]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known besides the event."""

    linked: bool
    """There are a token and a project at Vercel."""
    by_vercel: bool
    """Vercel's Git integration builds what is pushed."""
    default_commit: str = ""
    """GITHUB_SHA."""


NOT_LINKED = "not configured: rehearsal only. There is no VERCEL_TOKEN, so nothing is deployed; see docs/adopting.md"


def decide(event: Event, standing: Standing) -> Plan:
    """The route of an event. Raises ConfigError when it asks for something that is not possible."""
    match event:
        case Push():
            return _push(event, standing)
        case PullRequest():
            return _pull_request(event, standing)
        case ByHand():
            return _by_hand(event, standing)
        case VercelEvent():
            return _told_by_vercel(event, standing)


def without_secrets(reason: str) -> tuple[str, ...]:
    """What is not done where GitHub gives no secrets, each with the reason."""
    return (
        f"skipped: {reason}, which gets no secrets, so there is no preview deployment and nothing was judged there",
        f"skipped: {reason}, whose token may only read, so there is no comment, status or code-scanning alert",
    )


def _push(event: Push, standing: Standing) -> Plan:
    if event.deleted or event.branch not in {PRODUCTION_BRANCH, STAGING_BRANCH}:
        raise ConfigError(
            f"a push to {event.branch!r} takes no way; the workflow is for {PRODUCTION_BRANCH}, {STAGING_BRANCH} "
            "and pull requests"
        )
    if not standing.linked:
        return Plan(route=Route.REHEARSAL, why=NOT_LINKED, commit=event.after)
    if standing.by_vercel:
        why = "Vercel builds this commit; it is judged when `vercel.deployment.ready` tells of it"
        return Plan(route=Route.CODE, why=why, commit=event.after)
    if event.branch == STAGING_BRANCH:
        return Plan(route=Route.STAGING, why="a preview deployment; after GO the staging alias", commit=event.after)
    why = "a staged production deployment; after GO its promotion"
    return Plan(route=Route.PRODUCTION, why=why, commit=event.after, target="production")


def _pull_request(event: PullRequest, standing: Standing) -> Plan:
    pull = event.pull_request
    if reason := event.no_secrets:
        why = f"{reason}: what needs no secret"
        left_out = without_secrets(reason)
        return Plan(route=Route.FORK, why=why, commit=pull.head.sha, since=pull.base.sha, left_out=left_out)
    if not standing.linked:
        return Plan(route=Route.REHEARSAL, why=NOT_LINKED, commit=pull.head.sha, since=pull.base.sha)
    if standing.by_vercel:
        why = "Vercel builds this commit; it is judged when `vercel.deployment.ready` tells of it"
        return Plan(route=Route.CODE, why=why, commit=pull.head.sha, since=pull.base.sha)
    why = "a preview deployment, judged, with one comment here"
    return Plan(route=Route.PREVIEW, why=why, commit=pull.head.sha, since=pull.base.sha)


def _by_hand(event: ByHand, standing: Standing) -> Plan:
    if event.action == "rehearse":
        return Plan(route=Route.REHEARSAL, why="a rehearsal, as asked for", commit=standing.default_commit)
    if event.action == "gate":
        if event.url is None:
            raise ConfigError("gate: give the `url` to judge")
        why = f"the gate against {event.url}, as asked for"
        return Plan(route=Route.GATE, why=why, url=event.url, baseline=event.baseline or "")
    if not standing.linked:
        raise ConfigError(
            f"{event.action}: not configured: the secrets VERCEL_TOKEN, VERCEL_ORG_ID and VERCEL_PROJECT_ID are not set"
        )
    if event.action == "promote":
        if event.deployment is None:
            raise ConfigError("promote: give the id of the staged `deployment`, dpl_…")
        why = f"the gate against {event.deployment}, and after GO its promotion"
        return Plan(route=Route.PROMOTE, why=why, deployment=event.deployment, target="production")
    if event.action == "rollback":
        why = f"production back to {event.deployment or 'the deployment before'}"
        return Plan(route=Route.ROLLBACK, why=why, deployment=event.deployment or "")
    if event.run is None:
        raise ConfigError("reconcile: give the id of the `run` whose release is to be finished; it stands in its URL")
    return Plan(route=Route.RECONCILE, why=f"the release of run {event.run} to its end", run=event.run)


def _told_by_vercel(event: VercelEvent, standing: Standing) -> Plan:
    if not standing.linked:
        raise ConfigError(
            "Vercel tells of a deployment, but without VERCEL_TOKEN and VERCEL_PROJECT_ID nothing of it can be checked"
        )
    payload = event.client_payload
    if event.action == "vercel.deployment.promoted":
        why = f"Vercel has promoted {payload.id}: production is verified, and taken back if it is wrong"
        return _about(payload, Route.VERIFY, why)
    why = f"Vercel has built {payload.id} for {payload.environment}; the domain waits for the verdict"
    return _about(payload, Route.READY, why)


def _about(payload: Payload, route: Route, why: str) -> Plan:
    return Plan(
        route=route,
        why=why,
        target="production" if payload.environment == "production" else "preview",
        environment=payload.environment,
        project=payload.project.id,
        deployment=payload.id,
        url=payload.url,
        commit=payload.git.sha,
    )
