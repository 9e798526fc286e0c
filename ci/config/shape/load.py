"""`load`: the traffic to make, and what is demanded under it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from ci.config.shape.scalars import Duration, Method, Path, Section

ADDRESS = r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.*-]+)(:\d{1,5})?$"
"""A host, and a port if need be."""

Profile = Literal["gate", "ramp", "soak", "spike", "capacity", "thousand"]


class Scenario(Section):
    """A request of the load, and how often it comes in relation to the others."""

    path: Path
    method: Method = "GET"
    body: dict[str, Any] | list[Any] | str | None = Field(
        default=None, description="Sent as JSON; a text is sent as it is."
    )
    headers: dict[str, str] = Field(default={})
    login: bool = Field(default=False, description="Send it as the logged-in test user of smoke.login.")
    weight: int = Field(default=1, ge=1)
    status: int | None = Field(
        default=None,
        ge=100,
        le=599,
        description="The status that is wanted; any 2xx when not given. Redirects are not followed, so they "
        "count as failed unless one is wanted.",
    )
    contains: str | None = Field(default=None, min_length=1, description="Text that the body must contain.")


class Slo(Section):
    """Service level objectives under load."""

    p95_ms: float = Field(default=500, gt=0)
    error_rate: float = Field(default=0.01, ge=0, le=1, description="Share of requests that may fail.")


class Regression(Section):
    """How the candidate is compared with the baseline, when one is given."""

    delta: float = Field(default=0.05, ge=0, lt=1, description="A regression up to this share is nobody's concern.")
    alpha: float = Field(default=0.01, gt=0, lt=0.5, description="Chance of an alarm without cause.")
    beta: float = Field(default=0.02, gt=0, lt=0.5, description="Chance of a pass without merit.")
    typical_margin: float = Field(
        default=0.10, gt=0, lt=1, description="A pass shows that a typical request is slower by less than this share."
    )
    p95_margin: float = Field(
        default=0.20, gt=0, lt=1, description="A pass shows that the 95th percentile has risen by less than this share."
    )


class Memory(Section):
    """Where the application tells how much memory it uses."""

    path: Path
    field: str = Field(description="Dotted path of the number in the JSON answer; its unit does not matter.")
    every: Duration = Field(default=timedelta(seconds=15), description="Time between two looks.")


class Soak(Section):
    """What may change while a steady load lasts (profile `soak`)."""

    drift: float = Field(
        default=0.2, gt=0, description="Share by which latency or memory may rise from the beginning to the end."
    )
    memory: Memory | None = None


class Capacity(Section):
    """The search for the highest rate that keeps the objectives (profile `capacity`)."""

    highest: float = Field(default=1000, gt=0, description="Requests per second at which the search ends.")
    step: Duration = Field(default=timedelta(seconds=5), description="How long each rate is held.")
    growth: float = Field(default=1.25, gt=1, le=4, description="Each rate is this many times the one before.")


class Load(Section):
    """Does it hold under load?"""

    profile: Profile = Field(
        default="gate",
        description="Course of the load: `gate` is steady and ends as soon as the answer is certain, `ramp` rises, "
        "`soak` lasts, `spike` jumps, `capacity` climbs until an objective breaks, `thousand` has a thousand users.",
    )
    scenarios: tuple[Scenario, ...] = Field(default=(Scenario(path="/"),), min_length=1)
    users: int | None = Field(default=None, ge=1, le=20_000, description="40 when not given; for `thousand`, 1,000.")
    rate: float | None = Field(
        default=None,
        gt=0,
        description="Requests per second that each user intends at the most; with a baseline, so many pairs. 2.5 when "
        "not given; for `thousand`, 0.2.",
    )
    warm_up: Duration = Field(default=timedelta(seconds=3), description="Measured, but not judged.")
    duration: Duration | None = Field(
        default=None,
        description="At the most, after the warm-up: 1m when not given; for `soak` 30m. `capacity` takes as long as "
        "its steps.",
    )
    request_timeout: Duration = timedelta(seconds=10)
    min_requests: int = Field(default=200, ge=1, description="Fewer than these decide nothing.")
    workers: int = Field(
        default=1, ge=1, le=1000, description="Processes that make the load together: of this machine, or see `master`."
    )
    master: str | None = Field(
        default=None,
        pattern=ADDRESS,
        examples=["0.0.0.0:5557"],
        description="Where workers of other machines join (`gonogo load run --worker`). The way there is not encrypted "
        "and asks for no password: keep it inside a private network.",
    )
    slo: Slo = Slo()
    regression: Regression = Regression()
    inconclusive: Literal["hold", "accept"] = Field(
        default="hold", description="What it means when the time is up and neither answer is certain."
    )
    soak: Soak = Soak()
    capacity: Capacity = Capacity()
