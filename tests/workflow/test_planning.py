"""The plan with what Vercel confirms; a forged event is not believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ci.config import Config
from ci.errors import CannotRun, ConfigError
from ci.rehearsal.deployments import ReadyState, Source
from ci.workflow import planning
from ci.workflow.routes import Plan, Route
from tests.deploy.world import COMMITS, World
from tests.workflow.conftest import PROJECT, Occur, pull_request, push, vercel_event


def told(world: World, name: str, action: str = "ready", **more: Any) -> dict[str, Any]:
    """What Vercel would send about a deployment of this world."""
    item = world.named[name]
    facts = {
        "id": item.id,
        "url": world.standin.url_of(item),
        "environment": "production" if item.production else "preview",
        "git": {"sha": item.source.sha, "ref": "main"},
        "project": {"id": world.standin.project_id, "name": "demo"},
    }
    return vercel_event(action, **{**facts, **more})


async def plan(world: World, occur: Occur, name: str, event: object, **config: Any) -> Plan:
    made = world.config.model_copy(update=config)
    return await planning.plan(made, {**world.environ, **occur(name, event)})


async def test_ready_is_judged_against_what_serves(world: World, occur: Occur) -> None:
    made = await plan(world, occur, "repository_dispatch", told(world, "candidate"))
    assert made.route is Route.READY
    assert made.url == world.standin.url_of(world.named["candidate"])
    assert made.baseline == world.standin.url_of(world.named["baseline"])
    assert (made.environment, made.stages) == ("production", ())


async def test_a_preview_is_spared_the_load(world: World, occur: Occur) -> None:
    await world.deploy("preview", target=None, source=Source("e" * 40, "feature", integrated=True))
    gate = Config.model_validate(
        {"target": {"production": "https://a.example.com"}, "gate": {"required": ["smoke", "security", "load"]}}
    ).gate
    made = await plan(world, occur, "repository_dispatch", told(world, "preview"), gate=gate)
    assert (made.environment, made.stages) == ("preview", ("smoke", "security"))
    made = await plan(world, occur, "pull_request", pull_request(), gate=gate)
    assert made.stages == ("smoke", "security")
    made = await plan(world, occur, "push", push("main"), gate=gate)
    assert (made.environment, made.stages) == ("production", ())
    made = await plan(world, occur, "push", push("develop"), gate=gate)
    assert (made.environment, made.stages) == ("staging", ())


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"id": "dpl_" + "X" * 24}, "404"),
        ({"url": "https://evil.example.com"}, "the URL of"),
        ({"git": {"sha": "9" * 40, "ref": "main"}}, "built from commit"),
        ({"environment": "preview"}, "was built for production"),
        ({"project": {"id": PROJECT}}, "project"),
    ],
)
async def test_a_forged_event_is_not_believed(world: World, occur: Occur, forged: dict[str, Any], why: str) -> None:
    for action in ("ready", "promoted"):
        with pytest.raises(CannotRun, match=why):
            await plan(world, occur, "repository_dispatch", told(world, "candidate", action, **forged))


async def test_what_this_pipeline_promoted_is_left_to_it(world: World, occur: Occur) -> None:
    source = Source("e" * 40, "main", integrated=True)
    await world.deploy("ours", source=source, meta={"gonogoRun": "17", "gonogoCommit": "e" * 40}, auto_assign=False)
    event = told(world, "ours", "promoted")
    made = await plan(world, occur, "repository_dispatch", event)
    assert (made.route, made.jobs) == (Route.OURS, ())
    made = await plan(world, occur, "repository_dispatch", told(world, "ours"))
    assert made.route is Route.READY, "what was staged here is judged like any other"
    made = await plan(world, occur, "repository_dispatch", told(world, "candidate", "promoted"))
    assert made.route is Route.VERIFY


async def test_what_is_not_built_is_not_judged(world: World, occur: Occur) -> None:
    world.named["candidate"].ready_state = ReadyState.BUILDING
    with pytest.raises(CannotRun, match="not READY"):
        await plan(world, occur, "repository_dispatch", told(world, "candidate"))


async def test_without_a_token_there_is_a_rehearsal(world: World, occur: Occur) -> None:
    del world.environ["VERCEL_TOKEN"]
    assert (await plan(world, occur, "push", push())).route is Route.REHEARSAL
    del world.environ["VERCEL_PROJECT_ID"]
    assert (await plan(world, occur, "push", push())).route is Route.REHEARSAL


async def test_a_deployment_named_by_hand(world: World, occur: Occur) -> None:
    inputs = {"inputs": {"action": "promote", "deployment": world.id("candidate")}}
    made = await plan(world, occur, "workflow_dispatch", inputs)
    assert made.commit == COMMITS["candidate"]
    assert made.baseline == world.standin.url_of(world.named["baseline"])
    inputs["inputs"]["deployment"] = world.id("baseline")
    with pytest.raises(CannotRun, match="not STAGED"):
        await plan(world, occur, "workflow_dispatch", inputs)


async def test_the_gate_by_hand_has_a_baseline_of_its_own_accord(world: World, occur: Occur) -> None:
    url = world.standin.url_of(world.named["candidate"])
    made = await plan(world, occur, "workflow_dispatch", {"inputs": {"action": "gate", "url": url}})
    assert (made.route, made.url) == (Route.GATE, url)
    assert made.baseline == world.standin.url_of(world.named["baseline"])


async def test_half_a_link_is_a_mistake(world: World, occur: Occur) -> None:
    environ = {**world.environ, **occur("push", push())}
    del environ["VERCEL_PROJECT_ID"]
    with pytest.raises(ConfigError, match="VERCEL_PROJECT_ID"):
        await planning.plan(world.config, environ)


async def test_code_scanning_is_for_those_who_may_write_to_it(world: World, occur: Occur) -> None:
    made = await plan(world, occur, "pull_request", pull_request(fork="mallory/shop"))
    assert not made.upload
    off = {**world.environ, **occur("push", push()), "GONOGO_CODE_SCANNING": "off"}
    assert not (await planning.plan(world.config, off)).upload
    assert (await plan(world, occur, "push", push())).upload


def test_outputs_are_single_lines_and_the_summary_holds_no_markup_of_strangers() -> None:
    plan = Plan(route=Route.GATE, why="the gate against `x`", url="https://a.example.com")
    told = planning.outputs(plan)
    assert all("\n" not in value for value in told.values())
    assert json.loads(told["jobs"]) == ["gate"]
    hostile = replace(plan, left_out=("<img src=x onerror=alert(1)> @everyone",))
    assert "<img" not in planning.summary(hostile)
    assert "@everyone" not in planning.summary(hostile)
