"""Bodies of answers that have an end, packed or not: a target that never stops sending is an error, not a hang."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

from ci.errors import CannotRun
from ci.model import ErrorKind

MAX_BODY = 10_000_000
"""Bytes of one response body; a longer one is cut off with an error."""
LONGEST_S = 60.0
"""Seconds from the head of an answer to the end of its body: a body may drip for ever."""
ACCEPTED = "gzip, deflate"
"""Content codings (RFC 9110, section 8.4) that are asked for: how long they get can be seen while they are unpacked."""

UNPACKED_BY_READER = "gonogo.unpacked_by_reader"
"""Extension of a request whose sender unpacks the body within a bound of its own: then nothing is watched here."""

_STEP = 65_536
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


def coding_to_watch(request: httpx.Request, response: httpx.Response) -> str:
    """The Content-Encoding of an answer, where nobody else sees to it that unpacking ends."""
    return "" if UNPACKED_BY_READER in request.extensions else response.headers.get("content-encoding", "")


def windows_of(coding: str, url: httpx.URL) -> list[tuple[str, int]]:
    """Each coding of a Content-Encoding with its window for zlib, the one to unpack first in front.

    Raises CannotRun(BAD_OUTPUT) for one that nobody asked for.
    """
    codings = [part.strip().lower() for part in coding.split(",")]
    codings = [coding for coding in reversed(codings) if coding not in {"", "identity"}]
    if strange := [coding for coding in codings if coding not in _WINDOWS]:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} is packed as `{strange[0]}`, which was not asked for")
    return [(coding, _WINDOWS[coding]) for coding in codings]


class _Counted:
    def __init__(self, coding: str, url: httpx.URL) -> None:
        """`coding` is the Content-Encoding to watch. Raises CannotRun(BAD_OUTPUT) for one that nobody asked for."""
        self._url = url
        self._until = time.monotonic() + LONGEST_S
        self._bytes = 0
        self._unpacked = 0
        self._unpackers = [zlib.decompressobj(window) for _, window in windows_of(coding, url)]

    def count(self, part: bytes) -> bytes:
        if time.monotonic() > self._until:
            raise CannotRun(ErrorKind.TIMEOUT, f"the body of {self._url} has not ended after {LONGEST_S:g} s")
        self._bytes += len(part)
        if self._bytes > MAX_BODY:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"the body of {self._url} is longer than {MAX_BODY} bytes")
        try:
            self._unpack(part, 0)
        except zlib.error:  # whoever reads it says so
            self._unpackers = []
        return part

    def _unpack(self, part: bytes, level: int) -> None:
        """Unpack in small steps and keep nothing: the sum is what counts."""
        if level == len(self._unpackers):
            self._unpacked += len(part) if self._unpackers else 0
            if self._unpacked > MAX_BODY:
                raise CannotRun(
                    ErrorKind.BAD_OUTPUT,
                    f"the body of {self._url} unpacks to more than {MAX_BODY} bytes, from {self._bytes}",
                )
            return
        unpacker = self._unpackers[level]
        while part:
            self._unpack(unpacker.decompress(part, _STEP), level + 1)
            part = unpacker.unconsumed_tail


class Capped(_Counted, httpx.SyncByteStream):
    """A body that is read in blocks."""

    def __init__(self, inner: httpx.SyncByteStream, coding: str, url: httpx.URL) -> None:
        super().__init__(coding, url)
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        for part in self._inner:
            yield self.count(part)

    def close(self) -> None:
        self._inner.close()


class AsyncCapped(_Counted, httpx.AsyncByteStream):
    """A body that is read asynchronously."""

    def __init__(self, inner: httpx.AsyncByteStream, coding: str, url: httpx.URL) -> None:
        super().__init__(coding, url)
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield self.count(part)

    async def aclose(self) -> None:
        await self._inner.aclose()
