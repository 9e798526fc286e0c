"""The course of each profile: the rate that is intended over time. Pure.

A course is a row of phases. In each the rate goes from one value to another along a line, so the number of requests
that are due by any moment, and the moment when the n-th is due, have closed forms.
"""

from __future__ import annotations

import math
from itertools import accumulate

from ci.config.shape.load import Capacity, Profile
from ci.model import Model


class Preset(Model):
    """What a profile is when the configuration says no more."""

    users: int = 40
    rate_per_user: float = 2.5
    duration_s: float = 60.0


PRESETS: dict[Profile, Preset] = {
    "gate": Preset(),
    "ramp": Preset(),
    "soak": Preset(duration_s=1800.0),
    "spike": Preset(),
    "capacity": Preset(),
    "thousand": Preset(users=1000, rate_per_user=0.2),
}

RAMP_FROM = 0.1
"""Share of the full rate at which `ramp` begins; it is reached after two thirds of the time, and held."""
SPIKE_FROM = 0.2
"""Share of the full rate before and after the jump of `spike`, which lasts a quarter of the time."""


class Phase(Model):
    """A time in which the rate goes along a line, in requests per second (with a baseline: pairs)."""

    duration_s: float
    from_rate: float
    to_rate: float

    @property
    def requests(self) -> float:
        """How many are due within it."""
        return self.duration_s * (self.from_rate + self.to_rate) / 2

    def due_by(self, s: float) -> float:
        """How many are due within its first `s` seconds."""
        slope = (self.to_rate - self.from_rate) / self.duration_s
        return self.from_rate * s + slope * s * s / 2

    def time_of(self, n: float) -> float:
        """When the n-th is due, in seconds after the phase has begun."""
        slope = (self.to_rate - self.from_rate) / self.duration_s
        # The root of `due_by(s) = n` in the form that does not divide by a slope of nothing.
        return 2 * n / (self.from_rate + math.sqrt(max(0.0, self.from_rate**2 + 2 * slope * n))) if n > 0 else 0.0


class Course:
    """The phases one after another."""

    def __init__(self, phases: tuple[Phase, ...]) -> None:
        self.phases = phases
        self._ends_s = list(accumulate(phase.duration_s for phase in phases))
        self._totals = list(accumulate(phase.requests for phase in phases))

    @property
    def end_s(self) -> float:
        return self._ends_s[-1]

    def due_by(self, s: float) -> float:
        """How many requests are due within the first `s` seconds."""
        due = 0.0
        for phase, end_s in zip(self.phases, self._ends_s, strict=True):
            if s < end_s:
                return due + phase.due_by(max(0.0, s - (end_s - phase.duration_s)))
            due += phase.requests
        return due

    def time_of(self, n: float) -> float:
        """When the n-th request is due, counted from nought; infinite after the last."""
        before = begun_s = 0.0
        for phase, end_s, total in zip(self.phases, self._ends_s, self._totals, strict=True):
            if n < total:
                return begun_s + phase.time_of(n - before)
            before, begun_s = total, end_s
        return math.inf


def phases(profile: Profile, rate: float, warm_up_s: float, duration_s: float, climb: Capacity) -> tuple[Phase, ...]:
    """The course of a profile whose full rate is `rate`; the warm-up is its first phase."""

    def steady(length_s: float, share: float = 1.0) -> Phase:
        return Phase(duration_s=length_s, from_rate=rate * share, to_rate=rate * share)

    match profile:
        case "gate" | "soak" | "thousand":
            return steady(warm_up_s), steady(duration_s)
        case "ramp":
            rise = Phase(duration_s=duration_s * 2 / 3, from_rate=rate * RAMP_FROM, to_rate=rate)
            return steady(warm_up_s, RAMP_FROM), rise, steady(duration_s / 3)
        case "spike":
            calm, rest = steady(duration_s / 4, SPIKE_FROM), steady(duration_s / 2, SPIKE_FROM)
            return steady(warm_up_s, SPIKE_FROM), calm, steady(duration_s / 4), rest
        case "capacity":
            step_s = climb.step.total_seconds()
            return steady(warm_up_s), *(steady(step_s, at / rate) for at in rungs(rate, climb))


def rungs(rate: float, climb: Capacity) -> tuple[float, ...]:
    """The rates that `capacity` tries, from the wanted one up."""
    found = [rate]
    while found[-1] * climb.growth <= climb.highest:
        found.append(found[-1] * climb.growth)
    return tuple(found)
