"""Samples of a load as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ci.errors import CannotRun
from ci.load.recording import SAMPLE, Arm, Failure
from ci.model import ErrorKind

DTYPE = np.dtype(
    [
        ("start", "<f8"),  # s since the load began, as intended, or when the load generator came to it; one for a pair
        ("late", "<f4"),  # ms that the load generator itself was late: not part of what follows
        ("lag", "<f4"),  # ms from the start until it was really sent
        ("service", "<f4"),  # ms from sending to the end of the answer
        ("latency", "<f4"),  # ms from the start to the end of the answer, had the user sent to this arm alone
        ("size", "<u4"),  # bytes of the body
        ("pair", "<u4"),  # the same for both requests of a pair; unique within a worker
        ("endpoint", "<u2"),  # index into the plan's endpoints
        ("status", "<u2"),  # 0 when there was no answer
        ("worker", "<u2"),  # which process made it
        ("arm", "<u1"),  # `recording.Arm`
        ("failure", "<u1"),  # `recording.Failure`
    ]
)
assert DTYPE.itemsize == SAMPLE.size

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Samples:
    """Some requests of a load, one row each."""

    rows: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def read(cls, raw: bytes, *, expected: int, endpoints: int) -> Samples:
        """The samples in a file's bytes. Raises CannotRun(BAD_OUTPUT) unless all are there, whole and possible."""
        if len(raw) != expected * DTYPE.itemsize:
            raise CannotRun(
                ErrorKind.BAD_OUTPUT,
                f"the load generator tells of {expected} requests, but its file of {len(raw)} bytes holds "
                f"{len(raw) / DTYPE.itemsize:g}; run the stage again",
            )
        rows = np.frombuffer(raw, DTYPE)
        times = [rows[name] for name in ("latency", "service", "lag")]
        numbers = np.isfinite(rows["start"]) & np.all([np.isfinite(time) & (time >= 0) for time in times], axis=0)
        known = (rows["endpoint"] < endpoints) & (rows["failure"] <= max(Failure)) & (rows["arm"] <= max(Arm))
        if not (numbers & known).all():
            raise CannotRun(ErrorKind.BAD_OUTPUT, "the load generator's samples hold impossible values; run it again")
        return cls(rows)

    def started_within(self, from_s: float, to_s: float) -> Samples:
        """Those whose intended start lies in the half-open interval."""
        start = self.rows["start"]
        return Samples(self.rows[(start >= from_s) & (start < to_s)])

    def sent_within(self, from_s: float, to_s: float) -> Samples:
        """Those that were really sent in the half-open interval."""
        sent = self.rows["start"] + self.rows["lag"] / 1e3
        within = (sent >= from_s) & (sent < to_s) & (self.rows["failure"] != Failure.UNSENT)
        return Samples(self.rows[within])

    def arm(self, arm: Arm) -> Samples:
        return Samples(self.rows[self.rows["arm"] == arm])

    def of(self, endpoint: int) -> Samples:
        return Samples(self.rows[self.rows["endpoint"] == endpoint])

    @property
    def failed(self) -> Samples:
        failure = self.rows["failure"]
        return Samples(self.rows[(failure != Failure.NONE) & (failure != Failure.UNSENT)])

    @property
    def unsent(self) -> int:
        return int(np.count_nonzero(self.rows["failure"] == Failure.UNSENT))

    @property
    def timed(self) -> Samples:
        """Those whose latency means something: answered as wanted, timed out, or never sent (a lower bound).

        A refusal in one millisecond must not make the target look fast.
        """
        return Samples(self.rows[np.isin(self.rows["failure"], (Failure.NONE, Failure.TIMEOUT, Failure.UNSENT))])

    @property
    def start_s(self) -> Floats:
        return self.rows["start"]

    @property
    def latency_ms(self) -> Floats:
        return self.rows["latency"]

    @property
    def service_ms(self) -> Floats:
        """From sending to the end of the answer, without the wait for a free user.

        That wait is part of what people feel, but not the doing of the endpoint that had to wait.
        """
        return self.rows["service"]

    @property
    def answered(self) -> int:
        """How many got any answer at all, be it an error."""
        return int(np.count_nonzero(self.rows["status"]))

    def failures(self) -> dict[Failure, int]:
        """How many failed, by kind, the most frequent first."""
        kinds, counts = np.unique(self.failed.rows["failure"], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {Failure(int(kinds[i])): int(counts[i]) for i in order}


def quantile(values: Floats, share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; no interpolation."""
    return float(np.quantile(values, share, method="inverted_cdf"))
