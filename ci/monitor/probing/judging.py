"""What an answer means: pure judgements of pages, endpoints and health answers."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from ci.config.shape.monitor import Watched
from ci.config.shape.smoke import Health
from ci.engine.answers import came_from_cache, states_of
from ci.engine.identity import dotted
from ci.monitor.facts import Condition

Judgement = tuple[Condition, str]

_ERROR_HEADERS = ("x-vercel-error",)
_TITLE = re.compile(r"<title[^>]{0,200}>\s{0,200}([^<]{0,300})", re.IGNORECASE)
_ERROR_TITLE = re.compile(
    r"(?i)^(?:error\s*)?(?:4\d\d|5\d\d)\b|^(?:internal server error|bad gateway|service unavailable|gateway time-?out|"
    r"application error|site not found|deployment (?:not found|is temporarily paused)|this deployment|"
    r"welcome to nginx!|apache2? .{0,40}default page|iis windows)|\| 5\d\d:|^[\w.-]+\.\w+ is (?:parked|for sale)"
)
_WALL_TITLE = re.compile(
    r"(?i)^(?:authentication required|log ?in to vercel|login . vercel|sign in ・ cloudflare access)"
)
_WALL_SIGNS = ("_vercel_sso_nonce", "vercel.com/sso-api", "cloudflareaccess.com/cdn-cgi/access/login")
_ERROR_SIGNS = (
    "Application error: a server-side exception has occurred",
    "Application error: a client-side exception has occurred",
    "This Serverless Function has crashed",
    "FUNCTION_INVOCATION_FAILED",
)
"""In the body of error pages of Next.js and Vercel."""
_ERROR_PAGE = 20_000
"""Bytes: a longer page that has such words may be about them."""
_START = 200_000
"""Bytes at the begin of a body in which signs are looked for."""
_BETTER_WORDS = {"degraded", "warn", "warning", "partial", "slow"}


def judge(watched: Watched, response: httpx.Response, latency_ms: float, limit_ms: float) -> Judgement:
    """Whether a page or an endpoint answers as it should."""
    problem = _wrong_status(watched, response) or _not_its_own(watched, response) or _wrong_content(watched, response)
    if problem:
        return Condition.DOWN, problem
    cached = came_from_cache(response)
    if cached and watched.kind == "api":
        return Condition.DEGRADED, f"a cache answered in the application's place ({cached}), so it was not seen itself"
    if latency_ms > limit_ms:
        return Condition.DEGRADED, f"{response.status_code} after {latency_ms:.0f} ms, wanted within {limit_ms:.0f} ms"
    return Condition.UP, f"{response.status_code} after {latency_ms:.0f} ms"


def _wrong_status(watched: Watched, response: httpx.Response) -> str | None:
    if response.status_code == watched.status:
        return None
    seen = f"answered {response.status_code}"
    if response.is_redirect:
        seen += f" to {response.headers.get('location', '')[:200].partition('?')[0]}"
    if error := next((response.headers[name] for name in _ERROR_HEADERS if name in response.headers), None):
        seen += f" ({error[:100]})"
    if cached := came_from_cache(response):
        seen += f" out of a cache ({cached})"
    return f"{seen}, wanted {watched.status}"


def _not_its_own(watched: Watched, response: httpx.Response) -> str | None:
    """An error page or a login wall that comes with the status of success."""
    if error := next((response.headers[name] for name in _ERROR_HEADERS if name in response.headers), None):
        return f"answered {response.status_code} with the platform's error {error[:100]}"
    if watched.status >= 300 or "html" not in response.headers.get("content-type", ""):
        return None
    body = response.content[:_START].decode("utf-8", "replace")
    title = match[1].strip() if (match := _TITLE.search(body)) else ""
    if _WALL_TITLE.search(title) or any(sign in body for sign in _WALL_SIGNS):
        return f"a login wall answered in the application's place (title `{title[:80]}`)"
    if _ERROR_TITLE.search(title):
        cached = came_from_cache(response)
        return f"an error page with status {response.status_code}{' out of a cache' if cached else ''}: `{title[:80]}`"
    if len(response.content) < _ERROR_PAGE and (sign := next((one for one in _ERROR_SIGNS if one in body), None)):
        return f"an error page with status {response.status_code}: `{sign}`"
    return None


def _wrong_content(watched: Watched, response: httpx.Response) -> str | None:
    if watched.method == "HEAD":
        return None
    if watched.kind == "page" and watched.status == 200 and not response.content.strip():
        return "answered 200 with an empty body"
    if watched.kind == "page" and watched.status == 200 and _is_saved(response):
        return "answered 200 with something that a browser saves to a file, not with a page"
    if watched.contains and watched.contains not in response.content.decode("utf-8", "replace"):
        return f"answered {response.status_code}, but without the text `{watched.contains[:80]}`"
    if not watched.has:
        return None
    data = _json(response)
    if data is None:
        return f"answered {response.status_code} without JSON, wanted {', '.join(watched.has)}"
    for path, wanted in watched.has.items():
        found = dotted(data, path)
        if found is None or (wanted is not None and found != wanted):
            return f"`{path}` is {_short(found)}, wanted {'anything' if wanted is None else _short(wanted)}"
    return None


def _is_saved(response: httpx.Response) -> bool:
    """Whether a browser would save it to a file, instead of showing it."""
    type_, how = response.headers.get("content-type", ""), response.headers.get("content-disposition", "")
    return str(type_).startswith("application/octet-stream") or str(how).lower().startswith("attachment")


def judge_health(health: Health, response: httpx.Response) -> Judgement:
    """The application's word on itself: its own endpoint."""
    data = _json(response)
    word = dotted(data, health.status_field) if data is not None else None
    seen = f"answered {response.status_code}" + (f" and says {_short(word)}" if word is not None else "")
    if data is None or word is None:
        return Condition.DOWN, f"{seen} without `{health.status_field}` in JSON, wanted one of {_words(health.healthy)}"
    if str(word).lower() in _BETTER_WORDS and response.status_code in {200, 503}:
        return Condition.DEGRADED, f"{seen}, wanted one of {_words(health.healthy)}"
    if response.status_code != 200 or str(word).lower() not in {known.lower() for known in health.healthy}:
        return Condition.DOWN, f"{seen}, wanted 200 and one of {_words(health.healthy)}"
    if cached := came_from_cache(response):
        return Condition.DEGRADED, f"a cache answered in the application's place ({cached}), so it was not seen itself"
    return Condition.UP, seen


