"""The referee: watches a load from its samples as they come in, and says when its answer is certain.

Fed in parts or at once, it comes to the same ruling, so that a recorded load is judged again just as it was live.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ci.load.blocks import Blocks, Cutter, Pairs
from ci.load.demands import Demands
from ci.load.objectives import overwhelmed_s
from ci.load.pairing import Pairing
from ci.load.plan import Plan
from ci.load.samples import DTYPE
from ci.load.sequential import BLOCK_S, COARSE_S, Ruling, Rulings, Scope, judge_pairs

ORDER_S = 1.5
"""Seconds by which an answer may reach the referee later than another that was given after it."""
WORDS = {
    Ruling.PASS: "certain that it holds",
    Ruling.REGRESSION: "certain that the candidate is worse than the baseline",
    Ruling.SLO_BROKEN: "certain that an objective is broken",
}
"""Why a load is ended before its time."""


@dataclass(frozen=True)
class Standing:
    """What is known of a load so far."""

    demands: Demands
    whole: Scope
    """All pairs; without a baseline each request counts as a pair with itself."""
    felt: Blocks
    """Coarse blocks of what users felt."""
    ended: Blocks
    """The same by the time of the answer."""
    endpoints: Mapping[int, Scope]
    """For each endpoint of the plan, by its index, its own pairs; none when there is but one, or no baseline."""
    time_is_up: bool = False

    @cached_property
    def rulings(self) -> Rulings:
        return judge_pairs(
            self.whole.fine,
            self.whole.coarse,
            self.demands,
            felt=self.felt,
            endpoints=tuple(self.endpoints.values()),
        )

    @cached_property
    def overwhelmed_s(self) -> float:
        return overwhelmed_s(self.ended, self.demands)

    @property
    def ruling(self) -> Ruling:
        at = self.rulings.at
        if self.overwhelmed:
            return Ruling.SLO_BROKEN
        found = Ruling(int(at[-1])) if len(at) else Ruling.OPEN
        # The last blocks may be too thin to be cut, so that none reaches the end of the time.
        return Ruling.INCONCLUSIVE if found is Ruling.OPEN and self.time_is_up else found

    @property
    def decided_s(self) -> float:
        """When the ruling was made, in seconds since the warm-up; infinite without one."""
        return self.overwhelmed_s if self.overwhelmed else self._by_blocks_s

    @property
    def _by_blocks_s(self) -> float:
        return float(self.rulings.seconds) if len(self.rulings.at) else math.inf

    @property
    def overwhelmed(self) -> bool:
        """The ruling was made by the time of the answers, because they come too late to wait for all of them."""
        return self.overwhelmed_s + ORDER_S < self._by_blocks_s

    @property
    def blocks(self) -> Blocks:
        """The blocks up to the ruling: what came in after it changes nothing."""
        fine = self.whole.fine
        return fine.until(self.decided_s)


class Referee:
    """Judges one load while it runs."""

    def __init__(self, plan: Plan, demands: Demands) -> None:
        self._plan, self._demands = plan, demands
        self._pairing = Pairing(plan.warm_up_s)
        self._whole, self._felt, self._ended = _Cutters(), Cutter(COARSE_S), Cutter(COARSE_S)
        self._last_end_s = 0.0
        several = demands.relative and len(plan.endpoints) > 1
        self._endpoints = {index: _Cutters() for index in range(len(plan.endpoints))} if several else {}
        self._until_s = 0.0

    def hear(self, raw: bytes, until_s: float) -> str | None:
        """Take samples as they come from the load generator; the words of the ruling, once it is certain.

        Every pair that starts before `until_s` must be complete by then, or its slowness would go unseen.
        """
        self.add(np.frombuffer(raw, DTYPE), until_s)
        # What several machines make is judged together, when all have ended.
        return WORDS.get(self.standing().ruling) if self._plan.shard.of == 1 else None

    def add(self, rows: NDArray[np.void], until_s: float) -> None:
        """Take samples, in any order."""
        self._until_s = max(self._until_s, until_s)
        judged_s = min(self._until_s, self._plan.judged_to_s) - self._plan.warm_up_s
        relative = self._demands.relative
        pairs = self._pairing.add(rows) if relative else self._pairing.alone(rows)
        felt = self._pairing.felt(pairs)
        ended = self._pairing.ended(felt, pairs)
        if len(ended):
            self._last_end_s = max(self._last_end_s, float(ended.start_s.max()))
        self._whole.add(self._pairing.service(pairs) if relative else felt, judged_s)
        self._felt.add(felt, until_s=judged_s)
        self._ended.add(ended, until_s=self._last_end_s - ORDER_S)
        for index, cutters in self._endpoints.items():
            cutters.add(self._pairing.service(pairs[pairs["endpoint"][:, 0] == index]), judged_s)

    def standing(self) -> Standing:
        return Standing(
            demands=self._demands,
            whole=self._whole.scope,
            felt=self._felt.blocks,
            ended=self._ended.blocks,
            endpoints={index: cutters.scope for index, cutters in self._endpoints.items()},
            time_is_up=self._until_s >= self._plan.judged_to_s,
        )


class _Cutters:
    """The same pairs cut into fine and into coarse blocks."""

    def __init__(self) -> None:
        self._fine, self._coarse = Cutter(BLOCK_S), Cutter(COARSE_S)

    def add(self, pairs: Pairs, until_s: float) -> None:
        self._fine.add(pairs, until_s=until_s)
        self._coarse.add(pairs, until_s=until_s)

    @property
    def scope(self) -> Scope:
        return Scope(self._fine.blocks, self._coarse.blocks)
