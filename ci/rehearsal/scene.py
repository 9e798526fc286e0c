"""The scene of a rehearsal: the stand-in, the demo application in production, and a candidate staged beside it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ci.config import Config, load_config
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Progress
from ci.engine.run import Run
from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind, Subject
from ci.rehearsal import advisories
from ci.rehearsal.authority import TransportFault
from ci.rehearsal.builder import Builder, BuildFailedError, BuildRequest, ProcessBuilder
from ci.rehearsal.deployments import Deployment, ReadyState, Source
from ci.rehearsal.flaws import Flaw, Place, names
from ci.rehearsal.hosting import Order
from ci.rehearsal.protection import Protected
from ci.rehearsal.standin import Options, StandIn

DEMO = (sys.executable, "-m", "demo")
EMAIL = "ana@example.com"
TOKEN_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a release needs to know."""

    config: Config
    environ: Mapping[str, str]
    production_url: str
    baseline: Deployment
    candidate: Deployment
    standin: StandIn
    settings: Mapping[str, str]
    advisories_url: str
    """Where the stand-ins of the services are that know which releases are vulnerable."""

    @asynccontextmanager
    async def deployed(self, flaws: Sequence[Flaw]) -> AsyncIterator[Deployment]:
        """One more staged deployment, with these flaws, for the length of the block."""
        order = _order(self.settings, flaws, auto_assign=False)
        deployment = await self.standin.deploy(order)
        try:
            _demand_ready(deployment)
            yield deployment
        finally:
            await self.standin.hosting.delete(deployment)

    def with_plain_port(self, config: Config, deployment: Deployment) -> Config:
        """The configuration, with the port at which plain HTTP is answered for this deployment."""
        tls = config.security.tls.model_copy(update={"plain_port": self.standin.hosting.plain_port_of(deployment)})
        return config.model_copy(update={"security": config.security.model_copy(update={"tls": tls})})

    def run_on_candidate(self, config: Config, store: EvidenceStore, progress: Progress) -> Run:
        """A run about the candidate, beside the baseline."""
        subject = Subject(url=self.candidate_url, commit=self.candidate.source.sha)
        return Run.about(subject, config, self.environ, store, progress, self.standin.url_of(self.baseline))

    @property
    def candidate_url(self) -> str:
        return self.standin.url_of(self.candidate)


@asynccontextmanager
async def stage_scene(
    logs: Path,
    *,
    flaws: Sequence[Flaw] = (),
    flaws_after_promotion: Sequence[Flaw] = (),
    say: Callable[[str], None] = lambda message: None,
    demo: Builder | None = None,
) -> AsyncIterator[Scene]:
    """Start everything; end all of it with the block, however that ends.

    `demo` builds the application; without it each deployment is a process with an interpreter of its own.
    Raises CannotRun when the application does not start.
    """
    logs.mkdir(parents=True, exist_ok=True)
    vendors = ProcessBuilder([*DEMO, "vendors", "--port", "0", "--until-eof"], logs)
    demo = demo or ProcessBuilder([*DEMO, "serve", "--port", "0", "--until-eof"], logs)
    say("starting the stand-in for Vercel and for the outside services")
    try:
        services = await vendors(BuildRequest("vendors", {}))
    except BuildFailedError as error:
        raise CannotRun(ErrorKind.TOOL_FAILED, f"the outside services do not start: {error}") from error
    try:
        # Deployment URLs are protected, as Vercel does by default, so that the way past is rehearsed as well.
        async with StandIn(demo, Options(protected=Protected.DEPLOYMENTS)) as standin:
            settings = _settings(services.url)
            late = {**settings, "DEMO_FLAWS_IN_PRODUCTION": ",".join(flaw.name for flaw in flaws_after_promotion)}
            say("deploying the demo application: a baseline to production, a candidate beside it")
            async with asyncio.TaskGroup() as group:
                first = group.create_task(standin.deploy(_order(settings, auto_assign=True)))
                second = group.create_task(standin.deploy(_order(late, flaws, auto_assign=False)))
                expired = group.create_task(_expired_token(settings))
            baseline, candidate = first.result(), second.result()
            for deployment in (baseline, candidate):
                _demand_ready(deployment)
            yield Scene(
                config=_config(standin.production_url),
                environ=_environ(standin, settings, expired.result()),
                production_url=standin.production_url,
                baseline=baseline,
                candidate=candidate,
                standin=standin,
                settings=settings,
                advisories_url=await standin.serve(advisories.application()),
            )
    finally:
        await services.stop()


