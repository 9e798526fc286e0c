"""The table of a release: in each phase, what may come out of it and where that leads. Pure.

`ci.deploy.transaction` runs this table and knows no other order of things; the diagram is drawn from it.
"""

from __future__ import annotations

import enum

from ci.model import ReleaseEnd


class Phase(enum.StrEnum):
    """Where a release stands."""

    PREFLIGHT = "PREFLIGHT"
    """Read the project: what serves production, and may it be touched?"""
    STAGE = "STAGE"
    """Get the candidate, and demand that it is what it must be."""
    TEST = "TEST"
    """Judge the candidate at its own URL."""
    RECHECK = "RE-CHECK"
    """Nothing has changed since PREFLIGHT, and the candidate is not older than production."""
    PROMOTE = "PROMOTE"
    """One write."""
    CONFIRM = "CONFIRM"
    """The job has succeeded and every production domain points where it should."""
    VERIFY = "VERIFY"
    """Look at production itself."""
    ROLLBACK = "ROLLBACK"
    """One guarded write back."""
    FINISH = "FINISH"
    """Restore the project's settings, and see once more what serves."""


class Signal(enum.StrEnum):
    """What came out of a phase."""

    FREE = "production is known and free"
    TARGET_CHOSEN = "the deployment to go back to is chosen"
    STOPPED = "a condition is not met"
    UNREADABLE = "the API gives no answer"

    STAGED = "the candidate is staged"
    BUILD_FAILED = "the build failed"
    OLDER = "production is newer"

    GO = "verdict GO"
    NO_GO = "verdict NO-GO"
    NOT_GO = "verdict HOLD, stale, partial or about another"

    UNCHANGED = "nothing has changed"
    TAKEN_OVER = "somebody else has changed production"

    WRITTEN = "accepted, or not known whether"
    QUEUED = "waits behind a rolling release"
    REFUSED = "refused"
    IMPOSSIBLE = "there is nothing to go back to"

    SERVES_CANDIDATE = "candidate serves everywhere"
    SERVES_PREVIOUS = "previous serves everywhere"
    NO_EFFECT = "production is untouched"
    LOST = "the request left no trace"
    UNCLEAR = "no clear answer in time"

    RIGHT = "production is right"
    WRONG = "production is wrong"
    NOT_SEEN = "production still shows another"
    CAUSE_OUTSIDE = "the previous one fails too"
    NOT_OURS = "wrong, but not promoted here"
    STILL_WRONG = "wrong after the rollback"

    DONE = "promotion stands"
    DONE_BACK = "rollback stands"


