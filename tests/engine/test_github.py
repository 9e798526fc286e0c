"""The connection to GitHub, against a server that has its habits."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ci.engine.github import Refused, connect
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind
from tests.github_standin import TOKEN, github_standin
from tests.servers import answers, serving


@asynccontextmanager
async def connected(url):
    environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "me/shop", "GITHUB_API_URL": url}
    async with connect(environ, Redactor([TOKEN])) as github:
        assert github
        yield github


@pytest.mark.parametrize(
    ("status", "headers", "kind", "says"),
    [
        (401, {}, ErrorKind.MISCONFIGURED, "the token in GITHUB_TOKEN is not valid"),
        (403, {"x-accepted-github-permissions": "issues=write"}, ErrorKind.MISCONFIGURED, "permission issues=write"),
        (404, {}, ErrorKind.MISCONFIGURED, "permission for this in me/shop"),
        (403, {"x-ratelimit-remaining": "0"}, ErrorKind.RATE_LIMITED, "try later"),
        (403, {"retry-after": "60"}, ErrorKind.RATE_LIMITED, "try later"),
        (429, {}, ErrorKind.RATE_LIMITED, "try later"),
        (422, {}, ErrorKind.TOOL_FAILED, "not today"),
        (502, {}, ErrorKind.TOOL_FAILED, "not today"),
    ],
)
async def test_a_refusal_says_what_to_do(status, headers, kind, says):
    async with github_standin() as standin, connected(standin.url) as github:
        standin.refuse = status, headers
        with pytest.raises(Refused, match=says) as refused:
            await github.get("/issues")
    assert (refused.value.status, refused.value.kind) == (status, kind)


async def test_what_is_no_answer_is_told_apart():
    async with serving({"*": answers("<html>")}) as url, connected(url) as github:
        with pytest.raises(CannotRun, match="is no JSON"):
            await github.get("/issues")
        with pytest.raises(CannotRun, match="is no JSON"):
            _ = [entry async for entry in github.each("/issues")]
    async with connected(url) as github:
        with pytest.raises(CannotRun, match="cannot be reached"):
            await github.get("/issues")
    async with serving({"*": answers("{}", type_="application/json")}) as url, connected(url) as github:
        with pytest.raises(CannotRun, match="is no list"):
            _ = [entry async for entry in github.each("/issues")]


async def test_a_listing_is_read_to_its_end():
    async with github_standin() as standin, connected(standin.url) as github:
        for number in range(250):
            standin.add(f"issue {number}", "")
        assert [entry["number"] async for entry in github.each("/issues")] == list(range(250, 0, -1))
        assert standin.requests == 3


async def test_a_listing_without_an_end_is_not_taken_for_read():
    async def endless(request: web.Request) -> web.Response:
        return web.json_response([{}], headers={"link": f'<{request.url}>; rel="next"'})

    async with serving({"*": endless}) as url, connected(url) as github:
        with pytest.raises(CannotRun, match="goes on after 100 pages"):
            _ = [entry async for entry in github.each("/issues")]


async def test_the_token_goes_to_no_other_origin():
    seen = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("authorization"))
        return web.json_response([])

    async with serving({"*": elsewhere}) as other:

        async def moved(request: web.Request) -> web.Response:
            raise web.HTTPMovedPermanently(other)

        async with serving({"*": moved}) as url, connected(url) as github:
            await github.get("/issues")
    assert seen == [None]


@pytest.mark.parametrize("environ", [{}, {"GITHUB_TOKEN": TOKEN}, {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "me"}])
async def test_without_token_or_repository_there_is_none(environ):
    async with connect(environ, Redactor()) as github:
        assert github is None
