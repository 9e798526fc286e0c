"""From an event to a plan: the route, and what the jobs need to know, confirmed by Vercel's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from ci.config import Config
from ci.deploy.answers import META_RUN, Deployment
from ci.deploy.client import Vercel, connect
from ci.deploy.judgement import unfit, who_serves
from ci.engine.gfm import code, inline, prose
from ci.engine.http import origin
from ci.engine.identity import same_commit
from ci.errors import CannotRun, ConfigError
from ci.model import ErrorKind
from ci.pipeline.stages import SIDE_BY_SIDE, demanded_stages
from ci.workflow.events import read_event
from ci.workflow.routes import Plan, Route, Standing, decide

SARIF_ROUTES = frozenset({Route.REHEARSAL, Route.PREVIEW, Route.STAGING, Route.PRODUCTION, Route.CODE})
"""Where code scanning takes results: a fork's token may not write there, and what Vercel or a person tells of may be of
another commit than the one that GitHub would file them under."""


async def plan(config: Config, environ: Mapping[str, str]) -> Plan:
    """What this run does. Raises ConfigError, or CannotRun when an event says what Vercel does not confirm."""
    standing = Standing(
        linked=_linked(config, environ),
        by_vercel=config.deploy.by == "vercel",
        default_commit=environ.get("GITHUB_SHA", ""),
    )
    made = decide(read_event(environ), standing)
    if standing.linked and made.route in {Route.GATE, Route.PROMOTE, Route.READY, Route.VERIFY}:
        async with connect(config, environ) as vercel:
            made = await _confirmed(made, vercel)
    return replace(
        made,
        environment=made.environment or _environment(made),
        stages=_stages(made, config),
        upload=made.route in SARIF_ROUTES and environ.get("GONOGO_CODE_SCANNING", "").lower() != "off",
    )


def outputs(plan: Plan) -> dict[str, str]:
    """The plan as the job's outputs; ci-cd.yml names the same ones."""
    return {
        "route": plan.route,
        "jobs": json.dumps(plan.jobs),
        "target": plan.target,
        "environment": plan.environment,
        "url": plan.url,
        "deployment": plan.deployment,
        "commit": plan.commit,
        "baseline": plan.baseline,
        "stages": ",".join(plan.stages),
        "since": plan.since,
        "run": plan.run,
        "upload": "true" if plan.upload else "false",
    }


def summary(plan: Plan) -> str:
    """The plan for people, in Markdown."""
    known = {"URL": plan.url, "commit": plan.commit, "deployment": plan.deployment, "baseline": plan.baseline}
    lines = [f"## Plan: {inline(plan.route)}", prose(plan.why)]
    lines += [" · ".join(f"{name} {code(value)}" for name, value in known.items() if value)]
    lines += [f"Jobs: {', '.join(map(code, plan.jobs)) or 'none'}"]
    lines += [f"- {prose(what)}" for what in plan.left_out]
    return "\n\n".join(line for line in lines if line) + "\n"


def _linked(config: Config, environ: Mapping[str, str]) -> bool:
    """Whether there is a project to work with. Half a link is a mistake, not a choice."""
    token = bool(environ.get("VERCEL_TOKEN", "").strip())
    project = bool(config.deploy.project or environ.get("VERCEL_PROJECT_ID", "").strip())
    if token and not project:
        raise ConfigError("VERCEL_TOKEN is set, but not VERCEL_PROJECT_ID (nor deploy.project): set both, or neither")
    return token


async def _confirmed(plan: Plan, vercel: Vercel) -> Plan:
    if plan.route is Route.GATE:
        baseline = plan.baseline or await _baseline_url(vercel)
        return replace(plan, baseline="" if baseline and origin(baseline) == origin(plan.url) else baseline)
    found = await vercel.deployment(plan.deployment)
    if plan.route is Route.PROMOTE:
        if problem := unfit(found, vercel.project_id, None):
            raise CannotRun(ErrorKind.WRONG_SUBJECT, problem)
        return replace(
            plan, url=found.base_url, commit=found.commit or "", baseline=await _baseline_url(vercel, found.id)
        )
    if problem := _contradiction(plan, found, vercel.project_id):
        message = f"the event is not believed: {problem}; nothing was judged, and a held domain stays held"
        raise CannotRun(ErrorKind.WRONG_SUBJECT, message)
    if plan.route is Route.VERIFY and META_RUN in found.meta:
        return replace(
            plan, route=Route.OURS, why=f"{found.id} was promoted by this pipeline, which verifies it itself"
        )
    return replace(plan, url=found.base_url, baseline=await _baseline_url(vercel, found.id))


def _contradiction(plan: Plan, found: Deployment, project_id: str) -> str | None:
    """What the payload claims otherwise than Vercel itself; None when they agree."""
    if plan.project != project_id or found.project_id != project_id:
        return f"it is about project {plan.project}, and {found.id} belongs to {found.project_id}, not to {project_id}"
    if origin(found.base_url) != origin(plan.url):
        return f"the URL of {found.id} is {found.base_url}, not {plan.url}"
    if not found.commit or not same_commit(found.commit, plan.commit):
        return f"{found.id} was built from commit {found.commit or 'unknown'}, not from {plan.commit}"
    if (found.target == "production") != (plan.target == "production"):
        return f"{found.id} was built for {found.target or 'preview'}, not for {plan.environment}"
    if not found.ready:
        return f"{found.id} is {found.ready_state or 'in an unknown state'}, not READY"
    return None


async def _baseline_url(vercel: Vercel, candidate: str | None = None) -> str:
    """The immutable URL of what serves production now; empty when nothing or the candidate itself does."""
    serving = who_serves(await vercel.project()).one
    return "" if serving in {None, candidate} else (await vercel.deployment(str(serving))).base_url


def _stages(plan: Plan, config: Config) -> tuple[str, ...]:
    """A preview is spared the load; everything else gets all that the policy demands."""
    is_preview = plan.route is Route.PREVIEW or (plan.route is Route.READY and plan.target == "preview")
    if not is_preview:
        return ()
    return tuple(stage for stage in demanded_stages(config) if stage in SIDE_BY_SIDE)


def _environment(plan: Plan) -> str:
    return "staging" if plan.route is Route.STAGING else plan.target
