"""`gonogo release`, `promote`, `rollback` and `reconcile` as processes against the stand-in."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from ci.model import Release, ReleaseEnd
from ci.rehearsal.builder import BuildRequest
from ci.rehearsal.deployments import Deployment, Source
from ci.rehearsal.hosting import Order
from ci.rehearsal.standin import Options, StandIn
from tests.servers import serving

ROOT = Path(__file__).parents[2]
OLD, NEW, BROKEN = "a" * 40, "b" * 40, "c" * 40
CONFIG = """
target: {production: "%s", identity: {path: /api/health, json: commit, deployment: deployment_id}}
smoke: {browser: false, health: {path: /api/health}}
gate: {required: [smoke]}
deploy:
  confirm_interval: 50ms
  settle: 200ms
  verify: {attempts: 2, consecutive: 2, interval: 50ms, identity_timeout: 20s, checks: [smoke/health, smoke/not-found]}
"""
SECURE = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Application:
    """A small sound application; a BROKEN one is not well under production's name alone."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.production = ""

    async def __call__(self, request: BuildRequest) -> Application.Running:
        commit, deployment = request.env["VERCEL_GIT_COMMIT_SHA"], request.deployment_id

        async def health(asked: web.Request) -> web.Response:
            there = asked.headers.get("x-forwarded-host", "") in self.production
            state = "broken" if commit == BROKEN and there else "ok"
            body = {"status": state, "commit": commit, "deployment_id": deployment}
            return web.json_response(body, headers=SECURE)

        async def page(asked: web.Request) -> web.Response:
            found = asked.path == "/"
            if asked.path.startswith("/api/"):
                return web.json_response({"error": "not found"}, status=404, headers=SECURE)
            text = "<title>Small</title><h1>Hello</h1>" if found else "nothing here"
            return web.Response(text=text, status=200 if found else 404, content_type="text/html", headers=SECURE)

        url = await self._stack.enter_async_context(serving({"/api/health": health, "*": page}))
        return Application.Running(url)

    @dataclass
    class Running:
        url: str

        async def stop(self) -> None:
            """It is stopped with the test."""


