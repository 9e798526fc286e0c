"""Incidents to tell of, and a place that keeps what was told; as a program: tell once, and perhaps be killed at it.

`python -m tests.monitor.told FILE`: tells GitHub of one open incident. The coordinates come by the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ci.config import Config
from ci.engine.redaction import Redactor
from ci.monitor.alerts import tell
from ci.monitor.episodes import Episode, episodes
from ci.monitor.facts import Condition, Delivery, Incident, Kind, Priority, Round, Series
from ci.monitor.history import Reading

NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = NOW - timedelta(minutes=30)
HOME = Series(environment="production", target="home", kind=Kind.PAGE)


def incident(**changes: Any) -> Incident:
    facts: dict[str, Any] = {
        "series": HOME,
        "priority": Priority.P0,
        "condition": Condition.DOWN,
        "opened_at": BEGAN + timedelta(minutes=15),
        "good_before": BEGAN - timedelta(minutes=15),
        "first_failure": BEGAN,
        "last_failure": NOW - timedelta(minutes=15),
        "failures": 2,
        "evidence": ("10:07 GET / answered 502, wanted 200",),
    }
    return Incident(**{**facts, **changes})


def episode(*incidents: Incident) -> Episode:
    """The one episode of these, which say themselves that they belong together."""
    (found,) = episodes(incidents)
    return found


def over(**changes: Any) -> Incident:
    return incident(**{"good_again": NOW, "closed_at": NOW, **changes})


def config(alerts: dict[str, Any] | None = None) -> Config:
    return Config.model_validate(
        {"target": {"production": "https://app.example.com"}, "monitor": {"alerts": alerts or {}}}
    )


class ToldHistory:
    """What was told, as lines of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def append(self, round_: Round) -> None:
        raise NotImplementedError

    async def read(self, since: datetime | None = None) -> Reading:
        return Reading(())

    def telling(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        with self.path.open("a") as file:
            file.writelines(delivery.line() for delivery in deliveries)

    async def deliveries(self) -> tuple[Delivery, ...]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return tuple(map(Delivery.model_validate_json, lines))


async def main(path: Path, began: datetime) -> tuple[str, ...]:
    one = incident(first_failure=began)
    return await tell([one], ToldHistory(path), config(), os.environ, Redactor(), say=print, now=NOW)


if __name__ == "__main__":
    sys.exit("; ".join(asyncio.run(main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])))) or 0)
