"""Profiles that end in a number, with the real Locust: how much a target bears, and what rises in it."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from aiohttp import web

from ci.model import Outcome
from tests.load.test_stage import of
from tests.servers import serving


@pytest.mark.timed
async def test_capacity_is_what_a_target_bears(load):
    """One at a time, each 10 ms: at most 100 a second, so of 20, 60, 180 and 540 a second the second is held."""
    one_at_a_time = asyncio.Lock()

    async def answer(request: web.Request) -> web.Response:
        async with one_at_a_time:
            await asyncio.sleep(0.01)
        return web.Response(text="ok")

    async with serving({"*": answer}) as url:
        report = await load(
            url,
            "profile: capacity, users: 20, rate: 1, warm_up: 300ms, slo: {p95_ms: 300, error_rate: 0.2}, "
            "min_requests: 15, inconclusive: accept, capacity: {highest: 540, growth: 3, step: 1s}",
        )
    measures = {measure.name: measure for measure in report.measures}
    assert measures["capacity"].value == pytest.approx(60)
    assert of(report, "load/volume").outcome is Outcome.PASS, "the wanted rate was reached; what broke was beyond it"
    assert of(report, "load/latency").outcome is Outcome.PASS


@pytest.mark.timed
async def test_a_soak_tells_what_rises(load):
    requests, readings = itertools.count(), itertools.count()

    async def slower_and_slower(request: web.Request) -> web.Response:
        await asyncio.sleep(0.01 + next(requests) * 0.000_05)
        return web.Response(text="ok")

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"memory": {"rss": 50_000_000 * 1.1 ** next(readings)}})

    async with serving({"/health": health, "*": slower_and_slower}) as url:
        report = await load(
            url,
            "profile: soak, users: 30, rate: 5, warm_up: 300ms, duration: 3s, slo: {p95_ms: 2000, error_rate: 0.2}, "
            "soak: {memory: {path: /health, field: memory.rss, every: 200ms}}",
        )
    drift = of(report, "load/drift")
    assert drift.outcome is Outcome.FAIL
    assert [finding.key for finding in drift.findings] == ["median latency", "memory"]


async def test_a_soak_whose_target_does_not_tell_its_memory_is_no_pass(load):
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"memory": None})

    async with serving({"*": answer}) as url:
        report = await load(
            url,
            "profile: soak, users: 20, rate: 10, warm_up: 300ms, duration: 2s, slo: {error_rate: 0.2}, "
            "soak: {memory: {path: /health, field: memory.rss, every: 300ms}}",
        )
    drift = of(report, "load/drift")
    assert drift.outcome is Outcome.ERROR
    assert "GET /health: answered 200 without a positive number at `memory.rss`" in str(drift.error)