@dataclass
class Stage:
    standin: StandIn
    folder: Path

    async def staged(self, commit: str) -> Deployment:
        return await self.standin.deploy(Order(source=Source(sha=commit), auto_assign=False))

    async def gonogo(self, *arguments: str) -> tuple[int, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "VERCEL_"))} | {
            "PYTHONPATH": str(ROOT),
            "CI": "1",
            "VERCEL_API_URL": self.standin.api_url,
            "VERCEL_TOKEN": self.standin.token,
            "VERCEL_ORG_ID": str(self.standin.team_id),
            "VERCEL_PROJECT_ID": self.standin.project_id,
            "SSL_CERT_FILE": str(self.standin.ca_file),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ci", *arguments),
            cwd=self.folder,
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await asyncio.wait_for(process.communicate(), 120)
        text = told.decode()
        assert "Traceback" not in text, text
        assert self.standin.token not in text
        assert process.returncode is not None
        return process.returncode, text

    @property
    def journal(self) -> Release:
        return Release.model_validate_json((self.folder / "evidence" / "release.json").read_text())

    @property
    def posts(self) -> int:
        return sum(write.method == "POST" for write in self.standin.writes)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        application = Application(stack)
        standin = await stack.enter_async_context(StandIn(application, Options()))
        application.production = standin.production_url
        (tmp_path / "gonogo.yaml").write_text(CONFIG % standin.production_url)
        await standin.deploy(Order(source=Source(sha=OLD)))
        yield Stage(standin, tmp_path)


async def test_release_and_rollback(stage: Stage) -> None:
    old = stage.standin.state.current_id
    new = await stage.staged(NEW)
    code, told = await stage.gonogo("release", "--deployment", new.id, "--commit", NEW)
    assert code == 0, told
    assert stage.standin.state.current_id == new.id
    assert stage.journal.end is ReleaseEnd.PROMOTED
    assert (stage.folder / "evidence" / "verification.json").exists()

    code, told = await stage.gonogo("rollback")
    assert code == 0, told
    assert "ROLLED" in told
    assert stage.standin.state.current_id == old


async def test_a_release_that_is_wrong_in_production_is_taken_back(stage: Stage) -> None:
    old = stage.standin.state.current_id
    broken = await stage.staged(BROKEN)
    code, told = await stage.gonogo("release", "--deployment", broken.id)
    assert code == 20, told
    assert stage.standin.state.current_id == old
    assert "smoke/health" in told


async def test_promote_wants_a_fresh_go_about_this_deployment(stage: Stage) -> None:
    new, other = await stage.staged(NEW), await stage.staged(NEW)
    url = stage.standin.url_of(new)
    code, told = await stage.gonogo("check", "smoke", "--url", url, "--commit", NEW, "--deployment", new.id)
    assert code == 0, told
    code, told = await stage.gonogo("promote", "--deployment", other.id)
    assert (code, stage.posts) == (3, 0), told
    code, told = await stage.gonogo("promote", "--deployment", new.id)
    assert code == 0, told
    assert stage.standin.state.current_id == new.id


@pytest.mark.parametrize("change", ["partial", "stale", "NO-GO", "damaged"])
async def test_promote_refuses_any_other_verdict(stage: Stage, change: str) -> None:
    new = await stage.staged(NEW)
    url = stage.standin.url_of(new)
    await stage.gonogo("check", "smoke", "--url", url, "--commit", NEW, "--deployment", new.id)
    path = stage.folder / "evidence" / "verdict.json"
    verdict = json.loads(path.read_text())
    changes: dict[str, dict[str, object]] = {
        "partial": {"partial": True},
        "stale": {"decided_at": "2020-01-01T00:00:00Z", "evidence_from": "2020-01-01T00:00:00Z"},
        "NO-GO": {"decision": "NO-GO", "reasons": [{"rule": "r", "message": "bad", "decision": "NO-GO"}]},
        "damaged": {"decision": "NO-GO"},
    }
    path.write_text(json.dumps(verdict | changes[change]))
    code, told = await stage.gonogo("promote", "--deployment", new.id)
    assert code == (1 if change == "NO-GO" else 3), told
    assert stage.posts == 0


async def test_reconcile_finishes_what_was_killed(stage: Stage) -> None:
    new = await stage.staged(NEW)
    code, text = await stage.gonogo("reconcile")
    assert code == 3, text
    assert "release.json" in text or "journal" in text
    code, text = await stage.gonogo("release", "--deployment", new.id)
    assert code == 0, text
    path = stage.folder / "evidence" / "release.json"
    journal = json.loads(path.read_text())
    cut = next(n for n, event in enumerate(journal["events"]) if event["facts"].get("entered") == "CONFIRM")
    path.write_text(json.dumps(journal | {"events": journal["events"][: cut + 1], "end": None}))
    code, text = await stage.gonogo("release", "--deployment", new.id)
    assert code == 3, "an unfinished release must be reconciled first"
    assert "reconcile" in text
    code, text = await stage.gonogo("reconcile")
    assert code == 0, text
    assert stage.journal.end is ReleaseEnd.PROMOTED
    assert stage.posts == 1, "nothing was promoted twice"


async def test_staging_needs_a_commit_and_the_command_line(stage: Stage) -> None:
    code, told = await stage.gonogo("release")
    assert code == 2
    assert "give --commit" in told
    config = stage.folder / "gonogo.yaml"
    config.write_text(config.read_text().replace("deploy:\n", "deploy:\n  cli: [no-such-vercel]\n"))
    code, told = await stage.gonogo("release", "--commit", NEW)
    assert code == 3, told
    assert "no-such-vercel" in told
