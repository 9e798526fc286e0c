"""One sample of a load, and why a request counts as failed.

One sample is 40 bytes, little-endian and packed, so that a long load stays small and is read in one go.
Standard library only: Locust's processes write it without numpy.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

SAMPLE: Final = struct.Struct("<dffffIIHHHBB")
"""The fields of `Sample`, in its order."""


class Arm(enum.IntEnum):
    """Who was asked."""

    CANDIDATE = 0
    BASELINE = 1

    @property
    def words(self) -> str:
        return self.name.lower()


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
    REDIRECT = 9
    """It leads elsewhere. Nobody follows, so whatever lies there was not loaded."""
    WRONG = 10
    """A whole answer in good order, but not the one that the scenario wants."""

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
    Failure.REDIRECT: "redirected (3xx)",
    Failure.WRONG: "not the answer that is wanted",
}


class Sample(NamedTuple):
    """One request. Its units stand with `samples.DTYPE`."""

    start_s: float
    late_ms: float
    lag_ms: float
    service_ms: float
    latency_ms: float
    size: int
    pair: int
    endpoint: int
    status: int
    worker: int
    arm: int
    failure: int


class Recorder:
    """Collects samples until somebody takes them, off the path of a request."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def add(self, sample: Sample) -> None:
        self._pending += SAMPLE.pack(*sample)

    def take(self) -> bytes:
        """What has come since the last time."""
        taken = bytes(self._pending)
        self._pending.clear()
        return taken
