"""Profiles that end in a number, with the real Locust: how much a target bears, and what rises in it."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from aiohttp import web

from ci.model import Outcome
from tests.load.test_stage import of
from tests.servers import serving

pytestmark = pytest.mark.alone


async def test_capacity_is_what_a_target_bears(load):
    """One at a time, each 8 ms: at most 125 a second, so of 40, 80 and 160 a second the second is held."""
    one_at_a_time = asyncio.Lock()

    async def answer(request: web.Request) -> web.Response:
        async with one_at_a_time:
            await asyncio.sleep(0.008)
        return web.Response(text="ok")

    async with serving({"*": answer}) as url:
        report = await load(
            url,
            "profile: capacity, users: 40, rate: 1, warm_up: 500ms, slo: {p95_ms: 300, error_rate: 0.2}, "
            "min_requests: 40, inconclusive: accept, capacity: {highest: 640, growth: 2, step: 2s}",
        )
    measures = {measure.name: measure for measure in report.measures}
    assert measures["capacity"].value == pytest.approx(80)
    assert of(report, "load/volume").outcome is Outcome.PASS, "the wanted rate was reached; what broke was beyond it"
    assert of(report, "load/latency").outcome is Outcome.PASS


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
            "profile: soak, users: 20, rate: 5, warm_up: 300ms, duration: 5s, slo: {p95_ms: 2000, error_rate: 0.2}, "
            "soak: {memory: {path: /health, field: memory.rss, every: 300ms}}",
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
            "profile: soak, users: 20, rate: 10, warm_up: 300ms, duration: 3s, slo: {error_rate: 0.2}, "
            "soak: {memory: {path: /health, field: memory.rss, every: 300ms}}",
        )
    drift = of(report, "load/drift")
    assert drift.outcome is Outcome.ERROR
    assert "GET /health: answered 200 without a positive number at `memory.rss`" in str(drift.error)
