"""monitoring.yml as GitHub would run it: the first round on an empty branch, an outage, its end, and without a token.

The target, GitHub's API and the remote with the history are on this machine.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from ci.monitor.facts import ProbeRecord
from tests.github_standin import TOKEN, GitHubStandIn, github_standin
from tests.servers import answers, serving
from tests.workflows.acting import Act, act, for_act
from tests.workflows.checkout import Repository
from tests.workflows.environment import ROOT
from tests.workflows.records import Run

BRANCH = "gonogo-history"
REMOTE = "me/shop"
WEBHOOK = "canary-webhook-8841"
PARTS = (".github", "requirements", "pyproject.toml", "ci")


@dataclass
class Place:
    """What a round can reach. `healthy`: whether the target answers as it should."""

    folder: Path
    github: GitHubStandIn
    repository: Repository
    url: str
    healthy: bool = True
    told: list[dict[str, Any]] = field(default_factory=list)
    _runs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def remote(self) -> Path:
        return self.folder / "remote.git"

    async def round(self, name: str, *, event: str = "schedule", linked: bool = True, pages: str = "on") -> Run:
        given = {"GITHUB_TOKEN": TOKEN, "ALERT_WEBHOOK_URL": f"{self.url}/{WEBHOOK}"}
        what = Act(
            workflow="monitoring.yml",
            event=event,
            repository=self.repository,
            payload={"action": "gonogo-heartbeat"} if event == "repository_dispatch" else {},
            secrets=given if linked else {},
            variables={"GONOGO_PAGES": pages},
            environ={
                "GITHUB_API_URL": self.github.url,
                "GITHUB_RUN_ID": str(next(self._runs)),  # act counts none
                "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            },
        )
        return await act(what, self.folder / name)

    def history(self) -> list[ProbeRecord]:
        """The records on the branch, as the remote has them."""
        files = self._git("ls-tree", "--name-only", BRANCH).split()
        lines = [line for name in files if name.startswith("probes-") for line in self._shown(name).splitlines()]
        return [ProbeRecord.model_validate_json(line) for line in lines]

    def _shown(self, name: str) -> str:
        return self._git("show", f"{BRANCH}:{name}")

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.remote), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture
async def place(tmp_path) -> AsyncIterator[Place]:
    async with github_standin() as github:

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path == f"/{WEBHOOK}":
                made.told.append(await request.json())
            elif not made.healthy and request.path != "/witness":
                return web.Response(status=502, text="bad gateway")
            return await answers("<h1>Welcome</h1>")(request)

        async with serving({"*": answer}) as url:
            remote = tmp_path / "remote.git"
            subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True, timeout=30)
            subprocess.run(
                ["git", "-C", str(remote), "config", "uploadpack.allowFilter", "true"], check=True, timeout=30
            )
            moved = f'[url "file://{remote}"]\n\tinsteadOf = https://github.com/{REMOTE}.git\n'
            (tmp_path / "gitconfig").write_text(moved)
            repository = Repository.make(tmp_path / "repository", _files(url), remote=REMOTE)
            made = Place(tmp_path, github, repository, url)
            yield made


def _files(url: str) -> dict[str, str | bytes | Path]:
    monitor = {
        "targets": [{"path": "/", "name": "home", "contains": "Welcome", "limit": "10s"}],
        "witnesses": [f"{url}/witness"],
        "recheck_after": "50ms",
        "rdap": None,
        "vendors": [],
        "open_after": 1,
        "close_after": 1,
        "alerts": {"webhook": {}},
    }
    config = {"version": 1, "target": {"production": url}, "monitor": monitor}
    found: dict[str, str | bytes | Path] = {"gonogo.yaml": yaml.safe_dump(config)}
    for part in PARTS:
        top = ROOT / part
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                workflow = part == ".github" and path.suffix == ".yml"
                found[str(path.relative_to(ROOT))] = for_act(path.read_text()) if workflow else path
    return found


async def test_first_round_outage_and_recovery(place: Place) -> None:
    first = await place.round("first")
    assert first.jobs == {"round": "success"}, first.text()
    assert "🟢 Round" in first.summary
    assert {record.outcome for record in place.history() if record.kind == "page"} == {"up"}
    assert page_state(place, "first") == "up"
    assert place.github.issues == []

    place.healthy = False
    outage = await place.round("outage", event="repository_dispatch")
    assert outage.jobs == {"round": "failure"}, outage.text()
    assert "🔴 Round" in outage.summary
    assert "P0" in outage.summary
    (issue,) = place.github.open_issues()
    assert issue["title"] == "[P0] page home (production) is down"
    assert [annotation.level for annotation in outage.annotations if "P0" in annotation.message] == ["error"]
    assert page_state(place, "outage") == "down"  # published all the same

    place.healthy = True
    recovery = await place.round("recovery")
    assert recovery.jobs == {"round": "success"}, recovery.text()
    assert place.github.open_issues() == []
    assert len(place.github.issues) == 1
    assert page_state(place, "recovery") == "up"
    assert "page home" in json.dumps(place.told[0])
    assert [message["text"].partition(":")[0] for message in place.told] == ["[P0] page home (production) is down"] * 2

    rounds = [record.round_id for record in place.history() if record.kind == "monitor"]
    assert len(rounds) == len(set(rounds)) == 3
    shown = "".join(run.told() for run in (first, outage, recovery))
    assert TOKEN not in shown
    assert WEBHOOK not in shown


async def test_without_a_token_the_outage_is_still_seen_and_the_rest_is_said(place: Place) -> None:
    place.healthy = False
    run = await place.round("alone", linked=False, pages="")
    assert run.jobs == {"round": "failure"}
    assert "GITHUB_TOKEN is not set" in run.text()
    assert "ALERT_WEBHOOK_URL is not set" in run.text()
    assert "page home (production) is down" in run.text()
    assert {record.outcome for record in place.history() if record.kind == "page"} == {"down"}
    assert place.github.requests == 0
    assert not (place.folder / "alone" / "pages").exists()


def page_state(place: Place, name: str) -> str:
    """What was published after a round."""
    return str(json.loads((place.folder / name / "pages" / "status.json").read_text())["state"])
