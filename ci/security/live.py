"""The live probes: each group asks the target once, and its checks judge what was seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ci.config import Config
from ci.engine.check import Check, collect
from ci.engine.run import Run
from ci.engine.runner import errored, probe_and_judge
from ci.model import CheckError, CheckResult, CheckSpec, ErrorKind, Measure
from ci.security import (
    bundles,
    contents,
    cookies,
    cors,
    csp,
    csrf,
    exposure,
    guards,
    headers,
    health,
    images,
    inputs,
    isolation,
    limits,
    observatory,
    recovery,
    redirects,
    reflection,
    transport,
    ways,
)
from ci.security.account import Account
from ci.security.handshakes import shake_hands
from ci.security.surface import fetch_surface
from ci.security.visit import Known, Visit, visiting

STAGE = "security"

_IN_FRONT = frozenset(
    {
        ErrorKind.LOGIN_WALL,
        ErrorKind.CHALLENGED,
        ErrorKind.RATE_LIMITED,
        ErrorKind.UNREACHABLE,
        ErrorKind.UNTRUSTED,
        ErrorKind.TIMEOUT,
        ErrorKind.BUDGET,
    }
)
"""Reasons that hold for the whole target: when its pages meet one, nothing else is asked of it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Checks that judge the same evidence, and the probe that fetches it."""

    activity: str
    checks: tuple[Check[Any], ...]
    probe: Callable[[Visit], Awaitable[Any]]
    expects_429: bool = False
    measures: Callable[[Any], Iterable[Measure]] = lambda evidence: ()
    behind: bool = True
    """Whether it asks the application itself, so that a login wall in front makes asking pointless."""


GROUPS = (
    Group(
        "fetching pages and answers",
        (*collect(headers, isolation, csp, observatory, contents), transport.https_redirect),
        fetch_surface,
        measures=observatory.measures,
    ),
    Group("shaking hands", transport.HANDSHAKE_CHECKS, shake_hands, behind=False),
    Group("looking into cookies", collect(cookies), cookies.collect_cookies),
    Group("asking as another site", collect(cors), cors.ask_from_elsewhere),
    Group("forging requests", collect(csrf), csrf.try_forging),
    Group("walking around the guards", collect(guards), guards.try_guards),
    Group("asking to be sent elsewhere", (redirects.open_redirect,), redirects.ask_to_be_sent),
    Group("returning uninvited", (ways.oauth_state,), ways.return_uninvited),
    Group("asking who has an account", (ways.user_enumeration,), ways.look_up),
    Group("looking for what lies open", collect(exposure), exposure.look_around),
    Group("asking for other people's images", collect(images), images.ask_for_images),
    Group("reading scripts", collect(bundles), bundles.unpack),
    Group("feeding it nonsense", collect(inputs), inputs.feed),
    Group("sending it markup", collect(reflection), reflection.show_markup),
    Group("asking for its health", collect(health), health.ask_for_health),
    Group("pressing the rate limit", collect(limits), limits.press, expects_429=True),
    Group("waiting for the rate limit to end", collect(recovery), recovery.come_back, expects_429=True),
)
"""In the order in which they are asked: what uses up a rate limit comes last."""

CHECKS = tuple(check for group in GROUPS for check in group.checks)


def specs(config: Config) -> tuple[CheckSpec, ...]:
    """Every check of the live probes."""
    return tuple(check.spec for check in CHECKS)


async def results(
    run: Run, only: Collection[str] | None = None, *, measured: Callable[[Measure], None] = lambda measure: None
) -> tuple[CheckResult, ...]:
    """Ask the target and judge what was seen; `only` names the checks to make, by id."""
    known = Known(Account.of(run))
    until = asyncio.get_running_loop().time() + run.config.security.timeout.total_seconds()
    found: list[CheckResult] = []
    wall: CheckError | None = None
    for group, checks in _chosen(only):
        if group.expects_429:
            await _be_alone(run, until)
        if wall and group.behind:
            made = tuple(errored(check.spec, wall) for check in checks)
        else:
            left_s = until - asyncio.get_running_loop().time()
            run.progress.stage_at(STAGE, group.activity)
            made = await _ask(group, checks, run, known, left_s, measured)
        for result in made:
            run.progress.check_done(STAGE, result)
        if group.probe is fetch_surface:
            wall = next((result.error for result in made if result.error and result.error.kind in _IN_FRONT), None)
        found += made
    return tuple(found)


async def _be_alone(run: Run, until: float) -> None:
    """Wait until no other stage asks the target: a limit that is used up would be an answer to its requests, too."""
    if run.alone is None or run.config.security.rate_limit is None or run.alone.is_set():
        return
    run.progress.stage_at(STAGE, "waiting for the smoke stage, before it presses the rate limit")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await run.alone.wait()


def _chosen(only: Collection[str] | None) -> Iterator[tuple[Group, tuple[Check[Any], ...]]]:
    for group in GROUPS:
        checks = tuple(check for check in group.checks if only is None or check.spec.id in only)
        if checks:
            yield group, checks


async def _ask(
    group: Group,
    checks: tuple[Check[Any], ...],
    run: Run,
    known: Known,
    left_s: float,
    measured: Callable[[Measure], None],
) -> tuple[CheckResult, ...]:
    if left_s <= 0:
        late = f"the time of security.timeout was used up before {group.activity}; give it more"
        return tuple(errored(check.spec, CheckError(kind=ErrorKind.TIMEOUT, message=late)) for check in checks)
    async with visiting(run, known, expects_429=group.expects_429) as visit:

        async def probe() -> Any:
            evidence = await group.probe(visit)
            for measure in group.measures(evidence):
                measured(measure)
            return evidence

        made = await probe_and_judge(checks, probe, timeout_s=left_s)
        return tuple(result.model_copy(update={"attempts": visit.attempts}) for result in made)
