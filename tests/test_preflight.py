import json
from pathlib import Path

import pytest
from aiohttp import web

from ci import preflight
from ci.engine.identity import dotted, same_commit
from ci.model import CheckResult, ErrorKind, Outcome, Subject
from tests.runs import run_on
from tests.servers import Handler, answers, hang, serving

COMMIT = "c0ffee" + "0" * 34
IDENTITY = {"identity": {"path": "/api/health", "json": "build.commit", "deployment": "build.id"}}


def health(commit: object = COMMIT, deployment: str = "dpl_1") -> Handler:
    return answers(json.dumps({"build": {"commit": commit, "id": deployment}}), type_="application/json")


async def before(
    handler: Handler, tmp_path: Path, subject: dict[str, str] | None = None, **target: object
) -> tuple[Subject, dict[str, CheckResult]]:
    async with serving({"*": handler}) as url:
        run = run_on(url, tmp_path, subject=Subject(url=url, **(subject or {})), target=target or IDENTITY)
        found, results = await preflight.before(run)
    return found, {result.spec.id.partition("/")[2]: result for result in results}


def kind(result: CheckResult) -> ErrorKind | None:
    return result.error.kind if result.error else None


async def test_an_address_without_a_deployment(tmp_path: Path) -> None:
    gone = answers("no deployment", status=404, headers={"x-vercel-error": "DEPLOYMENT_NOT_FOUND"})
    _, results = await before(gone, tmp_path)
    assert kind(results["reachable"]) is ErrorKind.UNREACHABLE
    crashed = answers("oh", status=500, headers={"x-vercel-error": "FUNCTION_INVOCATION_FAILED"})
    _, results = await before(crashed, tmp_path)
    assert results["reachable"].outcome is Outcome.PASS, "the application itself has failed"


async def test_the_target_names_the_subject(tmp_path: Path) -> None:
    subject, results = await before(health(), tmp_path)
    assert (subject.commit, subject.deployment_id) == (COMMIT, "dpl_1")
    assert {result.outcome for result in results.values()} == {Outcome.PASS}


@pytest.mark.parametrize("wanted", [{"commit": COMMIT}, {"commit": COMMIT[:10]}, {"deployment_id": "dpl_1"}])
async def test_the_wanted_build(tmp_path: Path, wanted: dict[str, str]) -> None:
    _, results = await before(health(), tmp_path, wanted)
    assert results["identity"].outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("handler", "wanted"),
    [
        (health("d" * 40), {"commit": COMMIT}),
        (health(deployment="dpl_2"), {"deployment_id": "dpl_1"}),
        (health(None), {}),
        (health(7), {}),
        (health(""), {}),
        (answers("<h1>hi</h1>"), {}),
        (answers("[]", type_="application/json"), {}),
        (answers("{", type_="application/json"), {}),
    ],
)
async def test_another_build_or_none_is_not_the_subject(
    tmp_path: Path, handler: Handler, wanted: dict[str, str]
) -> None:
    _, results = await before(handler, tmp_path, wanted)
    assert kind(results["identity"]) is ErrorKind.WRONG_SUBJECT


async def test_an_unhealthy_build_may_still_name_itself(tmp_path: Path) -> None:
    body = json.dumps({"build": {"commit": COMMIT}})
    _, results = await before(answers(body, status=503, type_="application/json"), tmp_path)
    assert results["identity"].outcome is Outcome.PASS


async def test_a_build_that_does_not_name_its_deployment_is_known_by_its_commit(tmp_path: Path) -> None:
    body = json.dumps({"build": {"commit": COMMIT}})
    wanted = {"commit": COMMIT, "deployment_id": "dpl_1"}
    subject, results = await before(answers(body, type_="application/json"), tmp_path, wanted)
    assert (results["identity"].outcome, subject.deployment_id) == (Outcome.PASS, "dpl_1")


