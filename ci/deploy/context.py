"""What a release is given, and the three things it asks of the pipeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ci.config import Config
from ci.deploy.client import Vercel
from ci.deploy.journal import utc_now
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Progress
from ci.model import StageReport, Subject, Verdict

Stage = Callable[[], Awaitable[str]]
"""Finds or creates the candidate and gives its id at once; waiting for the build is not its business."""

Test = Callable[[Subject, str | None], Awaitable[Verdict]]
"""Judges the candidate at its own URL; the second argument is the baseline's URL, None when production is empty."""

Ancestry = Callable[[str, str], Awaitable[bool | None]]
"""Whether the first commit is an ancestor of the second; None when git does not know one of them."""


class Verify(Protocol):
    """One look at `subject.url` on fresh connections, past every cache.

    `identity_only`: does it say that it is `subject.commit`? Only a report whose outcome is PASS counts as "yes"; a
    raised exception is an ERROR. It is asked about the candidate and about the deployment before it, at production's
    URL and at the previous deployment's own.
    """

    async def __call__(self, subject: Subject, *, identity_only: bool) -> StageReport: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One release: its configuration, its means, and what the caller already knows."""

    config: Config
    vercel: Vercel
    store: EvidenceStore
    progress: Progress
    commit: str | None = None
    """The commit that the candidate must have been built from."""
    is_ancestor: Ancestry | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where the tokens are that the configuration names."""
    override_pin: bool = False
    """Promote although production was rolled back and pinned."""
    now: Callable[[], datetime] = utc_now
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