TABLE: dict[tuple[Phase, Signal], Phase | ReleaseEnd] = {
    (Phase.PREFLIGHT, Signal.FREE): Phase.STAGE,
    (Phase.PREFLIGHT, Signal.TARGET_CHOSEN): Phase.ROLLBACK,
    (Phase.PREFLIGHT, Signal.SERVES_PREVIOUS): Phase.VERIFY,
    (Phase.PREFLIGHT, Signal.STOPPED): ReleaseEnd.HOLD,
    (Phase.PREFLIGHT, Signal.UNREADABLE): ReleaseEnd.HOLD,
    (Phase.STAGE, Signal.STAGED): Phase.TEST,
    (Phase.STAGE, Signal.SERVES_CANDIDATE): Phase.VERIFY,
    (Phase.STAGE, Signal.BUILD_FAILED): ReleaseEnd.NO_GO,
    (Phase.STAGE, Signal.OLDER): ReleaseEnd.SUPERSEDED,
    (Phase.STAGE, Signal.STOPPED): ReleaseEnd.HOLD,
    (Phase.STAGE, Signal.UNREADABLE): ReleaseEnd.HOLD,
    (Phase.TEST, Signal.GO): Phase.RECHECK,
    (Phase.TEST, Signal.NO_GO): ReleaseEnd.NO_GO,
    (Phase.TEST, Signal.NOT_GO): ReleaseEnd.HOLD,
    (Phase.RECHECK, Signal.UNCHANGED): Phase.PROMOTE,
    (Phase.RECHECK, Signal.OLDER): ReleaseEnd.SUPERSEDED,
    (Phase.RECHECK, Signal.TAKEN_OVER): ReleaseEnd.SUPERSEDED,
    (Phase.RECHECK, Signal.STOPPED): ReleaseEnd.HOLD,
    (Phase.RECHECK, Signal.UNREADABLE): ReleaseEnd.HOLD,
    (Phase.PROMOTE, Signal.WRITTEN): Phase.CONFIRM,
    (Phase.PROMOTE, Signal.QUEUED): ReleaseEnd.QUEUED,
    (Phase.PROMOTE, Signal.REFUSED): ReleaseEnd.HOLD,
    (Phase.CONFIRM, Signal.SERVES_CANDIDATE): Phase.VERIFY,
    (Phase.CONFIRM, Signal.SERVES_PREVIOUS): Phase.VERIFY,
    (Phase.CONFIRM, Signal.LOST): Phase.ROLLBACK,
    (Phase.CONFIRM, Signal.NO_EFFECT): ReleaseEnd.HOLD,
    (Phase.CONFIRM, Signal.QUEUED): ReleaseEnd.QUEUED,
    (Phase.CONFIRM, Signal.TAKEN_OVER): ReleaseEnd.SUPERSEDED,
    (Phase.CONFIRM, Signal.UNCLEAR): ReleaseEnd.UNKNOWN,
    (Phase.CONFIRM, Signal.UNREADABLE): ReleaseEnd.UNKNOWN,
    (Phase.CONFIRM, Signal.REFUSED): ReleaseEnd.ROLLBACK_FAILED,
    (Phase.VERIFY, Signal.RIGHT): Phase.FINISH,
    (Phase.VERIFY, Signal.WRONG): Phase.ROLLBACK,
    (Phase.VERIFY, Signal.TAKEN_OVER): ReleaseEnd.SUPERSEDED,
    (Phase.VERIFY, Signal.CAUSE_OUTSIDE): ReleaseEnd.HOLD,
    (Phase.VERIFY, Signal.NOT_OURS): ReleaseEnd.HOLD,
    (Phase.VERIFY, Signal.NOT_SEEN): ReleaseEnd.UNKNOWN,
    (Phase.VERIFY, Signal.UNREADABLE): ReleaseEnd.UNKNOWN,
    (Phase.VERIFY, Signal.STILL_WRONG): ReleaseEnd.ROLLBACK_FAILED,
    (Phase.ROLLBACK, Signal.WRITTEN): Phase.CONFIRM,
    (Phase.ROLLBACK, Signal.TAKEN_OVER): ReleaseEnd.SUPERSEDED,
    (Phase.ROLLBACK, Signal.UNREADABLE): ReleaseEnd.UNKNOWN,
    (Phase.ROLLBACK, Signal.REFUSED): ReleaseEnd.ROLLBACK_FAILED,
    (Phase.ROLLBACK, Signal.IMPOSSIBLE): ReleaseEnd.ROLLBACK_FAILED,
    (Phase.FINISH, Signal.DONE): ReleaseEnd.PROMOTED,
    (Phase.FINISH, Signal.DONE_BACK): ReleaseEnd.ROLLED_BACK,
    (Phase.FINISH, Signal.TAKEN_OVER): ReleaseEnd.SUPERSEDED,
}

EXIT_CODES: dict[ReleaseEnd, int] = {
    ReleaseEnd.PROMOTED: 0,
    ReleaseEnd.NO_GO: 1,
    ReleaseEnd.HOLD: 3,
    ReleaseEnd.SUPERSEDED: 3,
    ReleaseEnd.QUEUED: 3,
    ReleaseEnd.UNKNOWN: 3,
    ReleaseEnd.ROLLED_BACK: 20,
    ReleaseEnd.ROLLBACK_FAILED: 21,
}

OPEN_ENDS = frozenset({ReleaseEnd.QUEUED, ReleaseEnd.UNKNOWN})
"""Ends after which `reconcile` looks again: time alone may have answered what was open."""


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    direction TB", f"    [*] --> {_name(Phase.PREFLIGHT)}"]
    lines += [f'    state "{phase.value}" as {_name(phase)}' for phase in Phase if phase.value != _name(phase)]
    edges: dict[tuple[Phase, Phase | ReleaseEnd], list[str]] = {}
    for (phase, signal), target in TABLE.items():
        edges.setdefault((phase, target), []).append(signal.value)
    lines += [
        f"    {_name(phase)} --> {_name(target)}: {' / '.join(signals)}" for (phase, target), signals in edges.items()
    ]
    lines += [f"    {_name(end)} --> [*]" for end in ReleaseEnd]
    return "\n".join(lines) + "\n"


def _name(state: Phase | ReleaseEnd) -> str:
    return state.value.replace("-", "")
