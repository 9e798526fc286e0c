"""Looking at pages, endpoints and health answers, each on a connection of its own and past every cache."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import httpx

from ci.config.shape.monitor import Redirect, Watched
from ci.config.shape.smoke import Health
from ci.monitor.facts import Condition, Kind, Series
from ci.monitor.probing.judging import judge, judge_health, judge_services
from ci.monitor.probing.probe import Eyes, Seen, milliseconds

_PAST_CACHES = {"cache-control": "no-cache", "pragma": "no-cache"}
_SECURITY_HEADERS = (
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-embedder-policy",
    "cross-origin-resource-policy",
)
"""Watched for drift."""
_CHANGES_EACH_TIME = re.compile(r"'nonce-[^']*'|'sha\d{3}-[^']*'|\?[^\s;,]*|\b(?=[\w+/=-]*\d)[\w+/=-]{20,}")
"""Nonces, hashes, queries, and long words with digits in them: made anew for each answer or release."""


async def look_at(eyes: Eyes, environment: str, site: str, watched: Watched, limit: timedelta) -> Sequence[Seen]:
    """A page or an endpoint."""
    response, latency_ms = await _ask(eyes, site, watched.path, watched.method)
    condition, detail = judge(watched, response, latency_ms, limit / timedelta(milliseconds=1))
    series = Series(environment=environment, target=watched.name or watched.path, kind=Kind(watched.kind))
    return [Seen(series, condition, detail, latency_ms=latency_ms)]


async def look_at_headers(
    eyes: Eyes, environment: str, site: str, path: str, wanted: Mapping[str, str]
) -> Sequence[Seen]:
    """The headers of a page: those that are wanted, and the security headers for drift."""
    response, _ = await _ask(eyes, site, path)
    series = Series(environment=environment, target=path, kind=Kind.HEADERS)
    if response.status_code != 200:
        return [Seen(series, Condition.UNKNOWN, f"{path} answered {response.status_code}: its headers say nothing")]
    wrong = [
        f"`{name}: {response.headers.get(name, 'is missing')[:80]}`, wanted {pattern}"
        for name, pattern in wanted.items()
        if not re.search(pattern, response.headers.get(name, ""))
    ]
    seen = {name: response.headers[name] for name in _SECURITY_HEADERS if name in response.headers}
    value = " | ".join(f"{name}: {_CHANGES_EACH_TIME.sub('', text)}" for name, text in seen.items())
    detail = "; ".join(wrong) or f"{len(seen)} security headers"
    return [Seen(series, Condition.DEGRADED if wrong else Condition.UP, detail, value=value)]


async def look_at_health(eyes: Eyes, environment: str, site: str, health: Health) -> Sequence[Seen]:
    """The health endpoint."""
    response, latency_ms = await _ask(eyes, site, health.path)
    condition, detail = judge_health(health, response)
    series = Series(environment=environment, target=health.path, kind=Kind.HEALTH)
    return [Seen(series, condition, detail, latency_ms=latency_ms)]


async def look_at_services(eyes: Eyes, environment: str, site: str, health: Health) -> Sequence[Seen]:
    """The endpoint that names each service, and every service that it names; it may speak for the whole, too."""
    assert health.detailed
    response, latency_ms = await _ask(eyes, site, health.detailed)
    (condition, detail), services = judge_services(health, response)
    if health.detailed == health.path:
        whole = judge_health(health, response)
        condition, detail = max((condition, detail), whole, key=lambda one: list(Condition).index(one[0]))
    series = Series(environment=environment, target=health.detailed, kind=Kind.HEALTH)
    return [
        Seen(series, condition, detail, latency_ms=latency_ms),
        *(
            Seen(Series(environment=environment, target=name[:80], kind=Kind.SERVICE), *judgement)
            for name, judgement in services.items()
        ),
    ]


async def look_at_redirect(eyes: Eyes, redirect: Redirect) -> Sequence[Seen]:
    """A redirect that must lead where it is meant to, in one step."""
    async with eyes.client(redirect.start) as client:
        response = await client.get(redirect.start)
    place = response.headers.get("location", "")
    location = str(response.url.join(place)) if place else "nowhere"
    series = Series(environment="", target=redirect.start, kind=Kind.REDIRECT)
    seen = f"{response.status_code} to {location}"
    right = location == redirect.to and response.is_redirect and redirect.status in (None, response.status_code)
    if right:
        return [Seen(series, Condition.UP, seen, value=seen)]
    wanted = f"{redirect.status or 'a redirect'} to {redirect.to}"
    return [Seen(series, Condition.DOWN, f"{seen}, wanted {wanted}", value=seen)]


async def _ask(eyes: Eyes, site: str, path: str, method: str = "GET") -> tuple[httpx.Response, float]:
    async with eyes.client(site) as client:
        url = client.build_request(method, path).url.copy_merge_params({"_gonogo": eyes.token})
        started = time.perf_counter()
        response = await client.request(method, url, headers=_PAST_CACHES)
        return response, milliseconds(started, time.perf_counter())
