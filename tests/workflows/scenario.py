"""What a scenario is, and the small gonogo.yaml that scenarios share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.workflows.events import Event

FROM_THE_NETWORK = ("security/python-dependencies", "security/node-dependencies")
DEAR = ("security/secrets-tree", "security/secrets-history", "security/python-code")
"""Scanners that take up to a second each; the scheduled scans run them."""
ELSEWHERE = ("requirements/*", "demo/*", ".github/actions/*", ".github/workflows/[!g]*", "gonogo.yaml")
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
        "code": {"leave_out": [*FROM_THE_NETWORK, *DEAR], "exclude": ELSEWHERE},
    },
    "load": {
        "users": 4,
        "rate": 4,
        "warm_up": "500ms",
        "duration": "2s",
        "min_requests": 1,
        "slo": {"p95_ms": 20000, "error_rate": 0.5},
        "regression": {"delta": 0.9, "typical_margin": 0.99, "p95_margin": 0.99},
        "inconclusive": "accept",
    },
    "gate": {"required": ["security"]},
    "deploy": {
        "confirm_interval": "100ms",
        "settle": "200ms",
        "verify": {
            "attempts": 2,
            "consecutive": 1,
            "interval": "100ms",
            "identity_timeout": "20s",
            "checks": ["security/csp"],
        },
    },
}
"""A small gonogo.yaml: one real stage, few pages, no browser; and for who demands it a load that no slow machine fails.

What a scenario does not look at, it does not pay for: EVERY_STAGE and BOTH_KINDS say more.
"""
EVERY_STAGE: Mapping[str, Any] = {"gate": {"required": ["smoke", "security", "load"]}}
BOTH_KINDS: Mapping[str, Any] = {
    "deploy": {
        **CONFIG["deploy"],
        "verify": {**CONFIG["deploy"]["verify"], "checks": ["smoke/health", "smoke/protected-pages", "security/csp"]},
    }
}
"""A verification by both stages that make checks of it: it needs all that the job has set up."""

DEMO_CONFIG: Mapping[str, Any] = {
    **CONFIG,
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
"""The demo's own gonogo.yaml, which a rehearsal and a fork's pull request are judged by."""
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
    demo: Mapping[str, Any] = field(default_factory=dict)
    """Changes to DEMO_CONFIG by section."""
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

    @property
    def leaves_production_alone(self) -> bool:
        """Whether its world is afterwards as it was, so that another scenario can follow in it."""
        changes = self.moves or self.staging or self.deployed == "live" or self.serves != "baseline"
        return not changes and (self.then is None or self.then.leaves_production_alone)