def judge_services(health: Health, response: httpx.Response) -> tuple[Judgement, dict[str, Judgement]]:
    """The application's word on each service that it needs, and on all of them together."""
    data = _json(response)
    fields = (health.services_field,) if health.services_field else ("services", "checks")
    services = next((found for field in fields if (found := dict(states_of(dotted(data, field))))), {})
    if not services:
        wanted = " or ".join(f"`{field}`" for field in fields)
        return (Condition.DEGRADED, f"answered {response.status_code} and names no service in {wanted}"), {}
    fine = {word.lower() for word in health.fine}
    told = {name: _service(state, fine) for name, state in services.items()}
    failing = [f"{name} is {services[name]}" for name, (condition, _) in told.items() if condition.failing]
    if failing:
        return (Condition.DEGRADED, f"answered {response.status_code}: {', '.join(failing)}"), told
    if response.status_code != 200:
        return (Condition.DEGRADED, f"answered {response.status_code}, although no service of it is failing"), told
    return (Condition.UP, f"{len(services)} services in order"), told


def _service(state: str, fine: set[str]) -> Judgement:
    if state.lower() in fine:
        return Condition.UP, state
    return (Condition.DEGRADED if state.lower() in _BETTER_WORDS else Condition.DOWN), f"says `{state[:80]}`"


def _json(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _short(value: Any) -> str:
    return f"`{str(value)[:80]}`"


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(words)
