"""A release in a process of its own that is killed, as `kill -9` does it, at a point of its journal.

`python -m tests.deploy.victim FOLDER CANDIDATE PHASE NTH`: dies when PHASE begins for the nth time. The coordinates of
the stand-in come by the environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path

from ci.config import Config
from ci.deploy.client import connect
from ci.deploy.context import Context
from ci.deploy.journal import Fact
from ci.deploy.release import release
from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.model import Release, Subject, Verdict
from tests.deploy.world import DURATIONS, PATIENCE, go, look


class DoomedStore(EvidenceStore):
    """Kills its process as soon as the fatal event is on the disk."""

    phase = ""
    left = 0

    def write_release(self, release: Release) -> Path:
        path = super().write_release(release)
        self.left -= release.events[-1].facts.get(Fact.ENTERED) == self.phase
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return path


async def main(folder: str, candidate: str, phase: str, nth: str) -> None:
    environ = dict(os.environ)
    config = Config.model_validate({"target": {"production": environ["PRODUCTION_URL"]}, "deploy": DURATIONS})
    store = DoomedStore(Path(folder), Redactor.of_environment(environ))
    store.phase, store.left = phase, int(nth)
    trust = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])

    async def test(subject: Subject, baseline_url: str | None) -> Verdict:
        return go(subject)

    async def verify(subject: Subject, *, identity_only: bool):
        return await look(trust, subject, identity_only=identity_only)

    async with connect(config, environ, PATIENCE) as vercel:
        ctx = Context(config=config, vercel=vercel, store=store, progress=Silence())
        await release(ctx, stage=candidate, test=test, verify=verify)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
