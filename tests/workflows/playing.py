"""Plays a scenario and compares what came of it with what must."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.workflows.acting import Act, act
from tests.workflows.events import PULL, ByHand, Pull
from tests.workflows.hub import AUDIENCE
from tests.workflows.records import Run
from tests.workflows.scenario import CONFIG, DEMO_CONFIG, Scenario
from tests.workflows.world import World, a_world

CLI = [sys.executable, str(Path(__file__).with_name("vercel.py"))]
GATE = "Gate/gate"


@dataclass
class Played:
    """What came of one scenario."""

    scenario: Scenario
    run: Run
    serving: str
    verdict: str
    problems: list[str] = field(default_factory=list)


class Player:
    """Plays one scenario after the other. Those that leave production alone have a world in common, started once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = AsyncExitStack()
        self._shared: World | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *told: object) -> None:
        await self._stack.aclose()

    async def play(self, scenario: Scenario, folder: Path) -> list[Played]:
        """Play it, and what follows it in the same world; what the runs leave behind goes to `folder`."""
        if not scenario.leaves_production_alone:
            async with a_world(folder / "world") as world:
                return await _play_all(scenario, world, folder)
        if self._shared and not await self._shared.is_as_at_first():
            await self._stack.aclose()  # a scenario went wrong; the next one is not to suffer for it
            self._shared = None
        if self._shared is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            here = Path(tempfile.mkdtemp(prefix="world-", dir=self._folder))
            self._shared = await self._stack.enter_async_context(a_world(here / "world"))
        return await _play_all(scenario, self._shared, folder)


async def _play_all(scenario: Scenario, world: World, folder: Path) -> list[Played]:
    configs = {"gonogo.yaml": config_of(scenario), "demo/gonogo.yaml": {**DEMO_CONFIG, **scenario.demo}}
    files = {**{name: world.config(told) for name, told in configs.items()}, **scenario.files}
    await world.begin()
    # The name makes it another commit than any before it, even within the same second.
    world.commit(f"candidate: {scenario.name}", _flaws(scenario), files)
    subject = await _deployed(scenario, world)
    played = [await _play(scenario, world, subject, folder / "1")]
    while (then := played[-1].scenario.then) and not played[-1].problems:
        last, here = folder / str(len(played)), folder / str(len(played) + 1)
        # A rerun finds its own artifacts; any other run finds them by the number of the run that left them.
        rerun = then.environ.get("GITHUB_RUN_ATTEMPT", "1") != "1"
        kept = here / "artifacts" if rerun else here / "runs" / "1"
        shutil.copytree(last / "artifacts", kept)
        if then.interrupted:
            _cut_short(kept / "journal" / "release.json")
        await world.control.delete("/writes")
        world.hub.forget()
        played.append(await _play(then, world, subject, here))
    return played


async def _play(scenario: Scenario, world: World, subject: str | None, folder: Path) -> Played:
    event = scenario.event
    fork = isinstance(event, Pull) and event.fork
    world.hub.writable = not fork
    world.hub.pulls = {world.repository.head: [PULL]} if isinstance(event, Pull) else {}
    payload = await event.payload(world, subject)
    token = {"GITHUB_TOKEN": world.hub.token}
    known = token if fork or not scenario.linked else dict(world.secrets)
    variables, environ = {}, {**world.environ, **scenario.environ}
    if scenario.trusted:
        del known["VERCEL_AUTOMATION_BYPASS_SECRET"]
        variables["GONOGO_TRUSTED_AUDIENCE"] = AUDIENCE
        environ |= await world.trust_github()
    run = await act(
        Act(
            workflow=scenario.workflow,
            event=event.event,
            repository=world.repository,
            payload=payload,
            inputs=payload["inputs"] if isinstance(event, ByHand) else {},
            secrets=known,
            variables=variables,
            environ=environ,
        ),
        folder,
    )
    serving = world.name_of(await world.serving())
    played = Played(scenario, run, serving, _verdict(run))
    played.problems = [*_differences(played, world), *await _in_the_world(played, world)]
    return played


def config_of(scenario: Scenario) -> dict[str, Any]:
    """gonogo.yaml of a scenario."""
    made = {section: dict(value) if isinstance(value, Mapping) else value for section, value in CONFIG.items()}
    made["deploy"] |= {"cli": CLI, "build": "none"}
    for section, change in scenario.config.items():
        made[section] = {**made.get(section, {}), **change}
    return made


def _flaws(scenario: Scenario) -> dict[str, str]:
    return {"DEMO_FLAWS": scenario.flaws, "DEMO_FLAWS_IN_PRODUCTION": scenario.late}


