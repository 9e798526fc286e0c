"""The API as a client sees it."""

from __future__ import annotations

import hashlib
import re

import httpx
import pytest

from ci.rehearsal.api.server import OPERATIONS, ROUTES
from tests.rehearsal.conftest import CANDIDATE_SHA


async def test_a_promotion_is_accepted_then_moves_every_domain(world):
    before = await world.settings()
    assert before["targets"]["production"]["id"] == world.baseline.id
    assert before["lastAliasRequest"] is None

    assert (await world.promote(world.candidate)).status_code == 201
    await world.standin.jobs.settle()

    after = await world.settings()
    request = after["lastAliasRequest"]
    assert (request["type"], request["jobStatus"]) == ("promote", "succeeded")
    assert (request["fromDeploymentId"], request["toDeploymentId"]) == (world.baseline.id, world.candidate.id)
    routed = [entry for entry in after["alias"] if "redirect" not in entry]
    assert len(routed) == 2
    assert {entry["deployment"]["id"] for entry in routed} == {world.candidate.id}
    assert after["targets"]["production"]["id"] == world.candidate.id
    assert await world.serving() == world.candidate.id


async def test_the_redirecting_domain_is_listed_and_serves_nothing(world):
    entry = next(entry for entry in (await world.settings())["alias"] if "redirect" in entry)
    assert entry["domain"] == "www.example.test"
    assert entry["deployment"] is None


async def test_last_alias_request_is_null_without_rollback_info(world):
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    plain = await world.api.get(f"/v9{world.project}")
    assert plain.json()["lastAliasRequest"] is None
    assert (await world.settings())["lastAliasRequest"] is not None


async def test_a_rollback_pins_and_a_promotion_unpins(world):
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    assert (await world.rollback(world.baseline)).status_code == 201
    await world.standin.jobs.settle()
    settings = await world.settings()
    assert settings["autoAssignCustomDomains"] is False
    assert settings["lastAliasRequest"]["type"] == "rollback"
    assert await world.serving() == world.baseline.id

    created = await world.api.post("/v13/deployments", json={"name": "demo", "target": "production"})
    later = await world.standin.hosting.built(world.standin.state.find(created.json()["id"]))
    assert (later.ready_state, later.substate) == ("READY", "STAGED")
    assert await world.serving() == world.baseline.id

    await world.promote(later)
    await world.standin.jobs.settle()
    assert (await world.settings())["autoAssignCustomDomains"] is True
    assert await world.serving() == later.id


async def test_a_production_build_goes_live_by_itself_unless_told_otherwise(world):
    body = {"name": "demo", "target": "production", "meta": {"run": "7"}, "env": {"GREETING": "hello"}}
    answer = (await world.api.post("/v13/deployments", json=body)).json()
    assert answer["readyState"] == "QUEUED"
    built = await world.standin.hosting.built(world.standin.state.find(answer["id"]))
    assert built.ready_state == "READY"
    assert await world.serving() == built.id
    env = world.applications.built[built.id].env
    assert env["GREETING"] == "hello"
    assert env["VERCEL"] == "1"
    assert env["VERCEL_ENV"] == "production"
    assert env["VERCEL_URL"] == built.url
    assert env["VERCEL_DEPLOYMENT_ID"] == built.id
    assert (await world.api.get(f"/v13/deployments/{built.id}")).json()["env"] == ["GREETING"]
    assert f"https://{env['VERCEL_PROJECT_PRODUCTION_URL']}" == world.standin.production_url


@pytest.mark.parametrize(
    ("body", "sha_in"),
    [
        ({"gitSource": {"type": "github", "sha": "c" * 40, "ref": "main"}}, "gitSource"),
        ({"gitMetadata": {"commitSha": "c" * 40, "commitRef": "main"}}, "meta"),
    ],
)
async def test_the_commit_shows_where_vercel_shows_it(world, body, sha_in):
    created = (await world.api.post("/v13/deployments", json={"name": "demo", **body})).json()
    shown = (await world.api.get(f"/v13/deployments/{created['id']}")).json()
    assert ("gitSource" in shown) == (sha_in == "gitSource")
    assert "c" * 40 in (shown.get("gitSource", {}).get("sha"), shown["meta"].get("gitCommitSha"))
    listed = (await world.api.get("/v6/deployments", params={"sha": "c" * 40})).json()["deployments"]
    assert [item["uid"] for item in listed] == [created["id"]]


async def test_a_failed_build_says_why(world):
    world.applications.fail("the port was taken")
    created = (await world.api.post("/v13/deployments", json={"name": "demo", "target": "production"})).json()
    await world.standin.hosting.built(world.standin.state.find(created["id"]))
    shown = (await world.api.get(f"/v13/deployments/{created['id']}")).json()
    assert (shown["readyState"], shown["errorMessage"]) == ("ERROR", "the port was taken")
    assert await world.serving() == world.baseline.id
    assert (await world.promote(world.standin.state.find(created["id"]))).status_code == 422


