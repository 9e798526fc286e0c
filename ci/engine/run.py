"""What every stage of one run is given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ci.config import Config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Progress
from ci.model import Subject

Part = Literal["live", "code"]
"""A part of the security stage: the probes of the target, or the scan of the repository."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its configuration, its subject, and the means to look and to tell."""

    config: Config
    subject: Subject
    environ: Mapping[str, str]
    http: HttpFactory
    store: EvidenceStore
    progress: Progress
    baseline_url: str | None = None
    folder: Path = Path()
    """Somewhere in the application's repository."""
    part: Part | None = None
    """The only part of the security stage to run; both when none is named."""
    since: str | None = None
    """A revision: of the code only what was added since then is judged."""

    alone: asyncio.Event | None = None
    """Set once no stage beside asks the target any more: what uses up a rate limit waits for it."""

    @property
    def url(self) -> str:
        """The target: the running URL under test, without a trailing slash."""
        return self.subject.url

    @classmethod
    def about(
        cls,
        subject: Subject,
        config: Config,
        environ: Mapping[str, str],
        store: EvidenceStore,
        progress: Progress,
        baseline_url: str | None = None,
    ) -> Run:
        """A run with clients of its own, within the budget that the configuration gives a stage."""
        http = HttpFactory.for_target(subject.url, budget=config.target.request_budget, environ=environ)
        return cls(config, subject, environ, http, store, progress, baseline_url)
