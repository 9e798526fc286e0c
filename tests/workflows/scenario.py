"""What a scenario is, and the small gonogo.yaml that scenarios share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.workflows.events import Event

FROM_THE_NETWORK = ("security/python-dependencies", "security/node-dependencies")
SECRETS = ("security/secrets-tree", "security/secrets-history")
"""Scanners that take a second each; the scheduled scans run them."""
ELSEWHERE = ("requirements/*", "demo/*", ".github/*", "gonogo.yaml")
"""One small part of the tree shows as much as the whole."""
CONFIG: Mapping[str, Any] = {
    "version": 1,
    "target": {
        "production": "https://production.invalid",
        "identity": {"path": "/api/health", "json": "commit", "deployment": "deployment_id"},
    },
    "smoke": {
        "browser": False,
        "health": {"path": "/api/health"},
        "protected": ["/app"],
        "login": {
            "path": "/api/auth/login",
            "page": "/login",
            "username": "GONOGO_USERNAME",
            "password": "GONOGO_PASSWORD",  # pragma: allowlist secret
        },
    },
    "security": {
        "pages": ["/"],
        "public": ["/openapi.json"],
        "code": {"leave_out": [*FROM_THE_NETWORK, *SECRETS], "exclude": ELSEWHERE},
    },
    "load": {"users": 6, "rate": 4, "warm_up": "500ms", "duration": "2s", "min_requests": 20},
    "gate": {"required": ["smoke", "security", "load"]},
    "deploy": {
        "confirm_interval": "100ms",
        "settle": "200ms",
        "verify": {
            "attempts": 2,
            "consecutive": 2,
            "interval": "100ms",
            "identity_timeout": "20s",
            "checks": ["smoke/health", "smoke/protected-pages", "security/csp"],
        },
    },
}
"""A small gonogo.yaml: real stages, few pages, a short load, no browser."""

DEMO_CONFIG: Mapping[str, Any] = {
    **CONFIG,
    "gate": {"required": ["smoke", "security"]},
    "target": {**CONFIG["target"], "production": "https://demo.example.com"},
    "security": {name: value for name, value in CONFIG["security"].items() if name != "code"},
    "smoke": {
        **CONFIG["smoke"],
        "login": {
            **CONFIG["smoke"]["login"],
            "username": "DEMO_USER_EMAIL",
            "password": "DEMO_USER_PASSWORD",  # pragma: allowlist secret
        },
    },
}
"""The demo's own gonogo.yaml, without the load, which a rehearsal and a fork's pull request are judged by."""
SOURCE = {"app.py": "print('hello')\n"}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens, and what must come of it.

    `flaws`: of the demo, in the commit that the event is about. `late`: flaws that show under production's name alone.
    `deployed`: what Vercel has made of that commit before the workflow starts. `config`: changes to CONFIG by section.
    """

    name: str
    event: Event
    workflow: str = "ci-cd.yml"
    flaws: str = ""
    late: str = ""
    deployed: Literal["", "staged", "live", "preview"] = ""
    linked: bool = True
    trusted: bool = False
    """The way past protection is a token of GitHub's, not a secret."""
    config: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=lambda: SOURCE)
    environ: Mapping[str, str] = field(default_factory=dict)
    then: Scenario | None = None
    """What happens next in the same world."""
    interrupted: bool = False
    """The journal that it finds is that of a run whose runner died in the middle of the promotion."""

    jobs: Mapping[str, str]
    """The jobs that run, with their results; every other one is skipped."""
    verdict: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Of the job `plan`, by name."""
    summary: tuple[str, ...]
    """Pieces of the summaries."""
    says: tuple[str, ...] = ()
    """Pieces of the log."""
    marks: tuple[tuple[str, str], ...] = ()
    """Files and lines that an error is shown at."""
    artifacts: Mapping[str, tuple[str, ...]]
    """The artifacts, each with files that must be among its own."""
    sarif: tuple[str, ...] = ()
    statuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The states that the commit went through, by the statuses' names."""
    comments: int = 0
    issues: int = 0
    moves: tuple[str, ...] = ()
    """Writes that move production."""
    serves: str = "baseline"
    staging: str = ""
    """What the staging alias shows."""