async def test_deployments_are_found_by_id_and_url_and_domain(world):
    domain = world.standin.production_url.removeprefix("https://")
    for key in (world.baseline.id, world.baseline.url, domain):
        answer = await world.api.get(f"/v13/deployments/{key}")
        assert answer.json()["id"] == world.baseline.id


async def test_the_list_is_filtered_and_paged(world):
    for number in range(3):
        order = {"name": "demo", "target": "production", "autoAssignCustomDomains": False, "meta": {"n": str(number)}}
        created = (await world.api.post("/v13/deployments", json=order)).json()
        await world.standin.hosting.built(world.standin.state.find(created["id"]))
    found = (await world.api.get("/v7/deployments", params={"meta-n": "1"})).json()["deployments"]
    assert [item["meta"]["n"] for item in found] == ["1"]
    assert not (await world.api.get("/v7/deployments", params={"state": "ERROR,CANCELED"})).json()["deployments"]
    assert not (await world.api.get("/v7/deployments", params={"target": "staging"})).json()["deployments"]
    assert not (await world.api.get("/v7/deployments", params={"projectId": "prj_other"})).json()["deployments"]

    seen, until = [], None
    while True:
        params = {"limit": "2"} | ({"until": str(until)} if until else {})
        answer = (await world.api.get("/v7/deployments", params=params)).json()
        seen += [item["uid"] for item in answer["deployments"]]
        assert answer["pagination"]["count"] == len(answer["deployments"]) <= 2
        until = answer["pagination"]["next"]
        if until is None:
            break
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    ("who", "deployment", "status"),
    [
        ("promote", "baseline", 409),
        ("promote", "dpl_unknown", 404),
        ("rollback", "baseline", 422),
        ("rollback", "candidate", 422),
    ],
)
async def test_what_cannot_be_done_is_refused(world, who, deployment, status):
    identifier = getattr(world, deployment).id if hasattr(world, deployment) else deployment
    version = "v10" if who == "promote" else "v1"
    answer = await world.api.post(f"/{version}{world.project}/{who}/{identifier}")
    assert answer.status_code == status
    assert set(answer.json()["error"]) >= {"code", "message"}
    assert await world.serving() == world.baseline.id


async def test_deleted_is_gone_and_preview_is_not_promotable(world):
    assert (await world.api.delete(f"/v13/deployments/{world.candidate.id}")).json()["state"] == "DELETED"
    assert (await world.promote(world.candidate)).status_code == 410
    preview = (await world.api.post("/v13/deployments", json={"name": "demo"})).json()
    item = await world.standin.hosting.built(world.standin.state.find(preview["id"]))
    assert (await world.promote(item)).status_code == 422


async def test_hobby_restores_only_the_previous_deployment(open_world):
    world = await open_world(plan="hobby")
    await world.promote(world.candidate)
    await world.standin.jobs.settle()
    third = (await world.api.post("/v13/deployments", json={"name": "demo", "target": "production"})).json()
    await world.standin.hosting.built(world.standin.state.find(third["id"]))
    assert (await world.rollback(world.baseline)).status_code == 402
    assert (await world.rollback(world.candidate)).status_code == 201


async def test_a_rolling_release_lets_promotions_wait(world):
    canary = (
        await world.api.post(
            "/v13/deployments", json={"name": "demo", "target": "production", "autoAssignCustomDomains": False}
        )
    ).json()
    await world.standin.hosting.built(world.standin.state.find(canary["id"]))
    base = f"/v1{world.project}/rolling-release"
    body = {"canaryDeploymentId": canary["id"]}
    assert (await world.api.post(f"{base}/start", json=body)).json()["rollingRelease"]["state"] == "ACTIVE"
    assert (await world.promote(world.candidate)).status_code == 202
    await world.standin.jobs.settle()
    assert await world.serving() == world.baseline.id

    answer = (await world.api.post(f"{base}/complete", json=body)).json()
    assert answer["rollingRelease"]["state"] == "COMPLETE"
    await world.standin.jobs.settle()
    assert await world.serving() == world.candidate.id


