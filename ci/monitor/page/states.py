"""How things stand right now, in words and in colours. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci.monitor.facts import Condition, ProbeRecord


class State(enum.StrEnum):
    """How a target stands, best first. The value is the class by which the style sheet knows it."""

    UP = "up"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def word(self) -> str:
        return self.value.capitalize()

    @property
    def rank(self) -> int:
        return list(State).index(self)


@dataclass(frozen=True, slots=True)
class Headline:
    """The first thing that a visitor reads."""

    state: State
    word: str
    sentence: str


def state_of(record: ProbeRecord | None, now: datetime, silence: timedelta) -> State:
    """By the latest probe. One that is older than `silence` says nothing about now."""
    if record is None or now - record.at > silence:
        return State.UNKNOWN
    if record.maintenance:
        return State.MAINTENANCE
    return {
        Condition.UP: State.UP,
        Condition.DEGRADED: State.DEGRADED,
        Condition.DOWN: State.DOWN,
        Condition.UNKNOWN: State.UNKNOWN,
    }[record.outcome]


def worst(states: Sequence[State]) -> State:
    """The one that people need to know of; of nothing, nothing is known."""
    return max(states, key=lambda state: state.rank, default=State.UNKNOWN)


def headline(serving: Sequence[State], others: Sequence[State], *, ever: bool, stale: timedelta | None) -> Headline:
    """Of production: `serving` are the pages and endpoints that users meet, `others` what stands behind them.

    `stale` is the age of the latest round when it is too old to speak for now.
    """
    if not ever:
        return Headline(State.UNKNOWN, "Nothing is known yet", "No probe has been made so far.")
    if stale is not None:
        told = "The monitor has not looked for a while, so nothing here speaks for this moment."
        return Headline(State.UNKNOWN, "Not known", told)
    down = sum(state is State.DOWN for state in serving)
    if down and down == len(serving):
        return Headline(State.DOWN, "Outage", "Nothing that was looked at works.")
    if down:
        return Headline(State.DOWN, "Partial outage", f"{down} of {len(serving)} parts do not work.")
    match worst([*serving, *(State.DEGRADED if state is State.DOWN else state for state in others)]):
        case State.DEGRADED:
            return Headline(State.DEGRADED, "Degraded", "Everything answers, but not all of it as it should.")
        case State.UNKNOWN:
            return Headline(State.UNKNOWN, "Not known", "Not everything could be looked at in the latest round.")
        case State.MAINTENANCE:
            return Headline(State.MAINTENANCE, "Maintenance", "Announced work is under way.")
        case _:
            return Headline(State.UP, "Everything works", "All parts answered as they should.")
