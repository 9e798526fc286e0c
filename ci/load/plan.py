"""What the load generator is asked to do: the file that the stage writes and Locust's process reads."""

from __future__ import annotations

import json
from collections import Counter

from ci.config.shape.load import Load, Scenario
from ci.engine.http import BYPASS_HEADER
from ci.model import Model

PLAN_VARIABLE = "GONOGO_LOAD_PLAN"
"""Environment variable with the plan's path."""


OURS = ("user-agent", BYPASS_HEADER)
"""Headers that say who asks, the same for every request; a scenario cannot change them."""


class Endpoint(Model):
    """One kind of request, ready to send."""

    label: str
    """Tells it apart from the others: method and path, and a number where those are alike."""
    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    weight: int


class Limits(Model):
    """What is demanded of the load."""

    p95_ms: float
    error_rate: float
    min_requests: int

    @classmethod
    def of(cls, load: Load) -> Limits:
        return cls(p95_ms=load.slo.p95_ms, error_rate=load.slo.error_rate, min_requests=load.min_requests)


class Plan(Model):
    """The whole load. Times in seconds, rates per second, latencies in milliseconds."""

    url: str
    endpoints: tuple[Endpoint, ...]
    users: int
    rate_per_user: float
    warm_up_s: float
    duration_s: float
    timeout_s: float
    samples_path: str = ""
    """Where Locust's process leaves the samples."""

    @classmethod
    def of(cls, load: Load, url: str) -> Plan:
        """The plan that the configuration describes, against `url`."""
        return cls(
            url=url,
            endpoints=_endpoints(load.scenarios),
            users=load.users,
            rate_per_user=load.rate,
            warm_up_s=load.warm_up.total_seconds(),
            duration_s=load.duration.total_seconds(),
            timeout_s=load.request_timeout.total_seconds(),
        )

    @property
    def rate(self) -> float:
        """Requests per second that all users intend together."""
        return self.users * self.rate_per_user

    @property
    def end_s(self) -> float:
        """When the last request starts."""
        return self.warm_up_s + self.duration_s


def _endpoints(scenarios: tuple[Scenario, ...]) -> tuple[Endpoint, ...]:
    seen: Counter[str] = Counter()
    endpoints = []
    for scenario in scenarios:
        name = f"{scenario.method} {scenario.path}"
        seen[name] += 1
        headers = {key.lower(): value for key, value in scenario.headers.items() if key.lower() not in OURS}
        body = None
        if scenario.body is not None:
            headers.setdefault("content-type", "application/json")
            body = json.dumps(scenario.body)
        endpoints.append(
            Endpoint(
                label=name if seen[name] == 1 else f"{name} ({seen[name]})",
                method=scenario.method,
                path=scenario.path,
                headers=headers,
                body=body,
                weight=scenario.weight,
            )
        )
    return tuple(endpoints)
