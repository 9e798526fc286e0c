"""The client against servers that answer, refuse, stall and lie."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from ci.config import Config
from ci.deploy.client import Patience, connect, scope_of
from ci.deploy.failures import Ambiguous, NotSent, RateLimited, Refused, Unreadable
from ci.deploy.wire import retry_after
from ci.errors import ConfigError
from ci.model import ErrorKind
from tests.servers import serving, talking

TOKEN = "canary-token-5f1e9c0d7b"
QUICK = Patience(request_s=0.3, total_s=2.0, attempts=3, first_wait_s=0.001)
CONFIG = Config.model_validate({"target": {"production": "https://app.example.com"}})
ENVIRON = {"VERCEL_TOKEN": TOKEN, "VERCEL_ORG_ID": "team_1", "VERCEL_PROJECT_ID": "prj_1"}
PROJECT = {"id": "prj_1", "name": "demo", "surprise": {"nobody": "asked"}}


class Script:
    """Answers each request with the next line of a script; the last line repeats."""

    def __init__(self, *answers: Callable[[], web.StreamResponse] | web.Response) -> None:
        self._answers = list(answers)
        self.requests: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


def says(status: int = 200, body: Any = None, **headers: str) -> web.Response:
    text = body if isinstance(body, str) else json.dumps({} if body is None else body)
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


@asynccontextmanager
async def client(script: Script, patience: Patience = QUICK, **environ: str):
    async with (
        serving({"*": script.answer}) as url,
        connect(CONFIG, {**ENVIRON, "VERCEL_API_URL": url, **environ}, patience) as vercel,
    ):
        yield vercel


async def test_unknown_fields_are_ignored_and_the_scope_is_sent():
    script = Script(says(body=PROJECT))
    async with client(script) as vercel:
        project = await vercel.project()
    assert (project.id, project.last_alias_request, project.alias) == ("prj_1", None, ())
    assert script.requests[0].query["teamId"] == "team_1"
    assert script.requests[0].query["rollbackInfo"] == "true"
    assert script.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("owner", "query"),
    [
        ("team_abc", {"teamId": "team_abc"}),
        ("my-team", {"slug": "my-team"}),
        ("AbCdEf0123456789AbCdEf01", {}),
        ("", {}),
    ],
)
def test_scope_is_a_team_by_id_or_slug_or_a_person(owner, query):
    assert scope_of(owner) == query


@pytest.mark.parametrize("trouble", [says(500), says(503), says(429, **{"retry-after": "0"}), says(body="{")])
async def test_reads_are_repeated(trouble):
    script = Script(trouble, says(body=PROJECT))
    async with client(script) as vercel:
        assert (await vercel.project()).id == "prj_1"
    assert len(script.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_read_is_not_repeated(status):
    script = Script(says(status, {"error": {"code": "no", "message": "not you"}}))
    async with client(script) as vercel:
        with pytest.raises(Refused, match=f"{status} no: not you") as caught:
            await vercel.project()
    assert len(script.requests) == 1
    assert (caught.value.kind is ErrorKind.MISCONFIGURED) == (status in {401, 403})


async def test_reads_give_up_after_their_attempts():
    script = Script(says(502))
    async with client(script) as vercel:
        with pytest.raises(Unreadable, match="status 502"):
            await vercel.project()
    assert len(script.requests) == QUICK.attempts


async def test_an_answer_of_another_shape_is_no_answer():
    async with client(Script(says(body={"name": "no id"}))) as vercel:
        with pytest.raises(Unreadable, match=r"another shape \(id\)") as caught:
            await vercel.project()
    assert caught.value.kind is ErrorKind.BAD_OUTPUT


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"code": "a", "message": "b"}}, "a: b"),
        ({"err": {"code": "a", "message": "b"}}, "a: b"),
        ({"code": "a", "message": "b"}, "a: b"),
        ({"error": "just words"}, "unknown: just words"),
        ("<html>", "no-json"),
        ([1], "no-object"),
    ],
)
async def test_every_shape_of_error_is_understood(body, told):
    async with client(Script(says(400, body))) as vercel:
        with pytest.raises(Refused) as caught:
            await vercel.promote("dpl_1")
    assert told in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_a_write_that_may_have_happened_is_not_repeated(status):
    script = Script(says(status))
    async with client(script) as vercel:
        with pytest.raises(Ambiguous):
            await vercel.promote("dpl_1")
    assert len(script.requests) == 1


async def test_a_write_without_an_answer_is_not_repeated():
    count = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")

    async with talking(hang_up) as url, connect(CONFIG, {**ENVIRON, "VERCEL_API_URL": url}, QUICK) as vercel:
        with pytest.raises(Ambiguous):
            await vercel.rollback("dpl_1", "why")
    assert count == 1


async def test_a_write_that_stalls_ends_at_its_deadline():
    arrived = asyncio.Event()

    async def stall(request: web.Request) -> web.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving({"*": stall}) as url, connect(CONFIG, {**ENVIRON, "VERCEL_API_URL": url}, QUICK) as vercel:
        with pytest.raises(Ambiguous):
            await vercel.promote("dpl_1")
    assert arrived.is_set()


async def test_no_connection_means_nothing_has_changed():
    async with talking(lambda r, w: asyncio.sleep(0)) as url:
        pass
    async with connect(CONFIG, {**ENVIRON, "VERCEL_API_URL": url}, QUICK) as vercel:
        with pytest.raises(NotSent):
            await vercel.promote("dpl_1")
        with pytest.raises(NotSent):
            await vercel.project()


async def test_429_is_waited_for_when_the_wait_fits_and_told_when_it_does_not():
    fits = Script(says(429, **{"retry-after": "0"}), says(201))
    async with client(fits) as vercel:
        assert await vercel.promote("dpl_1") is True
    assert len(fits.requests) == 2
    too_long = Script(says(429, {"error": {"code": "rate_limited"}}, **{"retry-after": "3600"}))
    async with client(too_long) as vercel:
        with pytest.raises(RateLimited) as caught:
            await vercel.promote("dpl_1")
    assert (len(too_long.requests), caught.value.retry_after_s) == (1, 3600)


async def test_202_is_not_success():
    async with client(Script(says(202))) as vercel:
        assert await vercel.promote("dpl_1") is False


@pytest.mark.parametrize("status", [204, 206, 301, 307])
async def test_a_status_that_nobody_has_promised_is_not_success(status):
    elsewhere = Script(says(status, location="https://elsewhere.example/"))
    async with client(elsewhere) as vercel:
        with pytest.raises(Refused):
            await vercel.promote("dpl_1")
    assert len(elsewhere.requests) == 1


async def test_promotion_sends_no_body_and_rollback_a_short_description():
    script = Script(says(201))
    async with client(script) as vercel:
        await vercel.promote("dpl_1")
        await vercel.rollback("dpl_0", "x" * 400)
    assert [request.path for request in script.requests] == [
        "/v10/projects/prj_1/promote/dpl_1",
        "/v1/projects/prj_1/rollback/dpl_0",
    ]
    assert not script.requests[0].body_exists
    assert len(script.requests[1].query["description"]) == 250


@pytest.mark.parametrize("id_", ["../projects/prj_2", "dpl_1/../x", "dpl_1?teamId=team_2", "dpl_1#x", "..", ""])
async def test_an_id_leads_to_no_other_operation(id_):
    script = Script(says(404))
    async with client(script) as vercel:
        for call in (vercel.deployment(id_), vercel.promote(id_)):
            with pytest.raises(Refused):
                await call
    for request, prefix in zip(script.requests, ("/v13/deployments/", "/v10/projects/prj_1/promote/"), strict=True):
        assert request.rel_url.raw_path.startswith(prefix)
        assert "/" not in request.rel_url.raw_path.removeprefix(prefix)
        assert request.query["teamId"] == "team_1"


async def test_pages_are_followed_to_the_end():
    def page(uids: list[str], next_: int | None) -> web.Response:
        items = [{"uid": uid, "url": "u", "state": "READY", "created": 1} for uid in uids]
        return says(body={"deployments": items, "pagination": {"count": len(uids), "next": next_, "prev": None}})

    script = Script(page(["a", "b"], 20), page(["c"], 10), page([], None))
    async with client(script) as vercel:
        found = [item.id async for item in vercel.deployments(target="production")]
    assert found == ["a", "b", "c"]
    assert [request.query.get("until") for request in script.requests] == [None, "20", "10"]


async def test_a_page_that_points_at_itself_ends_the_list():
    again = says(body={"deployments": [{"uid": "a", "url": "u"}], "pagination": {"next": 5}})
    async with client(Script(again)) as vercel:
        assert len([item async for item in vercel.deployments()]) == 2


async def test_pages_that_lead_round_in_circles_end_the_list():
    there, back = (says(body={"deployments": [], "pagination": {"next": until}}) for until in (5, 6))
    script = Script(there, back, there, back, says(400))
    async with client(script) as vercel:
        assert [item async for item in vercel.deployments()] == []
    assert len(script.requests) == 2


@pytest.mark.parametrize("status", [402, 403, 404])
async def test_a_plan_without_rolling_releases_has_none(status):
    async with client(Script(says(status))) as vercel:
        assert await vercel.rolling_release() is None


@pytest.mark.parametrize("status", [400, 401, 429])
async def test_any_other_refusal_does_not_mean_that_there_is_none(status):
    async with client(Script(says(status))) as vercel:
        with pytest.raises(Refused):
            await vercel.rolling_release()


def test_retry_after_is_seconds_or_a_date():
    assert retry_after(httpx.Headers({"retry-after": "7"})) == 7
    date = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert retry_after(httpx.Headers(date), now=1792567670.0) == 10
    assert retry_after(httpx.Headers(date), now=1792567690.0) == 0
    assert retry_after(httpx.Headers({"retry-after": "soon"})) is None
    assert retry_after(httpx.Headers()) is None


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "VERCEL_TOKEN is not set"),
        ({"VERCEL_TOKEN": "  "}, "VERCEL_TOKEN is not set"),
        ({"VERCEL_TOKEN": "t"}, "set VERCEL_PROJECT_ID"),
        ({**ENVIRON, "VERCEL_API_URL": "http://api.example.com"}, "in clear; use https"),
    ],
)
async def test_what_is_missing_is_named(environ, told):
    with pytest.raises(ConfigError, match=told):
        async with connect(CONFIG, environ):
            pass


@pytest.mark.parametrize("call", ["project", "promote"])
@pytest.mark.parametrize(
    "body", [{"error": {"code": "bad", "message": f"token {TOKEN} is unknown"}}, f"Bearer {TOKEN}"]
)
async def test_the_token_is_in_no_exception(call, body):
    async with client(Script(says(403, body))) as vercel:
        with pytest.raises(Refused) as caught:
            await (vercel.project() if call == "project" else vercel.promote("dpl_1"))
        assert TOKEN not in "".join(traceback.format_exception(caught.value))
        assert TOKEN not in repr(vercel) + str(vars(vercel._http)["_auth"])
