"""One scenario, brought about against the stand-in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci.deploy.release import promote, reconcile, release, rollback
from ci.deploy.transitions import EXIT_CODES
from ci.model import Decision, Event, Release, ReleaseEnd, Subject
from ci.rehearsal.faults import Fault
from ci.rehearsal.jobs import JobPlan
from tests.deploy.world import COMMITS, Hook, KilledError, World, memory_folder, open_world


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One situation and what must come of it."""

    name: str
    situation: str
    end: ReleaseEnd
    writes: tuple[str, ...] = ()
    """Operations of the writes that reach Vercel, in order."""
    serves: str = "baseline"
    """What the production domains point at afterwards."""

    command: str = "release"
    target: str | None = "candidate"
    """The deployment that the command names."""
    before: tuple[Hook, ...] = ()
    faults: tuple[Fault, ...] = ()
    jobs: tuple[JobPlan, ...] = ()
    during_test: Hook | None = None
    during_verify: Hook | None = None
    decision: Decision | None = Decision.GO
    verdict: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    kill_before: Callable[[Event], bool] | None = None
    kill_after: Callable[[Event], bool] | None = None
    between: tuple[Hook, ...] = ()
    reconcile: bool = False
    """After the command, or its violent end, `gonogo reconcile` runs."""
    options: dict[str, Any] = field(default_factory=dict)
    empty: bool = False
    """Production has never been served."""
    auto_assign: bool | None = None
    """The project's setting afterwards, where it matters."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.end]


@dataclass(frozen=True)
class Actual:
    """What really came out."""

    end: ReleaseEnd | None
    exit_code: int | None
    writes: tuple[str, ...]
    serves: str
    auto_assign: bool
    release: Release


async def play(scenario: Scenario) -> Actual:
    """Run one scenario against a stand-in of its own."""
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        return await _play(scenario, Path(folder))


async def _play(scenario: Scenario, folder: Path) -> Actual:
    async with open_world(folder, **scenario.options) as world:
        if not scenario.empty:
            await world.deploy("baseline")
            await world.deploy("other", auto_assign=False)
        await world.deploy("candidate", auto_assign=False)
        for hook in scenario.before:
            await hook(world)
        _arm(scenario, world)
        try:
            made = await _run(scenario, world)
        except KilledError:
            made = None
        if scenario.reconcile:
            for hook in scenario.between:
                await hook(world)
            world.store = type(world.store)(world.store.folder, world.store.redact)
            made = await reconcile(world.context(), verify=world.verify)
        assert made is not None, "a killed release is reconciled"
        return Actual(
            made.end,
            EXIT_CODES[made.end] if made.end else None,
            tuple(world.writes),
            world.serves,
            world.standin.state.auto_assign,
            made,
        )


def _arm(scenario: Scenario, world: World) -> None:
    world.standin.ledger.clear()
    for fault in scenario.faults:
        other = fault.other_writer and world.id(fault.other_writer)
        world.standin.faults.add(fault.model_copy(update={"other_writer": other}))
    for job in scenario.jobs:
        other = job.other_writer and world.id(job.other_writer)
        world.standin.jobs.plans.append(job.model_copy(update={"other_writer": other}))
    world.decision, world.verdict_changes = scenario.decision, scenario.verdict
    world.context_changes = scenario.context
    world.during_test, world.during_verify = scenario.during_test, scenario.during_verify
    if scenario.kill_before:
        world.store.kill_before = scenario.kill_before
    if scenario.kill_after:
        world.store.kill_after = scenario.kill_after


async def _run(scenario: Scenario, world: World) -> Release:
    known = world.named.get(scenario.target or "")
    target = known.id if known else scenario.target
    ctx = world.context()
    match scenario.command:
        case "release":
            assert target
            return await release(ctx, stage=target, test=world.test, verify=world.verify)
        case "promote":
            assert known and target
            subject = Subject(
                url=world.standin.url_of(known), commit=COMMITS[str(scenario.target)], deployment_id=known.id
            )
            return await promote(ctx, target, verdict=world.verdict(subject), verify=world.verify)
        case "rollback":
            return await rollback(ctx, to=target, verify=world.verify)
    raise AssertionError(scenario.command)


def matches(scenario: Scenario, actual: Actual) -> bool:
    """Whether what came out is what was declared."""
    wanted = (scenario.end, scenario.exit_code, scenario.writes, scenario.serves)
    fits = wanted == (actual.end, actual.exit_code, actual.writes, actual.serves)
    return fits and scenario.auto_assign in (None, actual.auto_assign)