async def test_a_rolling_release_goes_stage_by_stage(world):
    base = f"/v1{world.project}/rolling-release"
    body = {"canaryDeploymentId": world.candidate.id}
    assert (await world.api.get(f"{base}/config")).json()["rollingRelease"] is None
    started = (await world.api.post(f"{base}/start", json=body)).json()["rollingRelease"]
    assert (started["activeStage"]["targetPercentage"], started["nextStage"]["isFinalStage"]) == (10, True)
    assert world.candidate.substate == "ROLLING"
    assert (await world.api.post(f"{base}/start", json=body)).status_code == 409
    wrong = {"canaryDeploymentId": world.baseline.id}
    assert (await world.api.post(f"{base}/approve-stage", json=wrong)).status_code == 400
    second = (await world.api.post(f"{base}/approve-stage", json=body)).json()["rollingRelease"]
    assert second["activeStage"]["isFinalStage"] is True
    ended = (await world.api.post(f"{base}/approve-stage", json=body)).json()["rollingRelease"]
    assert (ended["state"], ended["activeStage"]) == ("COMPLETE", None)
    await world.standin.jobs.settle()
    assert await world.serving() == world.candidate.id


async def test_a_rollback_aborts_a_rolling_release(world):
    base = f"/v1{world.project}/rolling-release"
    await world.api.post(f"{base}/start", json={"canaryDeploymentId": world.candidate.id})
    assert (await world.rollback(world.baseline)).status_code == 201
    await world.standin.jobs.settle()
    aborted = (await world.api.get(base, params={"state": "ABORTED"})).json()["rollingRelease"]
    assert aborted["canaryDeployment"]["id"] == world.candidate.id
    assert world.candidate.substate == "STAGED"


async def test_a_blocking_check_holds_the_domains_back(world):
    check = {"name": "gonogo", "blocks": "deployment-alias", "requires": "deployment-url"}
    check_id = (await world.api.post(f"/v2{world.project}/checks", json=check)).json()["id"]
    created = (await world.api.post("/v13/deployments", json={"name": "demo", "target": "production"})).json()
    await world.standin.hosting.built(world.standin.state.find(created["id"]))
    assert await world.serving() == world.baseline.id
    runs = f"/v2/deployments/{created['id']}/check-runs"
    run = (await world.api.post(runs, json={"checkId": check_id})).json()
    await world.api.patch(f"{runs}/{run['id']}", json={"status": "completed", "conclusion": "failed"})
    assert await world.serving() == world.baseline.id
    await world.api.patch(f"{runs}/{run['id']}", json={"status": "completed", "conclusion": "succeeded"})
    assert await world.serving() == created["id"]


async def test_checks_and_runs_can_be_read_and_removed(world):
    checks, runs = f"/v2{world.project}/checks", f"/v2/deployments/{world.candidate.id}/check-runs"
    assert (await world.api.post(checks, json={})).status_code == 400
    assert (await world.api.post(checks, json={"name": "x", "blocks": "everything"})).status_code == 400
    check = (await world.api.post(checks, json={"name": "gonogo"})).json()
    assert (await world.api.get(f"{checks}/{check['id']}")).json() == check
    run = (await world.api.post(runs, json={"checkId": check["id"]})).json()
    assert (await world.api.get(f"{runs}/{run['id']}")).json() == run
    assert (await world.api.get(runs)).json()["runs"] == [run]
    other = f"/v2/deployments/{world.baseline.id}/check-runs/{run['id']}"
    assert (await world.api.get(other)).status_code == 404
    assert (await world.api.delete(f"{checks}/{check['id']}")).status_code == 200
    assert (await world.api.get(checks)).json()["checks"] == []
    assert (await world.api.get(f"{checks}/{check['id']}")).status_code == 404


async def test_domains_and_aliases_can_be_read(world):
    domains = (await world.api.get(f"/v9{world.project}/domains")).json()["domains"]
    assert [item["redirect"] is None for item in domains] == [True, True, False]
    alias = (await world.api.get(f"/v4/aliases/{domains[0]['name']}")).json()
    assert alias["deploymentId"] == world.baseline.id
    assert (await world.api.get("/v4/aliases/other.test")).status_code == 404
    of = (await world.api.get(f"/v2/deployments/{world.baseline.id}/aliases")).json()["aliases"]
    assert [item["alias"] for item in of] == [item["name"] for item in domains[:2]]
    answer = await world.api.post(f"/v2/deployments/{world.candidate.id}/aliases", json={"alias": "other.test"})
    assert answer.status_code == 403


async def test_a_build_that_has_ended_cannot_be_canceled_and_can_be_repeated(world):
    assert (await world.api.patch(f"/v12/deployments/{world.candidate.id}/cancel")).status_code == 400
    body = {"name": "demo", "deploymentId": world.candidate.id, "target": "production"}
    again = (await world.api.post("/v13/deployments", json=body)).json()
    assert again["meta"]["originalDeploymentId"] == world.candidate.id
    assert again["gitSource"]["sha"] == CANDIDATE_SHA
    await world.standin.hosting.built(world.standin.state.find(again["id"]))
    assert await world.serving() == again["id"]


