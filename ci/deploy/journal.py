"""The journal of a release: what was seen, what was meant to be done before it was done, and how it ended.

It is the release's whole memory: `reconcile` knows what these events tell it, and so does the release itself.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeAlias

from ci.deploy.transitions import OPEN_ENDS, Phase
from ci.engine.evidence import RELEASE_FILE, EvidenceStore
from ci.errors import CannotRun
from ci.model import ErrorKind, Event, Release, ReleaseEnd, Subject

END = "END"
"""The phase of the last event."""


class Fact(enum.StrEnum):
    """Names under which events keep what a later phase, or `reconcile`, must know."""

    COMMAND = "command"
    ENTERED = "entered"
    """The phase that begins with this event."""
    AUTO_ASSIGN = "auto_assign"
    """Whether new production builds took the domains by themselves before this release: `true` or `false`."""
    PIN_LIFTED = "pin_lifted"
    JOB_BEFORE = "job_before"
    """`requestedAt` of the last job before the next write; empty when there was none."""
    INTENT = "intent"
    """`promote` or `rollback`: the write that is about to be made."""
    ANSWER = "answer"
    """What came of the last write: accepted, ambiguous, current, queued, refused."""
    ARRIVED = "arrived"
    """`promote` or `rollback`: the write is confirmed."""
    JOB_AFTER = "job_after"
    """`requestedAt` of the last job when the move was confirmed."""
    FAILED = "failed"
    """The checks that failed on production."""


Facts: TypeAlias = Mapping[Fact, object]
NO_FACTS: Facts = MappingProxyType({})


class Journal:
    """Writes `release.json` whole and through to the disk at each event."""

    def __init__(self, store: EvidenceStore, release: Release, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self.release = release

    @classmethod
    def begin(
        cls, store: EvidenceStore, release: Release, clock: Callable[[], datetime], *, urgent: bool = False
    ) -> Journal:
        """A new journal. Raises CannotRun when the one in the folder is damaged, or its release is not finished.

        `urgent`: an end that is merely open (UNKNOWN, QUEUED) is no obstacle.
        """
        earlier = store.release()
        if earlier and _unfinished(earlier, urgent):
            raise CannotRun(
                ErrorKind.MISCONFIGURED,
                f"the release of {earlier.candidate} in {store.folder / RELEASE_FILE} has begun to change production "
                "and has not ended; run `gonogo reconcile` first",
            )
        return cls(store, release, clock)

    @classmethod
    def resume(cls, store: EvidenceStore, clock: Callable[[], datetime]) -> Journal:
        """The journal in the folder. Raises CannotRun when there is none or it is damaged."""
        release = store.release()
        if release is None:
            raise CannotRun(
                ErrorKind.NO_DATA, f"there is no {RELEASE_FILE} in {store.folder}, so there is nothing to reconcile"
            )
        return cls(store, release, clock)

    def note(self, phase: Phase | ReleaseEnd, message: str, facts: Facts = NO_FACTS) -> None:
        """Add an event. When this returns it is on the disk, with all that was remembered before."""
        self._add(Event(at=self._clock(), phase=phase, message=message, facts=_texts(facts)))

    def recall(self, fact: Fact) -> str | None:
        """The latest value of a fact; None when it was never noted, or noted as empty."""
        for event in reversed(self.release.events):
            if fact in event.facts:
                return event.facts[fact] or None
        return None

    def count(self, fact: Fact, value: str) -> int:
        """How many events carry a fact with this value."""
        return sum(event.facts.get(fact) == value for event in self.release.events)

    def finish(self, end: ReleaseEnd, message: str) -> None:
        """Note the end and why."""
        self._add(Event(at=self._clock(), phase=END, message=message), end=end)

    # What follows is remembered with the next event, and an event precedes every write to Vercel.

    def set_candidate(self, candidate: Subject) -> None:
        self.release = self.release.model_copy(update={"candidate": candidate})

    def set_previous(self, previous: Subject | None) -> None:
        self.release = self.release.model_copy(update={"previous": previous})

    def saw_serving(self, deployment_id: str | None) -> None:
        """Remember what production was last seen to serve."""
        self.release = self.release.model_copy(update={"serving": deployment_id})

    def reopen(self) -> None:
        """The end was open, and is looked at again."""
        self.release = self.release.model_copy(update={"end": None})

    def _add(self, event: Event, **changes: object) -> None:
        # Redacted here already, so that whoever prints the release in hand prints no more than is on the disk.
        events = (*self.release.events, self._store.redact.model(event))
        self.release = self.release.model_copy(update={"events": events, **changes})
        self._store.write_release(self.release)


def utc_now() -> datetime:
    return datetime.now(UTC)


def _unfinished(release: Release, urgent: bool) -> bool:
    announced = any(Fact.INTENT in event.facts for event in release.events)
    return announced and (release.end is None or (release.end in OPEN_ENDS and not urgent))


def _texts(facts: Facts) -> dict[str, str]:
    return {fact.value: _text(value) for fact, value in facts.items()}


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
