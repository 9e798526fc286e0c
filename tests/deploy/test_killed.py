"""`kill -9` at every phase boundary, in a real process, then `gonogo reconcile`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from ci.deploy.release import reconcile
from ci.model import ReleaseEnd
from tests.deploy.world import COMMITS, World

ROOT = Path(__file__).parents[2]
END = ReleaseEnd
UNTOUCHED = (END.HOLD, "baseline", [])
PROMOTED = (END.PROMOTED, "candidate", ["promote"])
ROLLED_BACK = (END.ROLLED_BACK, "baseline", ["promote", "rollback"])
HEALTHY = [
    ("PREFLIGHT", 1, UNTOUCHED),
    ("STAGE", 1, UNTOUCHED),
    ("TEST", 1, UNTOUCHED),
    ("RE-CHECK", 1, UNTOUCHED),
    ("PROMOTE", 1, UNTOUCHED),
    ("CONFIRM", 1, PROMOTED),
    ("VERIFY", 1, PROMOTED),
    ("FINISH", 1, PROMOTED),
]
BROKEN = [
    ("VERIFY", 1, ROLLED_BACK),
    ("ROLLBACK", 1, ROLLED_BACK),
    ("CONFIRM", 2, ROLLED_BACK),
    ("VERIFY", 2, ROLLED_BACK),
    ("FINISH", 1, ROLLED_BACK),
]


async def kill(world: World, phase: str, nth: int) -> None:
    """Run a release in a process that dies there, and see that it was killed indeed."""
    arguments = [str(world.store.folder), world.id("candidate"), phase, str(nth)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.deploy.victim",
        *arguments,
        cwd=ROOT,
        env={**world.environ, "PATH": os.environ["PATH"], "PRODUCTION_URL": world.standin.production_url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == -signal.SIGKILL, stderr.decode()


@pytest.mark.parametrize(
    ("phase", "nth", "outcome", "broken"),
    [(*point, False) for point in HEALTHY] + [(*point, True) for point in BROKEN],
    ids=lambda value: str(value) if isinstance(value, str | int) else "",
)
async def test_reconcile_finishes_what_kill_9_has_interrupted(world: World, phase, nth, outcome, broken):
    if broken:
        world.applications.broken.add(COMMITS["candidate"])
    await kill(world, phase, nth)
    left = world.store.release()
    assert left and left.end is None
    made = await reconcile(world.context(), verify=world.verify)
    assert (made.end, world.serves, world.writes) == outcome, made.events
