"""`load`: the traffic to make, and what is demanded under it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from ci.config.shape.scalars import Duration, Method, Path, Section

Profile = Literal["gate", "ramp", "soak", "spike", "capacity", "thousand"]


class Scenario(Section):
    """A request of the load, and how often it comes in relation to the others."""

    path: Path
    method: Method = "GET"
    body: dict[str, Any] | None = None
    headers: dict[str, str] = Field(default={})
    weight: int = Field(default=1, ge=1)


class Slo(Section):
    """Service level objectives under load."""

    p95_ms: float = Field(default=500, gt=0)
    error_rate: float = Field(default=0.01, ge=0, le=1, description="Share of requests that may fail.")


class Load(Section):
    """Does it hold under load?"""

    profile: Profile = Field(
        default="gate",
        description="Course of the load: `gate` is steady and ends as soon as the answer is certain, `ramp` rises, "
        "`soak` lasts, `spike` jumps, `capacity` climbs until an objective breaks, `thousand` has a thousand users.",
    )
    scenarios: tuple[Scenario, ...] = (Scenario(path="/"),)
    users: int = Field(default=40, ge=1, le=10_000)
    rate: float = Field(default=2.5, gt=0, description="Requests per second that each user intends.")
    warm_up: Duration = Field(default=timedelta(seconds=3), description="Measured, but not judged.")
    duration: Duration = Field(default=timedelta(seconds=15), description="After the warm-up.")
    request_timeout: Duration = timedelta(seconds=10)
    min_requests: int = Field(default=200, ge=1, description="Fewer than these decide nothing.")
    slo: Slo = Slo()