def test_a_dotted_path_leads_through_lists() -> None:
    data = {"checks": [{"status": "up"}, {"status": "down"}]}
    assert dotted(data, "checks.1.status") == "down"
    for nowhere in ("checks.2.status", "checks.status", "checks.-1.status", "checks.0.status.1", "checks.1.0"):
        assert dotted(data, nowhere) is None


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answers("", status=302, headers={"location": "https://acme.okta.com/login"}), "acme.okta.com"),
        (answers("no", status=401, headers={"www-authenticate": 'Basic realm="staging"'}), "Basic"),
    ],
)
async def test_a_wall_in_front_is_not_the_application(tmp_path: Path, handler: Handler, words: str) -> None:
    _, results = await before(handler, tmp_path, identity=None)
    assert kind(results["reachable"]) is ErrorKind.LOGIN_WALL
    assert words in str(results["reachable"].error)


async def test_an_application_that_wants_a_token_is_no_wall(tmp_path: Path) -> None:
    _, results = await before(answers(status=401, headers={"www-authenticate": "Bearer"}), tmp_path, identity=None)
    assert results["reachable"].outcome is Outcome.PASS


async def test_by_a_header(tmp_path: Path) -> None:
    identity = {"path": "/", "header": "x-commit"}
    subject, _ = await before(answers(headers={"x-commit": COMMIT}), tmp_path, identity=identity)
    assert subject.commit == COMMIT
    _, results = await before(answers(), tmp_path, identity=identity)
    assert kind(results["identity"]) is ErrorKind.WRONG_SUBJECT


async def test_without_an_identity_nobody_is_asked_for_one(tmp_path: Path) -> None:
    _, results = await before(answers(), tmp_path, timeout="5s")
    assert results["identity"].outcome is Outcome.SKIP
    _, results = await before(answers(), tmp_path, {"commit": COMMIT}, timeout="5s")
    assert kind(results["identity"]) is ErrorKind.WRONG_SUBJECT


@pytest.mark.parametrize(
    ("handler", "wanted"),
    [
        (hang, ErrorKind.TIMEOUT),
        (answers("_vercel_sso_nonce", status=401), ErrorKind.LOGIN_WALL),
        (answers(status=403, headers={"x-vercel-mitigated": "deny"}), ErrorKind.CHALLENGED),
        (answers(status=429), ErrorKind.RATE_LIMITED),
    ],
)
async def test_who_does_not_answer_as_the_application_is_not_reached(
    tmp_path: Path, handler: Handler, wanted: ErrorKind
) -> None:
    _, results = await before(handler, tmp_path, timeout="200ms", **IDENTITY)
    assert list(results) == ["reachable"]
    assert kind(results["reachable"]) is wanted


async def test_an_answer_at_the_second_try_is_told_and_no_cache_may_give_it(tmp_path: Path) -> None:
    asked: list[str | None] = []

    async def unsteady(request: web.Request) -> web.Response:
        asked.append(request.headers.get("cache-control"))
        if len(asked) == 1 and request.transport:
            request.transport.abort()
        return web.Response()

    _, results = await before(unsteady, tmp_path, timeout="5s")
    assert (results["reachable"].attempts, results["reachable"].flaky) == (2, True)
    assert asked == ["no-cache", "no-cache"]


async def test_a_change_under_the_checks_is_noticed(tmp_path: Path) -> None:
    served = [COMMIT, "d" * 40]

    async def deploying(request: web.Request) -> web.Response:
        return web.json_response({"build": {"commit": served.pop(0)}})

    async with serving({"*": deploying}) as url:
        run = run_on(url, tmp_path, subject=Subject(url=url, commit=COMMIT), target=IDENTITY)
        await preflight.before(run)
        (result,) = await preflight.after(run)
    assert kind(result) is ErrorKind.WRONG_SUBJECT
    (gone,) = await preflight.after(run)
    assert kind(gone) is ErrorKind.UNREACHABLE


def test_short_hashes_name_a_commit_when_they_are_long_enough() -> None:
    assert same_commit("ABCDEF1", "abcdef1234")
    assert not same_commit("abcde", "abcdef1234")
    assert not same_commit("", "abcdef1234")
    assert same_commit("v2", "v2")
