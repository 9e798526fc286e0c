"""The whole stage beside a baseline, with candidates that break on the way: NO-GO, soon, and for the right reason."""

from __future__ import annotations

import asyncio

import pytest

from ci.load.recording import Failure
from ci.model import CheckResult, Outcome, StageReport
from tests.load.test_stage import OK, of

# The time-out is longer than an answer ever takes here, and the load longer than any of these tests needs.
LOAD = "users: 40, rate: 2.5, warm_up: 300ms, duration: 60s, request_timeout: 2s, slo: {p95_ms: 1000}"
BROKEN = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
SOUND_REQUESTS = 80


async def steady(number: int, head: str) -> bytes:
    await asyncio.sleep(0.02)
    return OK


async def fails_fast(number: int, head: str) -> bytes:
    return BROKEN if number > SOUND_REQUESTS else await steady(number, head)


async def hangs(number: int, head: str) -> bytes:
    if number > SOUND_REQUESTS:
        await asyncio.Event().wait()
    return await steady(number, head)


async def resets(number: int, head: str) -> bytes | None:
    return None if number > SOUND_REQUESTS else await steady(number, head)


def failed(report: StageReport) -> dict[str, CheckResult]:
    return {result.spec.id: result for result in report.results if result.outcome is Outcome.FAIL}


@pytest.mark.parametrize(("candidate", "failure"), [(fails_fast, Failure.SERVER), (hangs, Failure.TIMEOUT)])
async def test_a_candidate_that_breaks_is_never_faster(serve, load, candidate, failure):
    target, baseline = await serve(candidate), await serve(steady)
    report = await load(target.url, LOAD, baseline=baseline.url, timeout_s=45)
    assert "load/error-rate" in failed(report), report
    assert failure.words in failed(report)["load/error-rate"].findings[0].message
    assert of(report, "load/regression").outcome is not Outcome.PASS
    assert len(target.heads) < 3000, "it was pressed on"


async def test_a_baseline_that_breaks_is_not_the_candidates_fault(serve, load):
    target, baseline = await serve(steady), await serve(resets)
    report = await load(target.url, LOAD, baseline=baseline.url, timeout_s=45)
    assert not failed(report)
    assert report.outcome is Outcome.ERROR
    assert "baseline" in str(of(report, "load/regression").error)
