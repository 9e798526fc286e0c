"""Asking the application now and then how much memory it uses, while a load lasts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from ci.config.shape.load import Load, Memory
from ci.engine.http import Budget, HttpFactory
from ci.engine.identity import dotted
from ci.errors import CannotRun

MOST = 10_000
"""Readings of one load."""


@dataclass(slots=True)
class Readings:
    """What the application has told so far."""

    told: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the watch began, and the number."""
    problem: str = ""
    """Why it told nothing, the last time that it did not."""
    asked: bool = True

    def as_fields(self) -> dict[str, Any]:
        """As a load's ending holds them."""
        return {"memory": tuple(self.told), "memory_problem": self.problem} if self.asked else {}


@asynccontextmanager
async def watching(load: Load, http: HttpFactory) -> AsyncIterator[Readings]:
    """Read for the length of the block, when the load is a soak and the configuration says where."""
    readings = Readings(asked=load.profile == "soak" and load.soak.memory is not None)
    if not readings.asked or load.soak.memory is None:
        yield readings
        return
    # Beside what the load itself sends these are few, so the budget of the checks' own requests is left alone.
    own = replace(http, budget=Budget(MOST))
    task = asyncio.create_task(_watch(load.soak.memory, own, readings))
    try:
        yield readings
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(memory: Memory, http: HttpFactory, readings: Readings) -> None:
    """Read until cancelled. A target that does not tell is no reason to stop the load."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with http.async_client() as client:
        while True:
            at_s = loop.time() - begun
            try:
                readings.told.append((at_s, await _read(client, memory)))
                readings.problem = ""
            except (CannotRun, httpx.HTTPError, ValueError) as error:
                readings.problem = f"GET {memory.path}: {error or type(error).__name__}"
            await asyncio.sleep(memory.every.total_seconds())


async def _read(client: httpx.AsyncClient, memory: Memory) -> float:
    response = await client.get(memory.path)
    try:
        value = dotted(json.loads(response.content), memory.field)
    except ValueError:
        raise ValueError(f"answered {response.status_code} without JSON") from None
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"answered {response.status_code} without a positive number at `{memory.field}`")
    return float(value)
