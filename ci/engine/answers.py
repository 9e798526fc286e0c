"""Reading answers: what both the release checks and the monitor ask of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx


def came_from_cache(response: httpx.Response) -> str | None:
    """How an answer says that a cache gave it, or None."""
    age = response.headers.get("age", "0")
    if age.isdigit() and int(age) > 0:
        return f"`Age: {age}`"
    for header in ("x-vercel-cache", "cf-cache-status", "x-cache"):
        if response.headers.get(header, "").upper().startswith(("HIT", "STALE", "PRERENDER")):
            return f"`{header}: {response.headers[header]}`"
    return None


def states_of(services: Any) -> Iterator[tuple[str, str]]:
    """Name and state of each service, whether they come as a mapping, a list, words, objects or booleans."""
    if isinstance(services, dict):
        items = list(services.items())
    elif isinstance(services, list):
        items = [(item.get("name", f"#{n}"), item) for n, item in enumerate(services, 1) if isinstance(item, dict)]
    else:
        return
    for name, state in items:
        if isinstance(state, dict):
            state = next((state[key] for key in ("status", "state", "healthy", "ok", "up") if key in state), None)
        if isinstance(state, bool):
            state = "ok" if state else "down"
        yield str(name), "unknown" if state is None else str(state)


def shows_wall(set_cookie: str, body: str) -> bool:
    """Whether an answer 401 is the page of Vercel Authentication, or of Vercel's Password Protection."""
    return "_vercel_sso_nonce" in set_cookie or any(sign in body for sign in ("_vercel_sso_nonce", "_vercel_password"))
