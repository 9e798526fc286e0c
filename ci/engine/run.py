"""What every stage of one run is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ci.config import Config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Progress
from ci.model import Subject


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

    @property
    def url(self) -> str:
        """The target: the running URL under test, without a trailing slash."""
        return self.subject.url
