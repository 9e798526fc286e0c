"""Asking the target: every answer is bounded in time and memory, however the server behaves."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

import httpx

from ci.engine.bodies import UNPACKED_BY_READER, windows_of
from ci.engine.http import AsyncClient, origin
from ci.engine.run import Run
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.security.account import Account, User
from ci.security.answer import Answer

if TYPE_CHECKING:
    from ci.security.likeness import Strangers
    from ci.security.limits import Burst
    from ci.security.surface import Surface

T = TypeVar("T")

MAX_HOPS = 5
"""Redirects on the target's own origin that are followed to find a page."""
BODY_LIMIT = 500_000
"""Bytes of a body that are read, and as many that may come of unpacking it; the rest is left where it is."""
AT_ONCE = 6
"""Requests that are under way at the same time."""
PATIENCE = 2.0
"""How often the time for one answer may pass until its body has arrived: it may drip for ever."""

_RAW = {UNPACKED_BY_READER: True}
_DROPPED = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@dataclass(slots=True)
class Known:
    """What one run has learnt of the target, so that nothing is asked twice."""

    account: Account
    surface: Surface | None = None
    strangers: Strangers | None = None
    """What paths that nobody made are answered."""
    burst: Burst | None = None
    """What came of pressing the rate limit."""


@dataclass(slots=True)
class Visit:
    """One group of questions to the target."""

    run: Run
    client: AsyncClient
    known: Known
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def url(self) -> str:
        return self.run.url

    async def user(self) -> User:
        """The logged-in test user. Raises NotApplicable without a configured login, CannotRun when it fails."""
        return await self.known.account.user(self)

    @property
    def attempts(self) -> int:
        return 1 + self.client.retries

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        limit: int = BODY_LIMIT,
    ) -> Answer:
        """Send one request and read at most `limit` bytes of the answer's body.

        Raises CannotRun and httpx errors.
        """
        url = path if "://" in path else self.url + path
        patience = self.run.config.target.timeout.total_seconds() * PATIENCE
        # What is asked for can be unpacked within a bound.
        sent = {"accept-encoding": "gzip, identity", **(headers or {})}
        async with self._places:
            try:
                async with (
                    asyncio.timeout(patience),
                    self.client.stream(
                        method, url, headers=sent, json=json, content=content, extensions=_RAW
                    ) as response,
                ):
                    body = await _read(response, limit)
            except TimeoutError as error:
                raise CannotRun(ErrorKind.TIMEOUT, f"{method} {url} was not answered within {patience:g} s") from error
            except httpx.InvalidURL as error:
                raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} is no usable address: {error}") from error
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(url, response.status_code, response.headers, media_type, method, body)

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None, limit: int = BODY_LIMIT) -> Answer:
        return await self.ask("GET", path, headers=headers, limit=limit)

    async def ask_boldly(self, method: str, path: str, **more: Any) -> Answer | None:
        """As `ask`, but None when the server broke the connection: that, too, is a way to refuse."""
        try:
            return await self.ask(method, path, **more)
        except _DROPPED:
            return None

    async def follow(self, path: str) -> tuple[Answer, ...]:
        """GET a page and the redirects on the target's own origin that lead to it, in order."""
        answers: list[Answer] = []
        url = path if "://" in path else self.url + path
        for _ in range(MAX_HOPS + 1):
            try:
                answers.append(await self.get(url))
            except _DROPPED as error:
                raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} does not answer in usable HTTP: {error}") from error
            following = answers[-1].location
            if following is None or origin(following) != origin(self.url):
                return tuple(answers)
            url = urljoin(url, following).partition("#")[0]
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{self.url}{path} redirects more than {MAX_HOPS} times")


@asynccontextmanager
async def visiting(run: Run, known: Known, *, expects_429: bool = False) -> AsyncIterator[Visit]:
    """A visit, its connections closed with the block."""
    timeout_s = run.config.target.timeout.total_seconds()
    async with run.http.async_client(timeout_s=timeout_s, expects_429=expects_429) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # each request says who sends it
        yield Visit(run, client, known)


async def gather(questions: Iterable[Awaitable[T]]) -> tuple[T, ...]:
    """Ask side by side; the answers in the order of the questions. The first failure ends them all."""

    async def one(question: Awaitable[T]) -> T:
        return await question

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(question)) for question in questions]
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__
    return tuple(task.result() for task in tasks)


async def _read(response: httpx.Response, limit: int) -> bytes:
    packed = bytearray()
    async for part in response.aiter_raw():
        packed += part
        if len(packed) >= limit:
            break
    return _unpack(bytes(packed[:limit]), response, limit)


def _unpack(packed: bytes, response: httpx.Response, limit: int) -> bytes:
    """The body without its content coding (RFC 9110, 8.4). A bomb goes off no further than the limit."""
    for coding, window in windows_of(response.headers.get("content-encoding", ""), response.url):
        try:
            packed = zlib.decompressobj(window).decompress(packed, limit) if packed else b""
        except zlib.error as error:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{response.url} is not packed as `{coding}`: {error}") from error
    return packed
