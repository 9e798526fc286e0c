"""The rate limit, really tried: never with more requests than are configured."""

from __future__ import annotations

from dataclasses import dataclass

from ci.config.shape.security import RateLimit
from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Evidence, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.visit import Visit

LIMITED = 429
MOST_SPOOFED = 3
SPOOFED = (
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-originating-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "forwarded",
)
"""Headers in which proxies tell whom they speak for; anybody may send them."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What came of asking one limited path again and again."""

    limit: RateLimit
    answers: tuple[Answer, ...]
    spoofed: tuple[Answer, ...]
    """After the limit had bitten: the same client, claiming to be others."""
    excluded: tuple[tuple[Answer, ...], ...]

    @property
    def bite(self) -> Answer | None:
        """The first refusal."""
        return next((answer for answer in self.answers if answer.status == LIMITED), None)


async def press(visit: Visit) -> Burst:
    """Ask one more time than the limit lets through, one after the other, and stop where it bites."""
    limit = visit.run.config.security.rate_limit
    if limit is None:
        raise NotApplicable("no rate limit is configured: say in security.rate_limit which path has one, and its burst")

    async def ask(claimed: str | None = None) -> Answer:
        headers = {}
        if claimed:
            headers = {name: f"for={claimed}" if name == "forwarded" else claimed for name in SPOOFED}
        return await visit.ask(limit.method, limit.path, json=limit.body, headers=headers)

    answers: list[Answer] = []
    while len(answers) <= limit.burst and not (answers and answers[-1].status == LIMITED):
        answers.append(await ask())
    bitten = answers[-1].status == LIMITED
    # Addresses for documentation (RFC 5737): no client really has one.
    spoofed = [await ask(f"203.0.113.{number}") for number in range(1, MOST_SPOOFED + 1)] if bitten else []
    excluded = [await _repeat(visit, path, limit.burst + 1) for path in limit.excluded]
    visit.known.burst = Burst(limit, tuple(answers), tuple(spoofed), tuple(excluded))
    return visit.known.burst


async def _repeat(visit: Visit, path: str, times: int) -> tuple[Answer, ...]:
    answers: list[Answer] = []
    while len(answers) < times and not (answers and answers[-1].status == LIMITED):
        answers.append(await visit.get(path))
    return tuple(answers)


@check(
    CheckSpec(
        id="security/rate-limit",
        title="The rate limit bites within the configured burst",
        severity=Severity.HIGH,
        why="Without a limit that really bites, passwords are guessed and costs are run up as fast as the line allows.",
        remediation="Count requests by address and by user where all instances see it, and answer 429 above the limit.",
        references=("OWASP API Security Top 10 API4:2023", "CWE-770", "CWE-307", "RFC 6585, section 4"),
    )
)
def rate_limit(burst: Burst) -> Judged:
    asked = len(burst.answers)
    if burst.bite:
        yield seen(burst.bite, f"refused at request {asked}; {burst.limit.burst} are let through at most")
    elif burst.answers:
        told = f"{burst.limit.method} {burst.limit.path} answered {asked} requests in a row without one 429"
        yield wrong(rate_limit.spec, burst.answers[-1], f"{told}; wanted it after {burst.limit.burst}")


@check(
    CheckSpec(
        id="security/retry-after",
        title="A refusal for too many requests says when to come back",
        severity=Severity.LOW,
        why="A client that is not told when to come back comes back at once, and again.",
        remediation="Send `Retry-After` with every 429, in seconds or as a date.",
        references=("RFC 6585, section 4", "RFC 9110, section 10.2.3"),
    )
)
def retry_after(burst: Burst) -> Judged:
    bite = _bite(burst)
    value = bite.headers.get("retry-after", "").strip()
    if value.isdigit() or value.endswith("GMT"):
        yield seen(bite, f"Retry-After: {value}")
    else:
        told = (
            f"answers 429 with an unusable Retry-After: `{value[:60]}`" if value else "answers 429 without Retry-After"
        )
        yield wrong(retry_after.spec, bite, f"{burst.limit.path} {told}")


@check(
    CheckSpec(
        id="security/rate-limit-spoofing",
        title="A made-up client address does not evade the rate limit",
        severity=Severity.HIGH,
        why="A limit by an address that the client may choose is none: each request claims another.",
        remediation="Take the client's address from the edge alone: on Vercel `x-vercel-forwarded-for` or the last "
        "entry of `x-forwarded-for`, never from a header that the client has sent.",
        references=("CWE-348", "CWE-290", "https://vercel.com/docs/headers/request-headers"),
    )
)
def rate_limit_spoofing(burst: Burst) -> Judged:
    _bite(burst)
    for answer in burst.spoofed:
        if answer.status == LIMITED:
            yield seen(answer, "refused under another address, too")
    if all(answer.status != LIMITED for answer in burst.spoofed):
        told = f"{burst.limit.path} was limited, but answered {burst.spoofed[0].status} to the same client"
        yield wrong(
            rate_limit_spoofing.spec,
            burst.spoofed[0],
            f"{told} when it claimed another address (in X-Forwarded-For, X-Real-IP, Forwarded and the like)",
        )


@check(
    CheckSpec(
        id="security/rate-limit-excluded",
        title="Paths that others call on their own schedule are not limited",
        severity=Severity.MEDIUM,
        why="A payment provider that is told 429 gives up sooner or later: then a payment is missing.",
        remediation="Leave webhooks and OAuth returns out of the limit, and protect them by their signature or state.",
        references=("https://docs.stripe.com/webhooks#best-practices", "CWE-799"),
    )
)
def rate_limit_excluded(burst: Burst) -> Judged:
    if not burst.limit.excluded:
        raise NotApplicable("no path is configured as not limited: list them in security.rate_limit.excluded")
    for answers in burst.excluded:
        last = answers[-1]
        if last.status == LIMITED:
            told = f"{last.url} is limited after {len(answers)} requests, but must not be"
            yield wrong(rate_limit_excluded.spec, last, told)
        else:
            yield Evidence(summary=f"{last.url}: {len(answers)} requests in a row, none was refused")


def _bite(burst: Burst) -> Answer:
    """Raises NotApplicable when there was none: that is the first check's finding."""
    if burst.bite is None:
        raise NotApplicable("the limit did not bite, so there was no refusal to look at; see security/rate-limit")
    return burst.bite
