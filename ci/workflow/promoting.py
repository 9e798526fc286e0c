"""Promotion as a job does it: an earlier attempt of the same run is finished first, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path

from ci.engine.evidence import EvidenceStore
from ci.engine.run import Run
from ci.model import Release, ReleaseEnd
from ci.pipeline import releasing

JOURNAL = Path("journal")
"""Where the journal of an earlier attempt is laid."""
SETTLED = frozenset({ReleaseEnd.PROMOTED, ReleaseEnd.ROLLED_BACK, ReleaseEnd.ROLLBACK_FAILED})
"""Ends of a release that has been to production: a rerun has nothing to add to them."""


async def promote_or_resume(run: Run, deployment_id: str, journal: Path = JOURNAL) -> Release:
    """Promote by the verdict in the evidence folder, or finish what an earlier attempt has begun.

    Safe to repeat at any time: the live state decides, with what the journal remembers.
    """
    earlier = EvidenceStore(journal, run.store.redact).release()
    if earlier and earlier.candidate.deployment_id == deployment_id:
        run.progress.say(f"an earlier attempt has left its journal: {earlier.end or 'unfinished'}")
        if run.store.release() is None:
            run.store.write_release(earlier)
        done = await releasing.reconcile(run)
        # A settled end is looked at once more by the promotion itself: a deployment that serves is verified, and one
        # that was taken back is refused.
        if done.end is not ReleaseEnd.PROMOTED and done.end in SETTLED:
            return done
    return await releasing.promote(run, deployment_id)
