"""`gonogo workflow …` and what every command leaves in a step of GitHub Actions, as processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from tests.servers import serving
from tests.workflow.conftest import SHA, Occur, occur, push  # noqa: F401

ROOT = Path(__file__).parents[2]
TOKEN = "canary-token-4711"
CONFIG = "target: {production: %s, identity: {path: /api/health, json: commit}}\ngate: {required: [smoke]}\n"


@dataclass
class Done:
    code: int
    stdout: str
    stderr: str
    outputs: dict[str, str]
    summary: str


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """An application whose health is bad and whose pages tell of a secret."""

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"status": f"broken by {TOKEN}", "commit": SHA})

    async with serving({"/api/health": health}) as url:
        yield url


async def gonogo(folder: Path, *arguments: str, **environ: str) -> Done:
    files = {"GITHUB_OUTPUT": folder / "outputs", "GITHUB_STEP_SUMMARY": folder / "page"}
    for path in files.values():
        path.write_text("")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "VERCEL_", "GONOGO_"))}
    here = {"PYTHONPATH": str(ROOT), "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_TOKEN": TOKEN}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ci", *arguments),
        cwd=folder,
        env={**kept, **here, **{name: str(path) for name, path in files.items()}, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), 120)
    outputs, summary = (path.read_text() for path in files.values())
    for text in (stdout.decode(), stderr.decode(), outputs, summary):
        assert "Traceback" not in text, text
        assert TOKEN not in text, text
    assert process.returncode is not None
    told = dict(line.split("=", 1) for line in outputs.splitlines())
    return Done(process.returncode, stdout.decode(), stderr.decode(), told, summary)


async def test_the_gate_leaves_its_verdict_and_never_fails_by_itself(target: str, tmp_path: Path) -> None:
    smoke = "smoke: {browser: false, health: {path: /api/health}}\n"
    (tmp_path / "gonogo.yaml").write_text(CONFIG % target + smoke)
    done = await gonogo(tmp_path, "workflow", "gate", "--json", GONOGO_URL=target, GONOGO_COMMIT=SHA)
    assert done.code == 0, done.stderr
    assert done.outputs == {"verdict": "NO-GO"}
    assert json.loads(done.stdout)["verdict"]["decision"] == "NO-GO", "nothing else on stdout"
    assert "::error title=Gonogo%3A NO-GO::" in done.stderr
    assert "::error title=smoke/health::" in done.stderr
    assert "NO-GO" in done.summary
    names = {path.name for path in (tmp_path / "evidence").iterdir()}
    assert {"verdict.json", "smoke.json", "junit.xml", "gonogo.sarif", "summary.md", "report.html"} <= names


async def test_a_mistake_is_shown_at_its_line(target: str, tmp_path: Path) -> None:
    (tmp_path / "gonogo.yaml").write_text(CONFIG % target + "smok: {}\n")
    done = await gonogo(tmp_path, "workflow", "gate", GONOGO_URL=target)
    assert (done.code, done.outputs) == (2, {})
    assert "::error file=gonogo.yaml,line=3,title=Gonogo::" in done.stderr
    assert "did you mean" in done.summary


async def test_the_plan_of_a_push_that_has_no_link(tmp_path: Path, occur: Occur) -> None:  # noqa: F811
    (tmp_path / "gonogo.yaml").write_text(CONFIG % "https://a.example.com")
    done = await gonogo(tmp_path, "workflow", "plan", **occur("push", push()))
    assert done.code == 0, done.stderr
    assert done.outputs["route"] == "rehearsal"
    assert json.loads(done.outputs["jobs"]) == ["tests", "code", "rehearsal"]
    assert "::notice title=Gonogo::rehearsal: not configured: rehearsal only" in done.stderr
    assert "not configured: rehearsal only" in done.summary


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("plan", "On your own machine use"),
        ("gate", "GONOGO_URL: is not set"),
        ("stage", "GONOGO_TARGET: is not set"),
        ("promote", "GONOGO_DEPLOYMENT: is not set"),
        ("tell", "GONOGO_ROUTE: is not set"),
    ],
)
async def test_what_is_missing_is_said(tmp_path: Path, command: str, told: str) -> None:
    (tmp_path / "gonogo.yaml").write_text(CONFIG % "https://a.example.com")
    done = await gonogo(tmp_path, "workflow", command)
    assert done.code == 2
    assert told in done.stderr


async def test_enforce_says_what_was_not_as_planned(tmp_path: Path) -> None:
    plan = {"result": "success", "outputs": {"route": "code", "jobs": '["tests", "code"]'}}
    needs = {"plan": plan, "tests": {"result": "cancelled", "outputs": {}}, "code": {"result": "success"}}
    done = await gonogo(tmp_path, "workflow", "enforce", GONOGO_NEEDS=json.dumps(needs))
    assert done.code == 3
    assert "tests: was cancelled" in done.summary
    assert "::error title=Gonogo::tests: was cancelled" in done.stderr
