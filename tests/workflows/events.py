"""Events as GitHub sends them, cut to what a workflow here reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.workflows.world import NAME, World

PULL = 7
STRANGER = "mallory/harbour"


@dataclass(frozen=True)
class Push:
    """A push to a branch."""

    branch: str = "main"
    event = "push"

    async def payload(self, world: World, subject: str | None) -> dict[str, Any]:
        return {
            "ref": f"refs/heads/{self.branch}",
            "after": world.repository.head,
            "before": "0" * 40,
            "deleted": False,
        }


@dataclass(frozen=True)
class Pull:
    """A pull request, from this repository or from a stranger's fork."""

    fork: bool = False
    event = "pull_request"

    async def payload(self, world: World, subject: str | None) -> dict[str, Any]:
        head, base = world.repository.head, world.repository.git("rev-parse", "HEAD~1").strip()
        return {
            "action": "synchronize",
            "number": PULL,
            "pull_request": {
                "number": PULL,
                "head": {"sha": head, "ref": "feature", "repo": {"full_name": STRANGER if self.fork else NAME}},
                "base": {"sha": base, "ref": "main", "repo": {"full_name": NAME}},
            },
            "repository": {"full_name": NAME},
            "sender": {"login": "mallory" if self.fork else "ana"},
        }


@dataclass(frozen=True)
class ByHand:
    """Somebody presses the button. `{url}` and `{id}` in an input stand for the deployment of the scenario."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    event = "workflow_dispatch"

    async def payload(self, world: World, subject: str | None) -> dict[str, Any]:
        known = {"id": subject or "", "url": await world.url_of(subject) if subject else ""}
        return {"inputs": {name: value.format(**known) for name, value in self.inputs.items()}}


@dataclass(frozen=True)
class Vercel:
    """Vercel's Git integration tells of the scenario's deployment; `forged` replaces parts of it.

    `forged_commit`: it names the commit before, which exists as well.
    """

    told: str
    environment: str = "production"
    forged: Mapping[str, Any] = field(default_factory=dict)
    forged_commit: bool = False
    event = "repository_dispatch"

    async def payload(self, world: World, subject: str | None) -> dict[str, Any]:
        assert subject
        about, commit = await world.deployment(subject), "HEAD~1" if self.forged_commit else "HEAD"
        payload = {
            "id": subject,
            "url": f"https://{about['url']}",
            "environment": self.environment,
            "git": {"ref": "main", "sha": world.repository.git("rev-parse", commit).strip()},
            "project": {"id": world.vercel["project_id"], "name": "demo"},
            "alias": [],
            "state": {"type": self.told},
        }
        return {"action": f"vercel.deployment.{self.told}", "client_payload": {**payload, **self.forged}}


@dataclass(frozen=True)
class Schedule:
    """The clock."""

    cron: str
    event = "schedule"

    async def payload(self, world: World, subject: str | None) -> dict[str, Any]:
        return {"schedule": self.cron}


Event = Push | Pull | ByHand | Vercel | Schedule
