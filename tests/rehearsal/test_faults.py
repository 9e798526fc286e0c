"""Everything that can go wrong with Vercel, on demand, and the count of what was asked of it."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from pydantic import ValidationError

from ci.rehearsal.alias_requests import JobType
from ci.rehearsal.faults import Fault
from ci.rehearsal.hosting import Order
from ci.rehearsal.jobs import JobPlan
from ci.rehearsal.variables import Variable


@pytest.mark.parametrize("status", [400, 401, 402, 403, 409, 410, 422, 429, 500, 502, 503, 504])
async def test_any_status_can_be_answered_without_effect(world, status):
    world.standin.faults.add(Fault(operation="promote", status=status, retry_after="7" if status == 429 else None))
    answer = await world.promote(world.candidate)
    assert answer.status_code == status
    assert set(answer.json()["error"]) >= {"code", "message"}
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)
    await world.standin.jobs.settle()
    assert await world.serving() == world.baseline.id
    assert [(write.operation, write.status, write.applied) for write in world.standin.writes] == [
        ("promote", status, False)
    ]
    assert (await world.promote(world.candidate)).status_code == 201  # once means once


async def test_an_error_may_hide_that_it_took_effect(world):
    world.standin.faults.add(Fault(operation="promote", status=500, applied=True))
    assert (await world.promote(world.candidate)).status_code == 500
    await world.standin.jobs.settle()
    assert await world.serving() == world.candidate.id
    assert world.standin.writes[0].applied


@pytest.mark.parametrize("applied", [True, False])
async def test_an_answer_may_be_lost(world, applied):
    world.standin.faults.add(Fault(operation="promote", lost=True, applied=applied))
    with pytest.raises(httpx.RemoteProtocolError):
        await world.promote(world.candidate)
    await world.standin.jobs.settle()
    assert await world.serving() == (world.candidate.id if applied else world.baseline.id)
    assert [(write.status, write.applied) for write in world.standin.writes] == [(None, applied)]


async def test_an_answer_may_be_late_or_cut_short(world):
    world.standin.faults.add(Fault(operation="get_project", delay=60))
    with pytest.raises(httpx.ReadTimeout):
        await world.api.get(f"/v9{world.project}", timeout=0.1)
    world.standin.faults.add(Fault(operation="get_project", malformed=True))
    answer = await world.api.get(f"/v9{world.project}")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Unterminated"):
        answer.json()


async def test_skip_and_times_choose_the_calls(world):
    world.standin.faults.add(Fault(operation="*", skip=1, times=2, status=503))
    codes = [(await world.api.get("/v2/user")).status_code for _ in range(4)]
    assert codes == [200, 503, 503, 200]
    world.standin.faults.add(Fault(operation="get_user", times=None, status=429))
    assert [(await world.api.get("/v2/user")).status_code for _ in range(3)] == [429] * 3
    world.standin.faults.clear()
    assert (await world.api.get("/v2/user")).status_code == 200


@pytest.mark.parametrize(
    ("plan", "status", "moved"),
    [
        (JobPlan(status="pending"), "pending", 0),
        (JobPlan(status="in-progress", moved=1), "in-progress", 1),
        (JobPlan(status="in-progress", moved=2), "in-progress", 2),
        (JobPlan(status="failed"), "failed", 0),
        (JobPlan(status="failed", moved=1), "failed", 1),
        (JobPlan(status="skipped"), "skipped", 0),
    ],
)
async def test_jobs_can_stick_fail_and_be_skipped(world, plan, status, moved):
    world.standin.jobs.plans.append(plan)
    assert (await world.promote(world.candidate)).status_code == 201
    await world.standin.jobs.settle()
    settings = await world.settings()
    assert settings["lastAliasRequest"]["jobStatus"] == status
    routed = [entry["deployment"]["id"] for entry in settings["alias"] if "redirect" not in entry]
    assert routed.count(world.candidate.id) == moved
    assert settings["targets"]["production"]["id"] == world.baseline.id
    failed = (await world.api.get(f"/v1{world.project}/promote/aliases", params={"failedOnly": "true"})).json()
    assert len(failed["aliases"]) == (2 - moved if status == "failed" else 0)
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    assert await world.serving() == world.candidate.id


async def test_a_job_may_be_registered_late(world):
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    world.standin.jobs.plans.append(JobPlan(visible_after=3600))
    assert (await world.rollback(world.baseline)).status_code == 201
    await world.standin.jobs.settle()
    assert (await world.settings())["lastAliasRequest"]["type"] == "promote"
    assert await world.serving() == world.baseline.id


@pytest.mark.parametrize("when", ["before", "after"])
async def test_somebody_else_may_promote_around_our_write(world, when):
    third = await _third(world)
    world.standin.faults.add(Fault(operation="promote", other_writer=third.id, when=when))
    assert (await world.promote(world.candidate)).status_code == 201
    await world.standin.jobs.settle()
    assert await world.serving() == (world.candidate.id if when == "before" else third.id)
    assert len(world.standin.writes) == 2  # the third deployment's creation and our promotion; theirs went elsewhere


async def test_somebody_else_may_promote_in_the_middle_of_our_job(world):
    third = await _third(world)
    world.standin.jobs.plans.append(JobPlan(other_writer=third.id, moved=1))
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    settings = await world.settings()
    assert settings["lastAliasRequest"]["toDeploymentId"] == third.id
    assert await world.serving() == third.id
    assert world.candidate.substate == "STAGED"


async def test_a_job_that_was_overtaken_moves_nothing_more(world):
    third = await _third(world)
    world.standin.jobs.pace.per_alias = 0.2
    await world.promote(world.candidate)
    project = world.standin.state
    while not project.aliases.of(world.candidate.id):
        await asyncio.sleep(0.01)
    assert project.aliases.everywhere() is None
    project.change_at_once(JobType.PROMOTE, third, time.time())
    await world.standin.jobs.settle()
    assert project.aliases.everywhere() == project.current_id == third.id
    assert [request.status for request in project.requests] == ["skipped", "succeeded"]


async def test_one_domain_can_be_pointed_elsewhere(world):
    domain = [alias.domain for alias in world.standin.state.aliases.routed][1]
    await world.api.post(f"/v2/deployments/{world.candidate.id}/aliases", json={"alias": domain})
    settings = await world.settings()
    routed = {entry["domain"]: entry["deployment"]["id"] for entry in settings["alias"] if "redirect" not in entry}
    assert set(routed.values()) == {world.baseline.id, world.candidate.id}
    assert settings["targets"]["production"]["id"] == world.baseline.id
    assert (await world.site.get(f"https://{domain}")).json()["deployment"] == world.candidate.id
    assert await world.serving() == world.baseline.id


async def test_the_ledger_holds_every_write_and_counts_every_call(world):
    await world.promote(world.candidate)
    await world.settings()
    await world.api.patch(f"/v9{world.project}", json={"autoAssignCustomDomains": True})
    operations = [(write.method, write.operation, write.status) for write in world.standin.writes]
    assert operations == [("POST", "promote", 201), ("PATCH", "update_project", 200)]
    assert world.standin.writes[0].path.startswith(f"/v10{world.project}/promote/{world.candidate.id}")
    assert world.standin.ledger.calls["get_project"] == 1
    assert world.standin.writes[0].at <= world.standin.writes[1].at


async def test_control_from_another_process(world):
    control = world.control
    assert (await control.post("/faults", json={"operation": "promote", "status": 503})).status_code == 201
    assert (await world.promote(world.candidate)).status_code == 503
    assert (await control.post("/faults", json={"operation": "promote", "status": 503})).status_code == 201
    assert (await control.delete("/faults")).status_code == 200
    assert (await control.post("/jobs", json={"status": "failed", "moved": 1})).status_code == 201
    assert (await world.promote(world.candidate)).status_code == 201
    await world.standin.jobs.settle()
    state = (await control.get("/state")).json()
    assert state["last_request"] == {"to": world.candidate.id, "status": "failed", "type": "promote"}
    assert len((await control.get("/writes")).json()) == 2
    await control.delete("/writes")
    assert (await control.get("/writes")).json() == []

    switches = {"plan": "hobby", "auto_assign": False, "protected": "all", "propagation_delay": 1.5}
    assert (await control.post("/switches", json=switches)).status_code == 200
    assert world.standin.state.plan == "hobby"
    assert (await world.site.get(world.standin.production_url)).status_code == 401
    first = next(iter(world.standin.state.aliases.routed)).domain
    point = {"protected": "none", "propagation_delay": 0, "point": {first: world.candidate.id}}
    await control.post("/switches", json=point)
    assert await world.serving() == world.candidate.id
    await control.post("/switches", json={"stop_backend": world.candidate.id})
    assert (await world.site.get(world.standin.production_url)).status_code == 502


async def test_control_refuses_what_it_does_not_understand(world):
    assert (await world.control.post("/faults", json={"operation": "promote", "staus": 503})).status_code == 400
    assert (await world.control.post("/faults", json={"operation": "promot", "status": 503})).status_code == 400
    assert (await world.control.post("/switches", json={"point": {"other.test": "x"}})).status_code == 409
    async with httpx.AsyncClient(base_url=world.control.base_url) as stranger:
        assert (await stranger.get("/writes")).status_code == 403
    with pytest.raises(ValidationError):
        Fault(operation="promote", status=500, lost=True)


async def test_a_rolling_release_by_switch_makes_promotions_wait(world):
    third = await _third(world)
    await world.control.post("/switches", json={"rolling_release": third.id})
    assert (await world.promote(world.candidate)).status_code == 202
    assert (await world.settings())["rollingRelease"] is not None


async def _third(world):
    order = {"name": "demo", "target": "production", "autoAssignCustomDomains": False}
    created = (await world.api.post("/v13/deployments", json=order)).json()
    return await asyncio.wait_for(world.standin.hosting.built(world.standin.state.find(created["id"])), 30)


async def test_no_secret_shows_in_what_may_be_printed(world):
    standin = world.standin
    standin.state.variables.append(Variable("env_1", "KEY", "canary-variable"))
    order = Order(env={"SECRET": "canary-order"}, auto_assign=False)
    await standin.deploy(order)
    await world.promote(world.candidate)
    shown = repr([standin.state, standin.account, standin.writes, standin.protection, standin.snapshot(), order])
    shown += (await world.api.get("/v7/deployments")).text + (await world.control.get("/state")).text
    for secret in (standin.token, standin.bypass_secret, "canary"):
        assert secret not in shown
