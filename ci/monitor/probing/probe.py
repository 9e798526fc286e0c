"""What a probe is: something to look at, a way to look, and what silence would mean."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ci.engine.http import AsyncClient, Budget, HttpFactory, origin
from ci.monitor.facts import Condition, Series

REQUESTS_PER_LOOK = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found out about one series."""

    series: Series
    outcome: Condition
    detail: str
    latency_ms: float | None = None
    value: str = ""
    measure: float | None = None


Look = Callable[[], Awaitable[Sequence[Seen]]]


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to look at. A look may find out about more than one series."""

    series: Series
    look: Look
    silence: Condition = Condition.DOWN
    """What it means that there is no answer: of a target, that it is down; of somebody who could tell, nothing."""
    again: bool = True
    """Whether a failure is confirmed by a second look; what somebody else measures needs none."""


@dataclass(frozen=True, slots=True)
class Eyes:
    """The means by which a round looks."""

    environ: Mapping[str, str]
    tls: ssl.SSLContext
    timeout_s: float
    token: str
    """Differs from round to round: put into addresses, it keeps caches from answering."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """By site, the protection bypass secret that may be sent to it, and to nobody else."""

    def client(self, site: str, *, follow: bool = False) -> AsyncClient:
        """A client with connections of its own, each used for one request."""
        bypass = {origin(own): secret for own, secret in self.secrets.items()}
        factory = HttpFactory(target=site, budget=Budget(REQUESTS_PER_LOOK), tls=self.tls, bypass=bypass)
        client = factory.async_client(timeout_s=self.timeout_s, fresh=True)
        client.follow_redirects = follow
        return client


def milliseconds(since: float, now: float) -> float:
    """Between two readings of `time.perf_counter`, in milliseconds rounded to what a clock can tell."""
    return round(timedelta(seconds=now - since) / timedelta(milliseconds=1), 1)
