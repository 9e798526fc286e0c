"""From single requests to pairs: which two belong together, and what of them is compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ci.load.blocks import Pairs
from ci.load.recording import Arm, Failure

LEAST_MS = 1e-3
"""Shorter than anything measured; keeps a ratio finite."""
TIMED = (Failure.NONE, Failure.TIMEOUT)
"""Ends whose latency means something: a refusal in one millisecond must not make an arm look fast."""


class Pairing:
    """Finds the two requests of each pair as rows come in; each pair is given out once."""

    def __init__(self, warm_up_s: float) -> None:
        self._warm_up_s = warm_up_s
        self._single: NDArray[np.void] | None = None

    def add(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        """The pairs that these rows complete, as an array of two columns: candidate, baseline."""
        rows = rows[rows["failure"] != Failure.UNSENT]
        if self._single is not None:
            rows = np.concatenate([self._single, rows])
        key = rows["worker"].astype(np.uint64) << np.uint64(32) | rows["pair"].astype(np.uint64)
        order = np.lexsort((rows["arm"], key))
        rows, key = rows[order], key[order]
        first = np.zeros(len(rows), bool)
        if len(rows) > 1:
            first[:-1] = (key[1:] == key[:-1]) & (rows["arm"][:-1] == Arm.CANDIDATE) & (rows["arm"][1:] == Arm.BASELINE)
        second = np.roll(first, 1)
        self._single = rows[~(first | second)]
        return np.stack([rows[first], rows[second]], axis=1)

    def service(self, pairs: NDArray[np.void]) -> Pairs:
        """What the two arms needed to answer: what they are compared by."""
        return self._pairs(pairs[:, 0], pairs[:, 1], "service")

    def felt(self, pairs: NDArray[np.void]) -> Pairs:
        """What a user of each arm felt, waiting included: what objectives are about."""
        return self._pairs(pairs[:, 0], pairs[:, 1], "latency")

    def ended(self, felt: Pairs, pairs: NDArray[np.void]) -> Pairs:
        """What users felt, by the time at which the later of both answers had come."""
        return replace(felt, start_s=felt.start_s + (pairs["lag"] + pairs["service"]).max(axis=1) / 1e3)

    def alone(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        """Requests without a baseline, each as a pair with itself, so that nothing can be learned by comparing."""
        rows = rows[(rows["failure"] != Failure.UNSENT) & (rows["arm"] == Arm.CANDIDATE)]
        return np.stack([rows, rows], axis=1)

    def _pairs(self, candidate: NDArray[np.void], baseline: NDArray[np.void], time: str) -> Pairs:
        return Pairs(
            start_s=candidate["start"] - self._warm_up_s,
            baseline_ms=np.maximum(baseline[time].astype(float), LEAST_MS),
            candidate_ms=np.maximum(candidate[time].astype(float), LEAST_MS),
            baseline_failed=baseline["failure"] != Failure.NONE,
            candidate_failed=candidate["failure"] != Failure.NONE,
            timed=np.isin(candidate["failure"], TIMED) & np.isin(baseline["failure"], TIMED),
        )