async def _deployed(scenario: Scenario, world: World) -> str | None:
    if not scenario.deployed:
        return None
    target = None if scenario.deployed == "preview" else "production"
    return await world.deploy(world.repository.head, target=target, staged=scenario.deployed != "live")


def _cut_short(journal: Path) -> None:
    """The journal as a runner leaves it that dies after the promotion was asked for, before it was confirmed."""
    told = json.loads(journal.read_text())
    entered = [event["facts"].get("entered") for event in told["events"]]
    assert "CONFIRM" in entered, f"the journal tells of no promotion: {entered}"
    cut = entered.index("CONFIRM")
    journal.write_text(json.dumps(told | {"events": told["events"][: cut + 1], "end": None}))


def _verdict(run: Run) -> str:
    if told := run.outputs.get((GATE, "verdict")):
        return told
    found = sorted(
        (run.folder / "artifacts").glob("evidence-*/verdict.json"),
        key=lambda path: path.parent.name in {"evidence-code", "evidence-history"},  # the target's before the code's
    )
    return str(json.loads(found[0].read_text())["decision"]) if found else ""


def _differences(played: Played, world: World) -> list[str]:
    """Where the run itself is not as it must be."""
    run, wanted = played.run, played.scenario
    jobs = world.repository.jobs(wanted.workflow)
    if GATE in wanted.jobs:
        jobs = [GATE if job == "gate" else job for job in jobs]
    every = {job: wanted.jobs.get(job, "skipped") for job in jobs}
    found = []
    if run.jobs != every:
        found.append(f"jobs: {_unlike(run.jobs, every)}")
    if (run.code == 0) != (set(run.ran.values()) == {"success"}):
        found.append(f"act ended with {run.code}")
    if wanted.verdict != played.verdict:
        found.append(f"verdict {played.verdict!r}; wanted: {wanted.verdict!r}")
    for name, value in wanted.outputs.items():
        if run.outputs.get(("plan", name), "") != value:
            found.append(f"plan's output {name} is {run.outputs.get(('plan', name))!r}; wanted: {value!r}")
    found += [f"no summary says {piece!r}" for piece in wanted.summary if piece not in run.summary]
    found += [f"nothing in the log says {piece!r}" for piece in wanted.says if piece not in run.text()]
    shown = {(mark.place.get("file"), mark.place.get("line")) for mark in run.annotations if mark.level == "error"}
    found += [f"no error is shown at {file}:{line}" for file, line in wanted.marks if (file, line) not in shown]
    if run.artifacts.keys() != wanted.artifacts.keys():
        found.append(f"artifacts {sorted(run.artifacts)}; wanted: {sorted(wanted.artifacts)}")
    for name, files in wanted.artifacts.items():
        if missing := set(files) - set(run.artifacts.get(name, ())):
            found.append(f"the artifact {name} lacks {', '.join(sorted(missing))}")
    if run.sarif != sorted(wanted.sarif):
        found.append(f"SARIF was uploaded for {run.sarif}; wanted: {sorted(wanted.sarif)}")
    if "Traceback (most recent call last)" in run.text() and "crash" not in wanted.name:
        found.append("somebody saw a traceback")
    return found


async def _in_the_world(played: Played, world: World) -> list[str]:
    """Where the world is not as the run must have left it."""
    wanted, hub = played.scenario, world.hub
    found = []
    statuses: dict[str, tuple[str, ...]] = {}
    for item in hub.statuses:
        statuses[item["context"]] = (*statuses.get(item["context"], ()), item["state"])
    for what, seen, must in (
        ("statuses", statuses, dict(wanted.statuses)),
        ("comments", len(hub.comments), wanted.comments),
        ("open issues", len(hub.open_issues), wanted.issues),
        ("moves of production", tuple(await world.moves()), wanted.moves),
        ("production serves", played.serving, wanted.serves),
        ("staging serves", world.name_of(await world.shown_by_staging()), wanted.staging),
        ("asked of GitHub in vain", [f"{item.method} {item.path}" for item in hub.unknown], []),
    ):
        if seen != must:
            found.append(f"{what}: {seen}; wanted: {must}")
    told = played.run.told() + hub.told()
    found += [f"a secret was told: …{secret[-4:]}" for secret in world.canaries if secret in told]
    return found


def _unlike(seen: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    jobs = sorted(seen.keys() | wanted.keys())
    return ", ".join(
        f"{job} is {seen.get(job, 'not there')}, not {wanted.get(job, 'there')}"
        for job in jobs
        if seen.get(job) != wanted.get(job)
    )
