"""Waiting for a rate limit to end: as long as it says, no longer than configured, and then it is tried."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from aiohttp import web

from ci.engine.progress import Silence
from ci.engine.run import Run
from ci.model import CheckResult, Outcome
from ci.security import live
from ci.security.recovery import MOST_RETURNS, pause_told
from tests.servers import answers, serving

CHECK = "security/rate-limit-recovery"
NOW = datetime.now(UTC)
DAY_S = 86_400


class Limiter:
    """Lets one request through, then refuses with these headers in turn; when they are used up it lets in again."""

    def __init__(self, *refusals: dict[str, str]) -> None:
        self.refusals = refusals
        self.asked = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        if 2 <= self.asked <= len(self.refusals) + 1:
            return web.Response(status=429, headers=self.refusals[self.asked - 2])
        return web.Response()


async def outcome(limiter: Limiter, running_on: Callable[..., Run], recovery: str = "2s") -> CheckResult:
    limit: dict[str, Any] = {"path": "/limited", "burst": 1, "recovery": recovery}
    async with serving({"*": limiter.handle}) as url:
        (result,) = await live.results(running_on(url, security={"rate_limit": limit}), [CHECK])
    return result


def spoofed(*after: dict[str, str]) -> tuple[dict[str, str], ...]:
    """The first refusal, the three under made-up addresses, and what comes after the waiting."""
    return ({"retry-after": "9"}, {}, {}, {"retry-after": "0"}, *after)


async def test_a_window_that_ends_passes(running_on: Callable[..., Run]) -> None:
    limiter = Limiter(*spoofed())
    result = await outcome(limiter, running_on)
    assert result.outcome is Outcome.PASS, "the last refusal counts, not the first"
    assert "let through again" in result.evidence[0].summary
    assert limiter.asked == 6


async def test_a_limiter_that_says_a_moment_too_early_is_believed_again(running_on: Callable[..., Run]) -> None:
    assert (await outcome(Limiter(*spoofed({"retry-after": "0"})), running_on)).outcome is Outcome.PASS


async def test_a_window_that_never_ends_fails_after_few_requests(running_on: Callable[..., Run]) -> None:
    limiter = Limiter(*[{"retry-after": "0"}] * 99)
    result = await outcome(limiter, running_on)
    assert result.outcome is Outcome.FAIL
    assert "still answers 429" in result.findings[0].message
    assert limiter.asked == 5 + MOST_RETURNS


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"retry-after": "60"}, "write `recovery: 61s` below security.rate_limit"),
        ({"retry-after": format_datetime(NOW + timedelta(hours=1), usegmt=True)}, "at most 2s are waited"),
        ({}, "see security/retry-after"),
        ({"retry-after": "soon"}, "see security/retry-after"),
    ],
)
async def test_what_cannot_be_waited_for_is_skipped_with_the_reason(
    headers: dict[str, str], reason: str, running_on: Callable[..., Run]
) -> None:
    limiter = Limiter(*[headers] * 99)
    result = await outcome(limiter, running_on)
    assert result.outcome is Outcome.SKIP
    assert reason in str(result.skip_reason)
    assert limiter.asked == 5, "and it is not asked again"


async def test_without_a_bite_there_is_nothing_to_wait_for(running_on: Callable[..., Run]) -> None:
    assert "security/rate-limit" in str((await outcome(Limiter(), running_on)).skip_reason)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": format_datetime(NOW + timedelta(days=2), usegmt=True)}, 2 * DAY_S),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"ratelimit": '"ip";r=0;t=12'}, 12),
        ({"ratelimit": '"ip"; r=5; t=2, "user"; r=0; t=30'}, 30),
        ({"ratelimit": '"ip";r=5;t=12'}, None),
        ({"ratelimit-reset": "20"}, 20),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 2 * DAY_S)}, 2 * DAY_S),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "9" * 30}, None),
        ({"x-ratelimit-reset": "never"}, None),
        ({}, None),
    ],
)
def test_the_pause_is_read_from_every_header_that_says_it(headers: dict[str, str], wanted: float | None) -> None:
    told = pause_told(httpx.Headers(headers))
    assert told == (None if wanted is None else pytest.approx(wanted, abs=DAY_S if wanted > DAY_S else 0))


async def test_the_limit_is_not_used_up_beside_another_stage(running_on: Callable[..., Run]) -> None:
    limiter = Limiter({"retry-after": "0"})
    waits = asyncio.Event()

    class Watching(Silence):
        def stage_at(self, stage: str, activity: str) -> None:
            if activity.startswith("waiting for the smoke stage"):
                waits.set()

    async with serving({"/limited": limiter.handle, "*": answers()}) as url:
        run = running_on(url, security={"rate_limit": {"path": "/limited", "burst": 1}})
        run = dataclasses.replace(run, alone=asyncio.Event(), progress=Watching())
        pressing = asyncio.create_task(live.results(run, ["security/rate-limit"]))
        await waits.wait()
        assert limiter.asked == 0
        assert run.alone
        run.alone.set()
        (result,) = await pressing
    assert (result.outcome, limiter.asked > 0) == (Outcome.PASS, True)