async def test_what_serves_production_cannot_be_deleted(world):
    assert (await world.api.delete(f"/v13/deployments/{world.baseline.id}")).status_code == 409
    assert await world.serving() == world.baseline.id


async def test_no_operation_works_without_the_token(world):
    assert len(OPERATIONS) > 20
    async with httpx.AsyncClient(base_url=world.standin.api_url) as stranger:
        for route in ROUTES:
            version = f"v{route.versions.split('|')[0]}"
            path = re.sub(r"^/\{version:[^}]*\}", f"/{version}", route.pattern)
            path = path.replace("{project}", world.standin.project_id).replace("{deployment}", world.baseline.id)
            path = re.sub(r"\{\w+\}", "something", path)
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                answer = await stranger.request(route.method, path, headers=headers)
                assert answer.status_code == 403, (route.operation, path)
                assert answer.json()["error"]["code"] == "forbidden"
    assert await world.serving() == world.baseline.id


async def test_the_team_must_be_named_and_be_the_right_one(world):
    token = {"Authorization": f"Bearer {world.standin.token}"}
    async with httpx.AsyncClient(base_url=world.standin.api_url, headers=token) as client:
        path = f"/v9{world.project}"
        assert (await client.get(path)).status_code == 404
        assert (await client.get(path, params={"teamId": "team_other"})).status_code == 403
        assert (await client.get(path, params={"slug": world.standin.account.slug})).status_code == 200
        assert (await client.get("/v2/user")).status_code == 200


async def test_a_personal_project_needs_no_team(open_world):
    world = await open_world(personal=True)
    assert world.standin.team_id is None
    assert (await world.settings())["accountId"] == world.standin.account.user_id
    assert (await world.promote(world.candidate)).status_code == 201


async def test_only_versions_that_vercel_serves_are_there(world):
    answer = await world.api.post(f"/v7{world.project}/promote/{world.candidate.id}")
    assert answer.status_code == 404
    assert world.standin.ledger.calls[f"unknown POST /v7{world.project}/promote/{world.candidate.id}"] == 1


@pytest.mark.parametrize(
    "body", ["{", "[]", '{"name": "other"}', '{"name": "demo", "meta": {"n": 1}}', '{"name": "demo", "target": "x"}']
)
async def test_bad_requests_are_400(world, body):
    answer = await world.api.post("/v13/deployments", content=body)
    assert answer.status_code == 400
    assert len(world.standin.state.deployments) == 2


async def test_auto_assign_can_be_restored_and_nothing_else_be_set(world):
    answer = await world.api.patch(f"/v9{world.project}", json={"autoAssignCustomDomains": False})
    assert answer.json()["autoAssignCustomDomains"] is False
    assert (await world.api.patch(f"/v9{world.project}", json={"autoAssignCustomDomain": True})).status_code == 400
    assert world.standin.state.auto_assign is False


async def test_files_must_be_uploaded_before_they_are_deployed(world):
    digest = hashlib.sha1(b"hello").hexdigest()
    body = {
        "name": "demo",
        "files": [{"file": "index.html", "sha": digest, "size": 5}, {"file": "a.txt", "data": "inline"}],
    }
    refused = await world.api.post("/v13/deployments", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["missing"] == [digest]
    wrong = await world.api.post("/v2/files", content=b"other", headers={"x-vercel-digest": digest})
    assert wrong.status_code == 400
    await world.api.post("/v2/files", content=b"hello", headers={"x-vercel-digest": digest})
    created = (await world.api.post("/v13/deployments", json=body)).json()
    await world.standin.hosting.built(world.standin.state.find(created["id"]))
    assert world.applications.built[created["id"]].files == {"index.html": b"hello", "a.txt": b"inline"}


async def test_a_staging_domain_moves_by_assignment_alone(open_world):
    world = await open_world(staging=True)
    domain = world.standin.staging_url.removeprefix("https://")
    assert (await world.api.get(f"/v4/aliases/{domain}")).status_code == 404
    path = f"/v2/deployments/{world.candidate.id}/aliases"
    assert (await world.api.post(path, json={"alias": domain})).status_code == 200
    assert (await world.api.get(f"/v4/aliases/{domain}")).json()["deploymentId"] == world.candidate.id
    assert (await world.site.get(world.standin.staging_url)).json()["deployment"] == world.candidate.id
    assert await world.serving() == world.baseline.id
    assert (await world.promote(world.candidate)).status_code == 201
    assert (await world.api.get(f"/v4/aliases/{domain}")).json()["deploymentId"] == world.candidate.id
    foreign = await world.api.post(path, json={"alias": "someone-elses.example.com"})
    assert foreign.status_code == 403
