"""One load that has ended, and what of it is judged. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ci.errors import CannotRun
from ci.load.demands import Demands
from ci.load.messages import Ending
from ci.load.plan import Limits, Plan, Shard
from ci.load.recording import Arm
from ci.load.referee import Referee, Standing
from ci.load.samples import Samples, quantile
from ci.load.sequential import Ruling
from ci.model import ErrorKind

REACHED = 0.8
"""Share of the intended rate below which the load counts as not reached."""


@dataclass(frozen=True)
class LoadRun:
    """One load that has ended, made by one machine or by several."""

    plan: Plan
    limits: Limits
    demands: Demands
    samples: Samples
    ending: Ending
    inconclusive: Literal["hold", "accept"] = "hold"
    untils_s: tuple[float, ...] = ()
    """Of each shard, when several were merged: its pairs with an earlier start are complete."""

    @cached_property
    def standing(self) -> Standing:
        """What the referee makes of it: the same as it did live."""
        referee = Referee(self.plan, self.demands)
        rows, until_s = self.samples.rows, self.ending.until_s
        if self.full:
            until_s = max(until_s, self.plan.judged_to_s)  # nothing is under way any more
        if self.untils_s:
            shard = rows["worker"] // self.plan.workers
            rows, until_s = rows[rows["start"] < np.array(self.untils_s)[shard]], max(self.untils_s)
        referee.add(rows, until_s)
        return referee.standing()

    @property
    def ruling(self) -> Ruling:
        return self.standing.ruling

    @property
    def full(self) -> bool:
        """It ran for the whole time that was planned, so that what was measured counts as it is."""
        return not self.ending.stopped and not self.ending.decided

    @property
    def paired(self) -> bool:
        return self.plan.baseline_url is not None

    @property
    def ran_to_s(self) -> float:
        """Up to when it went on as planned."""
        return min(self.ending.until_s, self.plan.judged_to_s) if self.ending.decided else self.plan.judged_to_s

    @cached_property
    def judged(self) -> Samples:
        """What was sent to the candidate after the warm-up."""
        return self.judged_of(Arm.CANDIDATE)

    def judged_of(self, arm: Arm) -> Samples:
        end_s = math.inf if self.plan.judged_to_s >= self.plan.end_s else self.plan.judged_to_s
        return self.samples.arm(arm).sent_within(self.plan.warm_up_s, end_s)

    @cached_property
    def felt(self) -> Samples:
        """What was due to the candidate after the warm-up, sent or not, with a latency that means something."""
        return self.felt_of(Arm.CANDIDATE)

    def felt_of(self, arm: Arm) -> Samples:
        return self.samples.arm(arm).started_within(self.plan.warm_up_s, self.plan.judged_to_s).timed

    @property
    def intended_rate(self) -> float:
        """Requests per second that each arm was meant to get while the load lasted."""
        lasted_s = self.ran_to_s - self.plan.warm_up_s
        return self.plan.expected(self.plan.warm_up_s, self.ran_to_s) / lasted_s if lasted_s > 0 else self.plan.rate

    @property
    def rate(self) -> float:
        """Requests per second sent to the candidate after the warm-up, over the time that the load lasted."""
        lasted_s = self.ran_to_s - self.plan.warm_up_s
        sent = len(self.samples.arm(Arm.CANDIDATE).sent_within(self.plan.warm_up_s, self.ran_to_s))
        return sent / lasted_s if lasted_s > 0 else 0.0

    @property
    def own_lateness_ms(self) -> float:
        """How late the load generator itself was, at its 95th percentile: that blurs every latency by as much."""
        return quantile(self.judged.rows["late"], 0.95) if len(self.judged) else 0.0

    def shortfall(self) -> str | None:
        """Why the intended load was not reached, or None when it was."""
        judged = self.judged
        if self.ending.stopped:
            return f"the load was stopped after {self.ending.at_s:.1f} s of {self.plan.end_s:g} s: {self.ending.detail}"
        if len(judged) < self.limits.min_requests:
            return (
                f"{len(judged)} requests were judged, at least {self.limits.min_requests} are wanted "
                "(load.min_requests); lengthen load.duration or raise load.rate"
            )
        if self.rate < REACHED * self.intended_rate:
            return (
                f"{self.rate:.1f} of the intended {self.intended_rate:.4g} requests/s were made, at least "
                f"{REACHED:.0%} are wanted; {self._why_slow()}"
            )
        return None

    def demand_reached(self) -> None:
        """A good value at a fraction of the load is not a pass."""
        if why := self.shortfall():
            raise CannotRun(ErrorKind.NOT_REACHED, f"not reached: {why}")

    def _why_slow(self) -> str:
        arms = [self.judged_of(arm) for arm in self.plan.arms]
        busy_s = sum(float(samples.service_ms.sum()) for samples in arms) / 1e3
        share = min(1.0, busy_s / (self.plan.users_here * max(self.ran_to_s - self.plan.warm_up_s, 1e-9)))
        if share > 0.5:
            return f"the users were waiting for answers {share:.0%} of the time: the target is too slow for this load"
        return (
            f"the users were waiting for answers only {share:.0%} of the time: "
            "this machine was too busy to make the load, run it where there is more processor time"
        )


def merge(runs: Sequence[LoadRun]) -> LoadRun:
    """One load from its shards. Raises CannotRun unless they are all parts of the same load and none is missing."""
    first = runs[0]
    whole = _without_shard(first.plan)
    if any((_without_shard(run.plan), run.limits, run.demands) != (whole, first.limits, first.demands) for run in runs):
        raise CannotRun(ErrorKind.BAD_OUTPUT, "the samples are of different loads: judge those of one run together")
    parts = sorted(runs, key=lambda run: run.plan.shard.index)
    found = [run.plan.shard.index for run in parts]
    if found != list(range(first.plan.shard.of)):
        told = ", ".join(str(index + 1) for index in found)
        raise CannotRun(
            ErrorKind.NO_DATA,
            f"there are samples of shard {told}, but wanted is each of the {first.plan.shard.of} shards once",
        )
    if len(parts) == 1:
        return first
    endings = [run.ending for run in parts]
    stopped = next((ending for ending in endings if ending.stopped), endings[0])
    return LoadRun(
        plan=whole,
        limits=first.limits,
        demands=first.demands,
        samples=Samples(np.concatenate([run.samples.rows for run in parts])),
        ending=stopped.model_copy(
            update={
                "requests": sum(ending.requests for ending in endings),
                "at_s": max(ending.at_s for ending in endings),
                "until_s": max(ending.until_s for ending in endings),
                "examples": {kind: words for ending in endings for kind, words in ending.examples.items()},
                "workers": sum(ending.workers for ending in endings),
                "lost": sum(ending.lost for ending in endings),
            }
        ),
        inconclusive=first.inconclusive,
        untils_s=tuple(ending.until_s for ending in endings),
    )


def _without_shard(plan: Plan) -> Plan:
    return plan.model_copy(update={"shard": Shard(), "samples_path": ""})
