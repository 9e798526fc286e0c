"""Whether a rate limit lets a client in again when it has said that it would."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ci.config.shape.scalars import spelled
from ci.config.shape.security import RateLimit
from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.limits import LIMITED, press
from ci.security.visit import Visit

MOST_RETURNS = 4
"""A limiter that rounds down says up to a second too early: it is believed again for as long, but not for ever."""
SHORTEST_WAIT_S = 0.4
_EPOCH = 1_000_000_000
"""A reset above this is no number of seconds but a moment."""


@dataclass(frozen=True, slots=True)
class Return:
    """What came of waiting as long as the limiter said."""

    limit: RateLimit
    answer: Answer
    waited_s: float


async def come_back(visit: Visit) -> Return:
    """Wait for as long as the last refusal says and ask again, at most `security.rate_limit.recovery` in all.

    Raises NotApplicable when the limit did not bite, says no time, or a longer one.
    """
    burst = visit.known.burst or await press(visit)
    if burst.bite is None:
        raise NotApplicable("the limit did not bite, so there is nothing to recover from; see security/rate-limit")
    limit = burst.limit
    refusal = next((answer for answer in reversed(burst.spoofed) if answer.status == LIMITED), burst.bite)
    left_s = limit.recovery.total_seconds()
    waited_s = 0.0
    for _ in range(MOST_RETURNS):
        pause_s = _demanded(refusal, left_s, limit) if not waited_s else pause_told(refusal.headers)
        if pause_s is None or pause_s > left_s:
            break
        pause_s = max(pause_s, SHORTEST_WAIT_S)
        await asyncio.sleep(pause_s)
        waited_s, left_s = waited_s + pause_s, left_s - pause_s
        refusal = await visit.ask(limit.method, limit.path, json=limit.body)
        if refusal.status != LIMITED:
            break
    return Return(limit, refusal, waited_s)


def _demanded(refusal: Answer, left_s: float, limit: RateLimit) -> float:
    pause_s = pause_told(refusal.headers)
    if pause_s is None:
        raise NotApplicable("the refusal does not say when to come back, so nobody can; see security/retry-after")
    if pause_s > left_s:
        raise NotApplicable(
            f"the limit lets requests through again after {pause_s:.0f} s, and at most {spelled(limit.recovery)} are "
            f"waited: write `recovery: {pause_s + 1:.0f}s` below security.rate_limit to have it tried"
        )
    return pause_s


def pause_told(headers: httpx.Headers) -> float | None:
    """Seconds until the next request is welcome, from the headers that say it, or None.

    `Retry-After` (RFC 9110, section 10.2.3), `RateLimit` (draft-ietf-httpapi-ratelimit-headers), and the older
    `RateLimit-Reset` and `X-RateLimit-Reset`, which hold seconds or a moment since 1970.
    """
    told = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", told):
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, TypeError, OverflowError):
        pass
    else:
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    if spent := re.findall(r"r=0;t=(\d{1,9})\b", headers.get("ratelimit", "").replace(" ", "")):
        return max(float(seconds) for seconds in spent)
    for name in ("ratelimit-reset", "x-ratelimit-reset"):
        if re.fullmatch(r"\d{1,12}", value := headers.get(name, "").strip()):
            reset = float(value)
            return max(0.0, reset - datetime.now(UTC).timestamp()) if reset > _EPOCH else reset
    return None


@check(
    CheckSpec(
        id="security/rate-limit-recovery",
        title="The rate limit lets a client in again when it has said it would",
        severity=Severity.MEDIUM,
        why="A window that never ends locks people out for good, everybody behind one address with them.",
        remediation="Let each count end with its window, on every instance; refused requests must not renew it.",
        references=("RFC 6585, section 4", "RFC 9110, section 10.2.3", "CWE-645"),
    )
)
def rate_limit_recovery(back: Return) -> Judged:
    if back.answer.status == LIMITED:
        told = f"{back.limit.path} still answers 429 after {back.waited_s:.0f} s, which is as long as it had said"
        yield wrong(rate_limit_recovery.spec, back.answer, told)
    else:
        yield seen(back.answer, f"let through again after {back.waited_s:.0f} s")
