"""Bodies of answers that have an end: a target that never stops sending is an error, not a hang."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx

from ci.errors import CannotRun
from ci.model import ErrorKind

MAX_BODY = 10_000_000
"""Bytes of one response body; a longer one is cut off with an error."""


class _Counted:
    def __init__(self, url: httpx.URL) -> None:
        self._url = url
        self._bytes = 0

    def count(self, part: bytes) -> bytes:
        self._bytes += len(part)
        if self._bytes > MAX_BODY:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"the body of {self._url} is longer than {MAX_BODY} bytes")
        return part


class Capped(_Counted, httpx.SyncByteStream):
    """A body that is read in blocks."""

    def __init__(self, inner: httpx.SyncByteStream, url: httpx.URL) -> None:
        super().__init__(url)
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        for part in self._inner:
            yield self.count(part)

    def close(self) -> None:
        self._inner.close()


class AsyncCapped(_Counted, httpx.AsyncByteStream):
    """A body that is read asynchronously."""

    def __init__(self, inner: httpx.AsyncByteStream, url: httpx.URL) -> None:
        super().__init__(url)
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield self.count(part)

    async def aclose(self) -> None:
        await self._inner.aclose()
