"""Vercel's own clients against the stand-in: the npm command line, and the SDK with its strict validators."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ci.rehearsal.faults import Fault
from ci.rehearsal.jobs import JobPlan
from ci.rehearsal.variables import Variable
from tests.npm import installed

pytestmark = pytest.mark.real_clients

SOURCES = Path(__file__).with_name("clients")
CALL_TIMEOUT = 60

Cli = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture(scope="session")
def clients() -> Path:
    """The installed clients; installed once, from the lock, and again only when the lock changes."""
    return installed(SOURCES, "clients", "Vercel's own clients")


@pytest.fixture
def cli(clients, world, tmp_path) -> Cli:
    """Runs the npm command line in an empty folder; returns its exit code and all that it printed."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "VERCEL_TOKEN": world.standin.token,
        "VERCEL_ORG_ID": world.standin.team_id,
        "VERCEL_PROJECT_ID": world.standin.project_id,
        "VERCEL_TELEMETRY_DISABLED": "1",
        "CI": "1",
        "NO_COLOR": "1",
    }
    folder = tmp_path / "project"
    (folder / ".vercel/output/static").mkdir(parents=True)
    (folder / ".vercel/output/static/index.html").write_text("hello")
    (folder / ".vercel/output/config.json").write_text('{"version": 3}')

    async def run(*arguments: str) -> tuple[int, str]:
        command = ["node", str(clients / "node_modules/vercel/dist/vc.js"), *arguments, "--api", world.standin.api_url]
        return await _run(command, folder, env)

    return run


async def _run(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
    pipes = {
        "stdin": asyncio.subprocess.DEVNULL,
        "stdout": asyncio.subprocess.PIPE,
        "stderr": asyncio.subprocess.STDOUT,
    }
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=env, **pipes)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), CALL_TIMEOUT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_command_line_promotes_and_rolls_back(cli, world):
    code, text = await cli("promote", world.candidate.id, "--yes")
    assert (code, "was promoted to" in text) == (0, True), text
    assert await world.serving() == world.candidate.id
    code, text = await cli("promote", "status")
    assert (code, world.candidate.id in text) == (0, True), text

    code, text = await cli("promote", world.candidate.id, "--yes")
    assert (code, "already the current production" in text) == (1, True), text

    code, text = await cli("rollback", world.baseline.id, "--yes")
    assert (code, "was rolled back to" in text) == (0, True), text
    assert await world.serving() == world.baseline.id
    assert [write.operation for write in world.standin.writes] == ["promote", "promote", "rollback"]
    assert not [call for call in world.standin.ledger.calls if call.startswith("unknown")]


async def test_the_command_line_inspects_and_lists(cli, world):
    code, text = await cli("inspect", world.candidate.id)
    assert (code, "production" in text, "Ready" in text) == (0, True, True), text
    code, text = await cli("list")
    assert (code, world.baseline.url in text, world.candidate.url in text) == (0, True, True), text
    code, text = await cli("whoami")
    assert (code, text.splitlines()[-1]) == (0, "rehearsal")


async def test_the_command_line_deploys_a_staged_build(cli, world):
    arguments = ("--prebuilt", "--prod", "--skip-domain", "--yes", "--format=json", "--meta", "run=7")
    code, text = await cli("deploy", *arguments)
    assert code == 0, text
    staged = (await world.api.get("/v7/deployments", params={"meta-run": "7"})).json()["deployments"]
    assert [(item["readyState"], item["readySubstate"], item["target"]) for item in staged] == [
        ("READY", "STAGED", "production")
    ]
    assert await world.serving() == world.baseline.id
    assert world.applications.built[staged[0]["uid"]].files[".vercel/output/static/index.html"] == b"hello"


async def test_the_command_line_pulls_variables(cli, world, tmp_path):
    world.standin.state.variables.append(Variable("env_1", "GREETING", "hello", ("production",)))
    code, text = await cli("pull", "--yes", "--environment=production")
    assert code == 0, text
    assert 'GREETING="hello"' in (tmp_path / "project/.vercel/.env.production.local").read_text()


@pytest.mark.parametrize(
    ("trouble", "exit_code", "says"),
    [
        (JobPlan(status="failed", moved=1), 1, "Failed to remap all aliases"),
        (JobPlan(status="skipped"), 0, "was skipped"),
        (JobPlan(visible_after=3600), 0, "No deployment promotion in progress"),
        (Fault(operation="promote", status=202, applied=False), 0, "has been queued"),
        (Fault(operation="promote", status=403), 1, "asked for by the rehearsal"),
    ],
    ids=["failed", "skipped", "registered-late", "queued", "forbidden"],
)
async def test_the_command_line_meets_trouble_as_with_vercel(cli, world, trouble, exit_code, says):
    """The exit codes are those that the real command line was seen to give: 0 is no proof of a promotion."""
    if isinstance(trouble, JobPlan):
        world.standin.jobs.plans.append(trouble)
    else:
        world.standin.faults.add(trouble)
    code, text = await cli("promote", world.candidate.id, "--yes")
    assert (code, says in text) == (exit_code, True), text


async def test_the_sdk_accepts_every_answer(clients, world):
    world.standin.state.variables.append(Variable("env_1", "GREETING", "hello"))
    world.standin.state.variables.append(Variable("env_2", "KEY", "secret", type="sensitive"))
    given = world.standin.coordinates() | {"baseline": world.baseline.id, "candidate": world.candidate.id}
    code, text = await _run(["node", "sdk.mjs", json.dumps(given)], clients, {"PATH": os.environ["PATH"]})
    assert code == 0, text
    answers = json.loads(text)
    assert "secret" not in json.dumps(answers["env"])
    # The full variants were parsed, not the ones that the document allows to strangers.
    assert answers["deployment"]["projectId"] == world.standin.project_id
    assert answers["deployment"]["readySubstate"] == "STAGED"
    assert answers["created"]["readyState"] == "QUEUED"
    assert answers["user"]["user"]["hasTrialAvailable"] is False
    assert answers["project"]["targets"]["production"]["id"] == world.baseline.id
    assert answers["project"]["lastAliasRequest"] is None
    assert len(answers["promoteAliases"]["aliases"]) == len(answers["aliases"]["aliases"]) == 2
    assert answers["update"]["autoAssignCustomDomains"] is True
    assert answers["noRollingRelease"]["rollingRelease"] is None
    assert answers["rolling"]["rollingRelease"]["state"] == "ACTIVE"
    assert answers["checks"]["ended"]["conclusion"] == "succeeded"
    assert answers["refusal"]["status"] == 409
    assert answers["refusal"]["body"]["error"]["code"] == "conflict"
    assert await world.serving() == world.candidate.id
