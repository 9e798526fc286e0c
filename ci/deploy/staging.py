"""Bringing the application to Vercel as a deployment without a domain, by Vercel's own command line.

For production that is a staged deployment, for everything else a preview. The command line builds, uploads and creates;
everything else about it is not relied on: it prints a URL before anything is built, waits without a deadline, and takes
BLOCKED for a state that may still change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ci.config import Config
from ci.deploy.answers import META_ATTEMPT, META_COMMIT, META_RUN, Deployment
from ci.deploy.client import Vercel
from ci.deploy.judgement import build_ended_badly, who_serves
from ci.engine.progress import Progress
from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind

NOT_FOR_THE_CLI = (
    "GITHUB_TOKEN",
    "VERCEL_AUTOMATION_BYPASS_SECRET",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
)
"""Secrets of the environment that deploying has no use for."""

Environment = Literal["production", "preview"]
PULL_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prebuilt:
    """What is to be staged: the output of `vercel build` in `folder`, made from `commit` in one run of the pipeline."""

    folder: Path
    commit: str
    run_id: str | None = None
    attempt: str = "1"
    environment: Environment = "production"

    @classmethod
    def of_environment(
        cls, folder: Path, commit: str, environ: Mapping[str, str], environment: Environment = "production"
    ) -> Prebuilt:
        """With the run's identity as GitHub Actions, or GONOGO_RUN_ID elsewhere, tells it."""
        run_id = environ.get("GONOGO_RUN_ID") or environ.get("GITHUB_RUN_ID")
        attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
        return cls(folder=folder, commit=commit, run_id=run_id, attempt=attempt, environment=environment)

    @property
    def meta(self) -> dict[str, str]:
        """What a later attempt finds the deployment by."""
        run = {META_RUN: self.run_id, META_ATTEMPT: self.attempt} if self.run_id else {}
        return {META_COMMIT: self.commit, **run}


async def stage(
    vercel: Vercel,
    prebuilt: Prebuilt,
    config: Config,
    environ: Mapping[str, str],
    progress: Progress,
    *,
    build: Literal["cli", "vercel", "none"] = "none",
) -> str:
    """Find the deployment of this run and commit, or create it; its id. A build at Vercel is not waited for.

    `build` says where it is built, see `deploy.build`. Raises CannotRun when the command line is missing, fails, or
    leaves nothing behind.
    """
    if found := await _find(vercel, prebuilt):
        progress.say(f"{found} was staged by this run before")
        return found
    try:
        if build == "cli":
            await _build(prebuilt, config, environ, progress)
        answer = await _deploy(prebuilt, config, environ, prebuilt_output=build != "vercel")
    except CannotRun as error:
        # It may have ended badly after the deployment was created: the answer was lost, the deployment is not.
        if found := await _find(vercel, prebuilt):
            progress.say(f"the command line failed ({error}), but has created {found}")
            return found
        raise
    if created := _id_or_url(answer):
        return (await vercel.deployment(created)).id
    if found := await _find(vercel, prebuilt):
        return found
    raise CannotRun(ErrorKind.BAD_OUTPUT, f"`vercel deploy` named no deployment, but printed: {answer[:200]}")


async def _find(vercel: Vercel, prebuilt: Prebuilt) -> str | None:
    """The usable deployment of this run, the youngest first. Without a run's identity none can be told apart."""
    if prebuilt.run_id is None:
        return None
    serving = who_serves(await vercel.project()).one
    filters = {"target": prebuilt.environment, f"meta-{META_RUN}": prebuilt.run_id}
    async for item in vercel.deployments(**filters):
        if _is_of(item, prebuilt) and _usable(item, serving):
            return item.id
    return None


def _is_of(item: Deployment, prebuilt: Prebuilt) -> bool:
    wanted = {META_COMMIT: prebuilt.commit, META_RUN: prebuilt.run_id}
    return wanted.items() <= item.meta.items()


def _usable(item: Deployment, serving: str | None) -> bool:
    """One that has served production before and does not now was taken back: it is not tried again."""
    return not build_ended_badly(item) and (item.ready_substate != "PROMOTED" or item.id == serving)


async def _build(prebuilt: Prebuilt, config: Config, environ: Mapping[str, str], progress: Progress) -> None:
    """The project's settings and variables, then the build itself; its output goes to `.vercel/output`."""
    settings = config.deploy
    progress.say(f"building {prebuilt.commit[:12]} for {prebuilt.environment}")
    pull = [*settings.cli, "pull", "--yes", f"--environment={prebuilt.environment}", *_api(environ)]
    build = [*settings.cli, "build", "--yes", *(["--prod"] if prebuilt.environment == "production" else [])]
    env = _environment(config, environ)
    await run_tool(pull, timeout_s=PULL_S, cwd=prebuilt.folder, env=env)
    await run_tool(build, timeout_s=settings.build_timeout.total_seconds(), cwd=prebuilt.folder, env=env)


async def _deploy(
    prebuilt: Prebuilt, config: Config, environ: Mapping[str, str], *, prebuilt_output: bool = True
) -> str:
    settings = config.deploy
    command = [*settings.cli, "deploy", *(["--prebuilt"] if prebuilt_output else [])]
    # Without --prod there is no domain of production's to skip, and the option is refused.
    command += ["--prod", "--skip-domain"] if prebuilt.environment == "production" else []
    command += ["--yes", "--format=json", "--no-wait"]
    for key, value in prebuilt.meta.items():
        command += ["--meta", f"{key}={value}"]
    command += _api(environ)
    env = _environment(config, environ)
    run = await run_tool(command, timeout_s=settings.upload_timeout.total_seconds(), cwd=prebuilt.folder, env=env)
    return run.stdout


def _api(environ: Mapping[str, str]) -> list[str]:
    api = environ.get("VERCEL_API_URL")
    return ["--api", api] if api else []


def _environment(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    # The token goes by the environment: arguments can be read by every process of the machine.
    env = {name: value for name, value in environ.items() if name not in NOT_FOR_THE_CLI}
    env |= {"CI": "1", "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1", "VERCEL_TELEMETRY_DISABLED": "1"}
    if config.deploy.project:
        env["VERCEL_PROJECT_ID"] = config.deploy.project
    return env


def _id_or_url(printed: str) -> str | None:
    """What the command line has printed: `{"deployment": {"id", "url"}}`, a flat object, or a bare URL."""
    try:
        data = json.loads(printed)
    except ValueError:
        data = {"url": printed.strip().splitlines()[-1] if printed.strip() else ""}
    if not isinstance(data, dict):
        return None
    inner = data.get("deployment")
    place = inner if isinstance(inner, dict) else data
    named = place.get("id") or place.get("deploymentId") or place.get("uid") or place.get("url")
    return str(named).removeprefix("https://").strip("/") if named else None
