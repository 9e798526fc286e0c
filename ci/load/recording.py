"""What the load generator leaves behind: a file of samples, and lines about how it goes and how it ended.

One sample is 29 bytes, little-endian and packed, so that a long load stays small and is read in one go.
Standard library only: Locust's process writes it without numpy.
"""

from __future__ import annotations

import enum
import struct
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ci.model import ErrorKind, Model

SAMPLE: Final = struct.Struct("<dfffIHHB")
"""start, late, lag, latency, size, endpoint, status, failure; see `samples.DTYPE` for their units."""

LINE_MARK: Final = "@gonogo "
"""Begins every line of Locust's standard output that is meant for the stage."""


class Failure(enum.IntEnum):
    """Why a request counts as failed."""

    NONE = 0
    TIMEOUT = 1
    CONNECT = 2
    CLOSED = 3
    TLS = 4
    BROKEN = 5
    SERVER = 6
    STATUS = 7
    UNSENT = 8
    """It was due, but its user waited for others until the end: no failure, and a latency of at least so much."""

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def is_transport(self) -> bool:
        """No whole answer came."""
        return Failure.NONE < self < Failure.SERVER


_WORDS: Final = {
    Failure.NONE: "no failure",
    Failure.TIMEOUT: "time-out",
    Failure.CONNECT: "could not connect",
    Failure.CLOSED: "connection closed without an answer",
    Failure.TLS: "TLS handshake failed",
    Failure.BROKEN: "answer cannot be read",
    Failure.SERVER: "server error (5xx)",
    Failure.STATUS: "refused (4xx)",
    Failure.UNSENT: "never sent",
}


class Pulse(Model):
    """How it goes, once a second."""

    line: Literal["pulse"] = "pulse"
    at_s: float
    rate: float
    """Requests finished in the last second."""
    p95_ms: float | None
    """Of the last second; none when nothing was answered."""


class Ending(Model):
    """How it ended. Without this line the generator has crashed."""

    line: Literal["ending"] = "ending"
    stopped: ErrorKind | None = None
    """Why it was stopped early."""
    detail: str = ""
    requests: int
    """Samples in the file."""
    at_s: float
    examples: dict[int, str] = Field(default_factory=dict)
    """For each kind of failure that was seen, the words of the first."""


Message = Pulse | Ending
_MESSAGE: Final[TypeAdapter[Message]] = TypeAdapter(Message)


def to_line(message: Message) -> str:
    return LINE_MARK + message.model_dump_json()


def from_line(line: str) -> Message | None:
    """The message in a line of output, or None when the line is Locust's own."""
    if not line.startswith(LINE_MARK):
        return None
    try:
        return _MESSAGE.validate_json(line.removeprefix(LINE_MARK))
    except ValidationError:
        return None


class Recorder:
    """Collects samples and appends them to a file in batches, off the path of a request."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._pending = bytearray()
        self.count = 0

    def add(
        self,
        *,
        start_s: float,
        late_ms: float,
        lag_ms: float,
        latency_ms: float,
        size: int,
        endpoint: int,
        status: int,
        failure: Failure,
    ) -> None:
        self._pending += SAMPLE.pack(
            start_s, late_ms, lag_ms, latency_ms, min(size, 2**32 - 1), endpoint, status, failure
        )
        self.count += 1

    def flush(self) -> None:
        self._file.write(self._pending)
        self._file.flush()
        self._pending.clear()

    def close(self) -> None:
        self.flush()
        self._file.close()
