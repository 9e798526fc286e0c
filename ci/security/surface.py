"""Fetching, once, the answers that the header checks judge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from ci.engine.http import AsyncClient, origin
from ci.engine.run import Run
from ci.errors import CannotRun
from ci.model import ErrorKind

MAX_HOPS = 5
"""Redirects on the target's own origin that are followed to find a page."""
UNLIKELY_PATH = "/gonogo-no-such-page"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the target."""

    url: str
    status: int
    headers: httpx.Headers
    media_type: str

    @property
    def is_page(self) -> bool:
        return self.media_type in {"text/html", "application/xhtml+xml"}

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https://")


@dataclass(frozen=True, slots=True)
class Surface:
    """Pages, API answers and an error answer of one target."""

    answers: tuple[Answer, ...]

    @property
    def pages(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.is_page)


async def fetch_surface(run: Run) -> tuple[Surface, int]:
    """Fetch every configured page, the configured endpoints that need no login, and an unknown path.

    Returns the surface and the number of tries that it took. Raises CannotRun and httpx errors.
    """
    smoke = run.config.smoke
    paths = [*run.config.security.pages, *(r.path for r in smoke.api if r.method == "GET" and not r.login)]
    if smoke.health:
        paths.append(smoke.health.path)
    async with run.http.async_client(timeout_s=run.config.target.timeout.total_seconds()) as client:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_fetch(client, run.url, path)) for path in dict.fromkeys(paths)]
            asked.append(group.create_task(_fetch(client, run.url, UNLIKELY_PATH)))
        # A crash of the server is the smoke stage's business; its headers are not what users get.
        return Surface(tuple(a for task in asked if (a := task.result()).status < 500)), 1 + client.retries


async def _fetch(client: AsyncClient, base: str, path: str) -> Answer:
    url = base + path
    for _ in range(MAX_HOPS + 1):
        async with client.stream("GET", url) as response:  # only the head is judged
            answer = _answer(response)
        location = response.headers.get("location")
        following = urljoin(url, location) if response.is_redirect and location else None
        if following is None or origin(following) != origin(base):
            break
        url = following
    else:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{base}{path} redirects more than {MAX_HOPS} times")
    return answer


def _answer(response: httpx.Response) -> Answer:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Answer(str(response.url), response.status_code, response.headers, media_type)