def _settings(services_url: str) -> dict[str, str]:
    """The demo's environment: fresh secrets, and limits that fit checks from one address."""
    return {
        "SECRET_KEY": secrets.token_hex(32),
        "DEMO_USER_EMAIL": EMAIL,
        "DEMO_USER_PASSWORD": secrets.token_urlsafe(16),
        "GOOGLE_CLIENT_ID": "demo-google-client",
        "MICROSOFT_CLIENT_ID": "demo-microsoft-client",
        "STRIPE_WEBHOOK_SECRET": "whsec_" + secrets.token_hex(16),
        "CRON_SECRET": secrets.token_hex(16),
        "RATE_LIMIT_PER_MINUTE": "100000",
        "LOGIN_RATE_LIMIT_PER_MINUTE": "200",
        "REPORT_RATE_LIMIT_WINDOW_SECONDS": "6",  # short, so that one can wait for its end
        "OPENAI_BASE_URL": services_url,
        "STRIPE_BASE_URL": services_url,
        "SUPABASE_URL": services_url,
        "VECTOR_STORE_URL": services_url,
        "LOG_LEVEL": "WARNING",
    }


def _order(settings: Mapping[str, str], flaws: Sequence[Flaw] = (), *, auto_assign: bool) -> Order:
    source = Source(sha=secrets.token_hex(20), branch="main", message="Rehearsed")
    env = {**settings, "DEMO_FLAWS": ",".join(names(flaws, Place.APPLICATION))}
    faults = tuple(TransportFault(name) for name in names(flaws, Place.EDGE))
    return Order(source=source, env=env, auto_assign=auto_assign, faults=faults)


async def _expired_token(settings: Mapping[str, str]) -> str:
    run = await run_tool([*DEMO, "expired-token"], timeout_s=TOKEN_TIMEOUT_S, env={**os.environ, **settings})
    return run.stdout.strip()


def _demand_ready(deployment: Deployment) -> None:
    if deployment.ready_state is not ReadyState.READY:
        why = deployment.failure.message if deployment.failure else deployment.ready_state
        raise CannotRun(ErrorKind.TOOL_FAILED, f"the demo application does not start: {why}")


def _config(production_url: str) -> Config:
    found = importlib.util.find_spec("demo")  # found, not imported: the demo is another program
    if found is None or found.origin is None:
        raise CannotRun(ErrorKind.TOOL_MISSING, "the demo application is not installed beside Gonogo")
    config = load_config(Path(found.origin).with_name("gonogo.yaml"))
    return config.model_copy(update={"target": config.target.model_copy(update={"production": production_url})})


def _environ(standin: StandIn, settings: Mapping[str, str], expired_token: str) -> dict[str, str]:
    """The environment of a release, as its workflow would set it; a real one's accounts have no part in it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "VERCEL_"))}
    return {
        **own,
        "VERCEL_API_URL": standin.api_url,
        "VERCEL_TOKEN": standin.token,
        "VERCEL_ORG_ID": standin.team_id or "",
        "VERCEL_PROJECT_ID": standin.project_id,
        "VERCEL_AUTOMATION_BYPASS_SECRET": standin.bypass_secret,
        "SSL_CERT_FILE": str(standin.ca_file),
        "DEMO_USER_EMAIL": settings["DEMO_USER_EMAIL"],
        "DEMO_USER_PASSWORD": settings["DEMO_USER_PASSWORD"],
        "DEMO_EXPIRED_TOKEN": expired_token,
    }
