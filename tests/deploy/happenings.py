"""What others do, what is wrong with the applications, and when a process is killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ci.deploy.answers import Project
from ci.deploy.failures import NotSent
from ci.model import Event
from ci.rehearsal.alias_requests import JobType
from ci.rehearsal.deployments import ReadyState
from ci.rehearsal.faults import Fault
from tests.deploy.world import COMMITS, Hook, World


async def wait(seconds: float, world: World) -> None:
    await asyncio.sleep(seconds)


async def somebody_promotes(name: str, world: World) -> None:
    world.standin.state.change_at_once(JobType.PROMOTE, world.named[name], time.time())


async def somebody_rolls_back(name: str, world: World) -> None:
    world.standin.state.change_at_once(JobType.ROLLBACK, world.named[name], time.time())


async def somebody_begins_to_promote(name: str, world: World) -> None:
    world.standin.state.request_promotion(world.named[name], time.time())


async def pin(world: World) -> None:
    await somebody_promotes("other", world)
    await somebody_rolls_back("baseline", world)


async def split(world: World) -> None:
    last = world.standin.state.aliases.routed[-1]
    last.point_at(world.id("other"), time.time())


async def start_rolling(world: World) -> None:
    world.standin.state.start_rolling_release(world.named["other"], time.time(), (10, 100))


async def complete_rolling(world: World) -> None:
    world.standin.jobs.start(world.standin.state.complete_rolling_release(time.time()))
    await world.standin.jobs.settle()


async def auto_assign_off(world: World) -> None:
    world.standin.state.auto_assign = False


async def broken(name: str, world: World) -> None:
    world.applications.broken.add(COMMITS[name])


async def mended(name: str, world: World) -> None:
    world.applications.broken.discard(COMMITS[name])


async def broken_in_production(name: str, world: World) -> None:
    world.applications.broken_in_production.add(COMMITS[name])


async def dead(name: str, world: World) -> None:
    world.applications.dead.add(COMMITS[name])


async def delete(name: str, world: World) -> None:
    await world.standin.hosting.delete(world.named[name])


async def candidate_is(changes: dict[str, Any], world: World) -> None:
    await world.deploy("candidate", **{"auto_assign": False, **changes})


async def candidate_fails_to_build(world: World) -> None:
    world.applications.fails_to_build = "npm ERR!"
    await world.deploy("candidate", auto_assign=False)


async def candidate_never_built(world: World) -> None:
    world.applications.hangs_in_build = True
    await world.deploy("candidate", auto_assign=False)


async def candidate_state(state: ReadyState, world: World) -> None:
    world.named["candidate"].ready_state = state


async def candidate_is_older(world: World) -> None:
    world.named["candidate"].created_at = world.named["baseline"].created_at - 60_000


async def candidate_promoted(world: World) -> None:
    await somebody_promotes("candidate", world)


async def propagation(seconds: float, world: World) -> None:
    world.standin.hosting.propagation_delay = seconds


def does(hook: Callable[..., Awaitable[None]], *given: Any) -> Hook:
    """What happens, with its particulars."""
    return partial(hook, *given)


def git(answers: dict[tuple[str, str], bool]) -> dict[str, Any]:
    """A context in which git knows which commit comes before which, by the deployments' names."""
    known = {(COMMITS[a], COMMITS[b]): value for (a, b), value in answers.items()}

    async def is_ancestor(first: str, second: str) -> bool | None:
        return known.get((first, second))

    return {"is_ancestor": is_ancestor}


def fact(name: str, value: str, nth: int = 1) -> Callable[[Event], bool]:
    """The nth event that notes this fact."""
    seen = [0]

    def matches(event: Event) -> bool:
        seen[0] += event.facts.get(name) == value
        return event.facts.get(name) == value and seen[0] == nth

    return matches


def entering(phase: str, nth: int = 1) -> Callable[[Event], bool]:
    return fact("entered", phase, nth)


async def auto_assign_on(world: World) -> None:
    world.standin.state.auto_assign = True


async def api_falls_silent(world: World) -> None:
    world.standin.faults.add(Fault(operation="get_project", status=503, times=None))


async def before_reading(nth: int, hook: Hook, world: World) -> None:
    """What happens just before the nth reading of the project from now on."""
    vercel, readings = world.vercel, 0
    read = vercel.project

    async def read_too_late() -> Project:
        nonlocal readings
        readings += 1
        if readings == nth:
            await hook(world)
        return await read()

    vercel.project = read_too_late  # type: ignore[method-assign]


async def no_connection(operation: str, world: World) -> None:
    """This operation does not reach Vercel any more."""

    async def unreachable(*_: str) -> bool:
        raise NotSent(operation, "connection refused")

    setattr(world.vercel, operation, unreachable)


async def rolling_begins_before_the_write(world: World) -> None:
    """A rolling release that begins between RE-CHECK and the write."""
    vercel = world.vercel
    sent = vercel.promote

    async def promote_too_late(deployment_id: str) -> bool:
        await start_rolling(world)
        return await sent(deployment_id)

    vercel.promote = promote_too_late  # type: ignore[method-assign]
