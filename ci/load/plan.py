"""What the load generator is asked to do: the file that the stage writes and Locust's process reads."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cached_property

from pydantic import ConfigDict

from ci.config.shape.load import Load, Profile, Scenario
from ci.engine.http import BYPASS_HEADER
from ci.engine.trusted import TRUSTED_HEADER
from ci.load.profiles import PRESETS, Course, Phase, phases
from ci.load.recording import Arm
from ci.model import Model

PLAN_VARIABLE = "GONOGO_LOAD_PLAN"
"""Environment variable with the plan's path."""


OURS = ("user-agent", BYPASS_HEADER, TRUSTED_HEADER)
"""Headers that say who asks, the same for every request; a scenario cannot change them."""


class Endpoint(Model):
    """One kind of request, ready to send."""

    label: str
    """Tells it apart from the others: method and path, and a number where those are alike."""
    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    login: bool = False
    weight: int
    status: int | None = None
    """The only status that is wanted; any 2xx when there is none."""
    contains: str | None = None
    """Text without which an answer is none."""


class Limits(Model):
    """What is demanded of the load."""

    p95_ms: float
    error_rate: float
    min_requests: int
    drift: float = 0.2
    """Share by which latency or memory may rise in a load that lasts."""

    @classmethod
    def of(cls, load: Load) -> Limits:
        return cls(
            p95_ms=load.slo.p95_ms,
            error_rate=load.slo.error_rate,
            min_requests=load.min_requests,
            drift=load.soak.drift,
        )


class Shard(Model):
    """Which part of the whole load this machine makes, when several make it without knowing of each other."""

    index: int = 0
    of: int = 1


WHOLE = Shard()


class Plan(Model):
    """The whole load. Times in seconds, rates per second, latencies in milliseconds."""

    model_config = ConfigDict(ignored_types=(cached_property,))

    url: str
    baseline_url: str | None = None
    profile: Profile = "gate"
    endpoints: tuple[Endpoint, ...]
    users: int
    phases: tuple[Phase, ...]
    warm_up_s: float
    timeout_s: float
    workers: int = 1
    shard: Shard = WHOLE
    samples_path: str = ""
    """Where Locust's process leaves the samples."""

    @classmethod
    def of(cls, load: Load, url: str, baseline_url: str | None = None) -> Plan:
        """The plan that the configuration describes: against `url`, in pairs when there is a baseline."""
        preset = PRESETS[load.profile]
        users = load.users or preset.users
        rate = users * (load.rate or preset.rate_per_user)
        warm_up_s = load.warm_up.total_seconds()
        duration_s = load.duration.total_seconds() if load.duration else preset.duration_s
        if load.profile == "capacity":
            # Little's law: so many requests are under way when the highest rate is answered just within the objective.
            users = max(users, math.ceil(load.capacity.highest * load.slo.p95_ms / 1e3))
        return cls(
            url=url,
            baseline_url=baseline_url,
            profile=load.profile,
            endpoints=_endpoints(load.scenarios),
            users=users,
            phases=phases(load.profile, rate, warm_up_s, duration_s, load.capacity),
            warm_up_s=warm_up_s,
            timeout_s=load.request_timeout.total_seconds(),
            workers=load.workers,
        )

    @cached_property
    def course(self) -> Course:
        return Course(self.phases)

    @property
    def end_s(self) -> float:
        """When the last request starts."""
        return self.course.end_s

    @property
    def judged_to_s(self) -> float:
        """Up to when the objectives must hold: what `capacity` tries beyond the wanted rate may break them."""
        return self.warm_up_s + self.phases[1].duration_s if self.profile == "capacity" else self.end_s

    @property
    def duration_s(self) -> float:
        """How long the load is judged."""
        return self.judged_to_s - self.warm_up_s

    @property
    def rate(self) -> float:
        """Requests per second that each arm is meant to get, on average while it is judged."""
        return self.expected(self.warm_up_s, self.judged_to_s) / self.duration_s

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (Arm.CANDIDATE, Arm.BASELINE) if self.baseline_url else (Arm.CANDIDATE,)

    @property
    def users_here(self) -> int:
        """How many of the users this shard makes."""
        return len(range(self.shard.index, self.users, self.shard.of))

    def expected(self, from_s: float, to_s: float) -> float:
        """How many requests each arm is meant to get from this shard in an interval."""
        return (self.course.due_by(to_s) - self.course.due_by(from_s)) * self.users_here / self.users

    def url_of(self, arm: Arm) -> str:
        return self.url if arm is Arm.CANDIDATE else self.baseline_url or ""

    def number_of(self, user: int, worker: int) -> int:
        """A user's number in the whole load, from its number in its process."""
        return (user * self.workers + worker) * self.shard.of + self.shard.index

    def worker_number(self, worker: int) -> int:
        """A process's number in the whole load, from its number in its shard."""
        return self.shard.index * self.workers + worker

    def due_s(self, user: int, step: int) -> float:
        """When the user with this number is meant to send for the n-th time; infinite after the last."""
        return self.course.time_of(user + step * self.users)


def _endpoints(scenarios: tuple[Scenario, ...]) -> tuple[Endpoint, ...]:
    seen: Counter[str] = Counter()
    endpoints = []
    for scenario in scenarios:
        name = f"{scenario.method} {scenario.path}"
        seen[name] += 1
        headers = {key.lower(): value for key, value in scenario.headers.items() if key.lower() not in OURS}
        body = scenario.body
        if body is not None and not isinstance(body, str):
            headers.setdefault("content-type", "application/json")
            body = json.dumps(body)
        endpoints.append(
            Endpoint(
                label=name if seen[name] == 1 else f"{name} ({seen[name]})",
                method=scenario.method,
                path=scenario.path,
                headers=headers,
                body=body,
                login=scenario.login,
                weight=scenario.weight,
                status=scenario.status,
                contains=scenario.contains,
            )
        )
    return tuple(endpoints)
