"""What a scenario finds: Vercel with a deployment in production, GitHub with a repository, and the repository itself.

Vercel is the rehearsal's stand-in as a process of its own, with real deployments of the demo application.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import ssl
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.servers import serving
from tests.workflows.acting import for_act
from tests.workflows.checkout import Repository
from tests.workflows.environment import ROOT
from tests.workflows.hub import Hub, hub
from tests.workflows.index import application

START_TIMEOUT = 60
BUILD_TIMEOUT = 60
NAME = "acme/harbour"
EMAIL = "ana@example.com"
MAKEFILE = "test:\n\t@echo every test of the application\n\t@test ! -e broken-tests\n"
PARTS = (".github", "demo", "requirements", "pyproject.toml", ".gitignore", ".secrets.baseline")


@dataclass
class World:
    """Everything that a workflow can reach. `canaries`: secrets that must show up nowhere."""

    folder: Path
    hub: Hub
    vercel: Mapping[str, Any]
    api: httpx.AsyncClient
    control: httpx.AsyncClient
    site: httpx.AsyncClient
    repository: Repository
    index: str
    settings: dict[str, str]
    baseline: str = ""
    named: dict[str, str] = field(default_factory=dict)
    """Ids of deployments by the names that scenarios give them."""
    _by_commit: dict[str, dict[str, str]] = field(default_factory=dict)
    _first: str = ""
    """The commit that production serves at first."""

    @property
    def production(self) -> str:
        return str(self.vercel["production_url"])

    @property
    def secrets(self) -> dict[str, str]:
        """What the repository's settings hold."""
        return {
            "GITHUB_TOKEN": self.hub.token,
            "VERCEL_TOKEN": self.vercel["token"],
            "VERCEL_ORG_ID": self.vercel["team_id"],
            "VERCEL_PROJECT_ID": self.vercel["project_id"],
            "VERCEL_AUTOMATION_BYPASS_SECRET": self.vercel["bypass_secret"],
            "GONOGO_USERNAME": EMAIL,
            "GONOGO_PASSWORD": self.settings["DEMO_USER_PASSWORD"],
        }

    async def trust_github(self) -> dict[str, str]:
        """Let a token of GitHub's open the wall in the secret's place; what the runner's environment says then."""
        self.hub.oidc_token = f"eyJ.{secrets.token_hex(24)}.sig"
        answer = await self.control.post("/switches", json={"trusted_token": self.hub.oidc_token})
        answer.raise_for_status()
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.hub.url}/oidc?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.hub.token,
        }

    @property
    def canaries(self) -> list[str]:
        """The secrets proper: the rest are names and addresses."""
        public = {"VERCEL_ORG_ID", "VERCEL_PROJECT_ID", "GONOGO_USERNAME"}
        mine = [value for name, value in self.secrets.items() if name not in public]
        return [*mine, self.settings["SECRET_KEY"], *filter(None, [self.hub.oidc_token])]

    @property
    def environ(self) -> dict[str, str]:
        """What a runner's environment would say about where things are."""
        return {
            "VERCEL_API_URL": self.vercel["api_url"],
            "GITHUB_API_URL": self.hub.url,
            "UV_DEFAULT_INDEX": f"{self.index}/simple",
            "SSL_CERT_FILE": self.vercel["ca_file"],
        }

    def commit(
        self, message: str, flaws: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
    ) -> str:
        """One more commit; `flaws`: variables of the demo for what is built from it."""
        sha = self.repository.commit({"notes.txt": message, **(files or {})}, message)
        self.hub.commits = dict.fromkeys(self.hub.commits, "") | {sha: "main"}
        self._by_commit[sha] = dict(flaws or {})
        self._write_settings()
        return sha

    async def deploy(
        self, sha: str, *, target: str | None = "production", staged: bool = True, ref: str = "main"
    ) -> str:
        """What Vercel's Git integration would make of a commit; its id, when it is ready."""
        order = {
            "name": "demo",
            "target": target,
            "autoAssignCustomDomains": not staged,
            "gitSource": {"type": "github", "sha": sha, "ref": ref},
            "files": [],
        }
        answer = await self.api.post("/v13/deployments", json=order)
        answer.raise_for_status()
        made = str(answer.json()["id"])
        end = time.monotonic() + BUILD_TIMEOUT
        while (state := (await self.deployment(made))["readyState"]) != "READY":
            assert state not in ("ERROR", "CANCELED") and time.monotonic() < end, f"{made} is {state}"
            await asyncio.sleep(0.05)
        return made

    async def deployment(self, id_: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v13/deployments/{id_}")
        answer.raise_for_status()
        return dict(answer.json())

    async def url_of(self, id_: str) -> str:
        return f"https://{(await self.deployment(id_))['url']}"

    async def state(self) -> dict[str, Any]:
        """The stand-in's own books."""
        return dict((await self.control.get("/state")).json())

    def config(self, wanted: Mapping[str, Any]) -> str:
        """gonogo.yaml with this content, and with the addresses of this world."""
        text = json.dumps(wanted).replace("https://production.invalid", self.production)
        return yaml.safe_dump(json.loads(text.replace("https://staging.invalid", self.vercel["staging_url"])))

    async def moves(self) -> list[str]:
        """The writes that moved production, or tried to."""
        written = (await self.control.get("/writes")).json()
        return [word for item in written for word in ("promote", "rollback") if f"/{word}/" in item["path"]]

    async def serving(self) -> str:
        """The deployment that answers on the production domain: asked of the application, not of the books."""
        answer = await self.site.get(f"{self.production}/api/health")
        return str(answer.json()["deployment_id"])

    async def shown_by_staging(self) -> str:
        """The deployment that the staging alias points at; nothing while there is none."""
        domain = str(self.vercel["staging_url"]).removeprefix("https://")
        answer = await self.api.get(f"/v4/aliases/{domain}")
        return str(answer.json()["deploymentId"]) if answer.status_code == 200 else ""

    def name_of(self, deployment: str) -> str:
        """The name that a scenario gave to a deployment; `candidate` for one that the workflow itself made."""
        if not deployment:
            return ""
        return next((name for name, id_ in self.named.items() if id_ == deployment), "candidate")

    async def is_as_at_first(self) -> bool:
        """Whether production and the staging alias are where they were in the beginning."""
        return await self.serving() == self.baseline and not await self.shown_by_staging()

    async def begin(self) -> None:
        """Ready for another scenario: the baseline alone in repository and production, and GitHub empty."""
        for made in await self._deployments() - {self.baseline}:
            (await self.api.delete(f"/v13/deployments/{made}")).raise_for_status()
        self.hub.empty()
        trusting_nobody = {"trusted_token": secrets.token_hex(24)}
        (await self.control.post("/switches", json=trusting_nobody)).raise_for_status()
        self.named = {"baseline": self.baseline}
        self.repository.git("reset", "-q", "--hard", self._first)
        await self.control.delete("/writes")

    async def _deployments(self) -> set[str]:
        answer = await self.api.get("/v6/deployments", params={"limit": "100"})
        answer.raise_for_status()
        return {str(item["uid"]) for item in answer.json()["deployments"]}

    def _write_settings(self) -> None:
        given = {"settings": self.settings, "by_commit": self._by_commit}
        (self.folder / "settings.json").write_text(json.dumps(given))


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """Start it, with a baseline in production; all of it ends with the block."""
    folder.mkdir(parents=True)
    password, key = f"pw-{secrets.token_hex(12)}", secrets.token_hex(32)
    settings = {
        "SECRET_KEY": key,
        "DEMO_USER_EMAIL": EMAIL,
        "DEMO_USER_PASSWORD": password,
        "RATE_LIMIT_PER_MINUTE": "100000",
        "LOGIN_RATE_LIMIT_PER_MINUTE": "200",
        "LOG_LEVEL": "WARNING",
    }
    async with AsyncExitStack() as stack:
        vercel = await stack.enter_async_context(_vercel(folder))
        github = await stack.enter_async_context(hub(Hub(NAME, token=f"ghs_{secrets.token_hex(18)}")))
        bearer = {"Authorization": f"Bearer {vercel['token']}"}
        team = {"teamId": vercel["team_id"]}
        api = httpx.AsyncClient(base_url=vercel["api_url"], headers=bearer, params=team, timeout=20)
        control = httpx.AsyncClient(base_url=vercel["control_url"], headers=bearer, timeout=20)
        site = httpx.AsyncClient(verify=ssl.create_default_context(cafile=vercel["ca_file"]), timeout=20)
        for client in (api, control, site):
            await stack.enter_async_context(client)
        repository = Repository.make(folder / "repository", _files(), remote=NAME)
        index = await stack.enter_async_context(serving(application()))
        world = World(folder, github, vercel, api, control, site, repository, index, settings)
        world._first = world.commit("baseline")
        world.baseline = await world.deploy(world._first, staged=False)
        yield world


def _files() -> dict[str, str | bytes | Path]:
    found: dict[str, str | bytes | Path] = {}
    for part in PARTS:
        top = ROOT / part
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts:
                name = str(path.relative_to(ROOT))
                found[name] = for_act(path.read_text()) if part == ".github" and path.suffix == ".yml" else path
    return {**found, "Makefile": MAKEFILE}


@asynccontextmanager
async def _vercel(folder: Path) -> AsyncIterator[dict[str, Any]]:
    """The stand-in as a process, which ends at the end of its standard input."""
    logs, settings = folder / "deployments", folder / "settings.json"
    deployable = [sys.executable, str(Path(__file__).with_name("deployable.py")), str(settings)]
    options = ("--staging", "--protected", "deployments")
    with (folder / "vercel.stderr").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ci.rehearsal.process", "--log-folder", str(logs), "--cwd", str(ROOT), *options),
            *("--", *deployable),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
        )
    assert process.stdin and process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT)
        assert line, (folder / "vercel.stderr").read_text()
        told = dict(json.loads(line))
        # The stand-in removes its authority's certificate at its end; a copy with a name of ours outlives nobody.
        yield {**told, "ca_file": shutil.copy(told["ca_file"], folder / "authority.pem")}
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), START_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()
