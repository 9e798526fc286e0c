"""Events as GitHub writes them, and a world with Vercel's stand-in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ci.engine.http import HttpFactory
from ci.engine.progress import Silence
from ci.engine.run import Run
from ci.model import Subject
from tests.deploy.world import World, open_world, standard

SHA, BASE = "b" * 40, "a" * 40
ID = "dpl_" + "D" * 24
PROJECT = "prj_" + "P" * 24


def push(branch: str = "main", **more: Any) -> dict[str, Any]:
    return {"ref": f"refs/heads/{branch}", "after": SHA, "deleted": False, **more}


def pull_request(*, fork: str | None = "acme/shop", sender: str = "ana") -> dict[str, Any]:
    head = {"sha": SHA, "repo": {"full_name": fork} if fork else None}
    return {
        "pull_request": {"number": 7, "head": head, "base": {"sha": BASE}},
        "repository": {"full_name": "acme/shop"},
        "sender": {"login": sender},
    }


def vercel_event(action: str = "ready", **more: Any) -> dict[str, Any]:
    payload = {
        "id": ID,
        "url": "https://shop-1.vercel.app",
        "environment": "production",
        "git": {"sha": SHA, "ref": "main"},
        "project": {"id": PROJECT, "name": "shop"},
        "state": {"type": "success"},
        **more,
    }
    return {"action": f"vercel.deployment.{action}", "client_payload": payload}


Occur = Callable[[str, object], dict[str, str]]


@pytest.fixture
def occur(tmp_path: Path) -> Occur:
    """Writes an event file; the variables that GitHub sets for it."""

    def write(name: str, event: object) -> dict[str, str]:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        return {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path), "GITHUB_SHA": SHA}

    return write


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Baseline in production, `other` and `candidate` staged, and a staging alias that points nowhere."""
    async with open_world(tmp_path / "evidence", staging=True) as opened:
        yield await standard(opened)


def run_in(world: World, **deploy: Any) -> Run:
    """A run of the pipeline in this world."""
    made = world.config.deploy.model_copy(update=deploy)
    target = world.config.target.model_validate(
        {"production": world.standin.production_url, "identity": {"path": "/api/health", "json": "commit"}}
    )
    config = world.config.model_copy(update={"deploy": made, "target": target})
    url = config.target.production
    return Run(
        config=config,
        subject=Subject(url=url),
        environ=world.environ,
        http=HttpFactory.for_target(url, budget=1000, environ=world.environ),
        store=world.store,
        progress=Silence(),
    )
