"""One repository at GitHub's REST API: who asks, how long it waits, and what an answer that is none means.

Plain HTTP: the handful of calls made here would not pay for a library that takes longer to load than a round of
monitoring takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ci.engine.http import USER_AGENT, tls_context
from ci.engine.redaction import Redactor, in_a_header
from ci.errors import CannotRun
from ci.model import ErrorKind

API_URL = "https://api.github.com"
API_VERSION = "2022-11-28"
TIMEOUT_S = 20.0
PAGE = 100
"""Entries of one page; the most that GitHub gives."""
MAX_PAGES = 100
"""A listing that does not end by then is given up: what could not be read to its end was not read."""


class Refused(CannotRun):
    """GitHub answered, and the answer is no."""

    def __init__(self, status: int, kind: ErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.status = status


@dataclass(frozen=True, slots=True)
class GitHub:
    """The connection to one repository. Its methods raise CannotRun, and Refused for an answer of 400 or more."""

    http: httpx.AsyncClient
    owner: str
    name: str
    redact: Redactor
    run_url: str | None = None
    """The page of the workflow run that asks."""

    async def get(self, path: str, **params: str | int) -> Any:
        """What is at `path`, below the repository's own."""
        return (await self._call("GET", path, params=params)).json

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return (await self._call("POST", path, body)).json

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return (await self._call("PATCH", path, body)).json

    async def each(self, path: str, **params: str | int) -> AsyncIterator[dict[str, Any]]:
        """Every entry of a listing, page by page."""
        for page in range(1, MAX_PAGES + 1):
            answer = await self._call("GET", path, params={**params, "per_page": PAGE, "page": page})
            if not isinstance(answer.json, list):
                raise CannotRun(ErrorKind.BAD_OUTPUT, f"GitHub's answer to GET {path} is no list")
            for entry in answer.json:
                yield entry
            if not answer.more and len(answer.json) < PAGE:
                return
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"GitHub's listing of {path} goes on after {MAX_PAGES} pages")

    async def told(self, operation: str, tell: Callable[[], Awaitable[object]]) -> str | None:
        """Do what is nice to have: None, or a sentence about what did not work."""
        try:
            await tell()
        except Refused as error:
            return f"GitHub refused to {operation}: {error}"
        except CannotRun as error:
            return f"GitHub could not be asked to {operation}: {error}"
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            return f"GitHub could not be asked to {operation}: its answer was not understood ({type(error).__name__})"
        return None

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> _Answer:
        url = f"/repos/{self.owner}/{self.name}{path}"
        try:
            response = await self.http.request(method, url, json=body, params=params)
        except httpx.TimeoutException:
            message = f"no answer to {method} {path} within {TIMEOUT_S:g} s"
            raise CannotRun(ErrorKind.TIMEOUT, message) from None
        except httpx.HTTPError as error:
            message = self.redact(f"{self.http.base_url} cannot be reached: {error or type(error).__name__}")
            raise CannotRun(ErrorKind.UNREACHABLE, message) from None
        if not response.is_success:
            raise self._refused(response)
        try:
            return _Answer(response.json(), "next" in response.links)
        except ValueError:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"GitHub's answer to {method} {path} is no JSON") from None

    def _refused(self, response: httpx.Response) -> Refused:
        """With GitHub's own words, and what to do where that is known."""
        status = response.status_code
        words = self.redact(_message(response))
        if status == 429 or response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers:
            return Refused(status, ErrorKind.RATE_LIMITED, f"{status}, its rate limit is used up ({words}); try later")
        if status == 401:
            return Refused(status, ErrorKind.MISCONFIGURED, f"401, the token in GITHUB_TOKEN is not valid ({words})")
        if status in {403, 404}:
            wanted = response.headers.get("x-accepted-github-permissions")
            asked = f"the permission {wanted}" if wanted else f"the permission for this in {self.owner}/{self.name}"
            return Refused(status, ErrorKind.MISCONFIGURED, f"{status} ({words}); give the token {asked}")
        return Refused(status, ErrorKind.TOOL_FAILED, f"{status} ({words})")


@dataclass(frozen=True, slots=True)
class _Answer:
    json: Any
    more: bool
    """GitHub says itself that another page follows (RFC 8288)."""


@asynccontextmanager
async def connect(environ: Mapping[str, str], redact: Redactor) -> AsyncIterator[GitHub | None]:
    """The repository of GITHUB_REPOSITORY by GITHUB_TOKEN at GITHUB_API_URL; None without the first two."""
    token, full_name = environ.get("GITHUB_TOKEN"), environ.get("GITHUB_REPOSITORY", "")
    owner, _, name = full_name.partition("/")
    if not (token and owner and name):
        yield None
        return
    headers = {
        "authorization": f"Bearer {in_a_header(token)}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": API_VERSION,
        "user-agent": USER_AGENT,
    }
    async with httpx.AsyncClient(
        base_url=environ.get("GITHUB_API_URL") or API_URL,
        headers=headers,
        timeout=TIMEOUT_S,
        verify=tls_context(environ),
        trust_env=False,
        follow_redirects=True,  # a repository that was renamed; httpx takes the token along to no other origin
    ) as http:
        yield GitHub(http, owner, name, redact, run_url(environ))


def run_url(environ: Mapping[str, str]) -> str | None:
    """The page of the workflow run that this process is part of."""
    server, repo, run = (environ.get(f"GITHUB_{key}") for key in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repo}/actions/runs/{run}" if server and repo and run else None


def _message(response: httpx.Response) -> str:
    try:
        told = response.json().get("message")
    except (ValueError, AttributeError):
        told = None
    return str(told or response.reason_phrase or "no reason given")[:300]
