"""The CDN's cache, the webhook, and the watch for new errors: reported when they fail, and never in the way."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from aiohttp import web

from ci.config import Config
from ci.config.shape.deploy import Watch
from ci.deploy.aftercare import take_care
from ci.deploy.release import release
from ci.deploy.watch import watch_errors
from ci.model import Event, Release, ReleaseEnd, Subject
from tests.deploy.world import World
from tests.servers import answers, serving

SECRET = "canary-3c1f7a90be"
ENVIRON = {"CLOUDFLARE_API_TOKEN": SECRET, "SENTRY_AUTH_TOKEN": SECRET}
ZONE = "0123456789abcdef" * 2


def ended(end: ReleaseEnd = ReleaseEnd.PROMOTED) -> Release:
    candidate = Subject(url="https://c.example", commit="b" * 40, deployment_id="dpl_1")
    event = Event(at=datetime(2026, 1, 1, tzinfo=UTC), phase="END", message="so it ended")
    return Release(project_id="prj_1", candidate=candidate, events=(event,), end=end, serving="dpl_1")


def config(**deploy: Any) -> Config:
    return Config.model_validate({"target": {"production": "https://app.example.com"}, "deploy": deploy})


class Recorder:
    """Answers with the same JSON always, and keeps what it was sent."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.requests: list[tuple[str, Any, str]] = []
        self.queries: list[dict[str, str]] = []
        self._body, self._status = body, status

    async def answer(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.requests.append((request.path, json.loads(text or "null"), request.headers.get("authorization", "")))
        self.queries.append(dict(request.query))
        return web.json_response(self._body, status=self._status)


@pytest.mark.parametrize(
    ("urls", "bodies"),
    [
        ([], [{"purge_everything": True}]),
        (["https://a.example/x"], [{"files": ["https://a.example/x"]}]),
        (
            [f"https://a.example/{i}" for i in range(31)],
            [{"files": [f"https://a.example/{i}" for i in range(30)]}, {"files": ["https://a.example/30"]}],
        ),
    ],
)
@pytest.mark.parametrize("end", [ReleaseEnd.PROMOTED, ReleaseEnd.ROLLED_BACK])
async def test_the_cache_is_emptied_when_production_has_changed(urls, bodies, end):
    cloudflare = Recorder({"success": True, "errors": []})
    async with serving({"*": cloudflare.answer}) as url:
        made = config(purge={"zone": ZONE, "urls": urls, "api": url})
        (said,) = await take_care(ended(end), made, ENVIRON)
    assert "was emptied" in said
    assert [body for _, body, _ in cloudflare.requests] == bodies
    assert cloudflare.requests[0][0] == f"/client/v4/zones/{ZONE}/purge_cache"
    assert cloudflare.requests[0][2] == f"Bearer {SECRET}"


async def test_the_cache_is_left_alone_when_production_has_not_changed():
    assert await take_care(ended(ReleaseEnd.HOLD), config(purge={"zone": ZONE}), ENVIRON) == ()


@pytest.mark.parametrize(
    ("body", "status"), [({"success": False}, 200), ({"success": True}, 403), ([], 200), ({"success": "true"}, 200)]
)
async def test_a_cache_that_was_not_emptied_is_told(body, status):
    async with serving({"*": Recorder(body, status).answer}) as url:
        (said,) = await take_care(ended(), config(purge={"zone": ZONE, "api": url}), ENVIRON)
    assert "was not emptied" in said
    assert SECRET not in said


async def test_missing_tokens_and_silent_servers_are_told():
    async with serving() as gone:
        pass
    made = config(purge={"zone": ZONE, "api": gone}, webhook="HOOK")
    assert await take_care(ended(), made, {}) == (
        "the CDN's cache was not emptied: CLOUDFLARE_API_TOKEN is not set",
        "nobody was notified: HOOK is not set",
    )
    said = await take_care(ended(), made, {**ENVIRON, "HOOK": f"{gone}/{SECRET}"})
    assert all("was not emptied" in line or "nobody was notified" in line for line in said)
    assert SECRET not in "".join(said)
    assert "nobody was notified" in (await take_care(ended(), config(webhook="HOOK"), {"HOOK": "no url"}))[0]


async def test_the_webhook_is_told_how_it_ended():
    hook = Recorder({})
    async with serving({"*": hook.answer}) as url:
        said = await take_care(ended(ReleaseEnd.HOLD), config(webhook="HOOK"), {"HOOK": f"{url}/x"})
    assert said == ("the webhook was told",)
    _, body, _ = hook.requests[0]
    assert body["end"] == "HOLD"
    assert "so it ended" in body["text"]
    async with serving({"*": answers(status=500)}) as url:
        assert "answered 500" in (await take_care(ended(), config(webhook="HOOK"), {"HOOK": url}))[0]


def test_the_names_of_these_secrets_are_known():
    made = config(purge={"zone": ZONE}, watch={"organization": "o", "project": "p", "token": "SENTRY"}, webhook="HOOK")
    assert {"CLOUDFLARE_API_TOKEN", "SENTRY", "HOOK"} <= set(made.secret_variables())


async def watched(world: World, sentry: Recorder, **changes: Any) -> Release:
    async with serving({"*": sentry.answer}) as url:
        settings = {"organization": "org", "project": "shop", "url": url, "duration": "40ms", "interval": "10ms"}
        deploy = {**world.config.model_dump(mode="python")["deploy"], "watch": {**settings, **changes}}
        world.config = Config.model_validate({"target": {"production": world.standin.production_url}, "deploy": deploy})
        ctx = world.context(environ=ENVIRON)
        return await release(ctx, stage=world.id("candidate"), test=world.test, verify=world.verify)


async def test_a_release_without_new_errors_is_promoted(world: World):
    sentry = Recorder([])
    made = await watched(world, sentry)
    assert (made.end, world.serves) == (ReleaseEnd.PROMOTED, "candidate"), made.events
    assert sentry.requests[0][0] == "/api/0/organizations/org/issues/"
    assert sentry.queries[0]["query"] == f'project:shop firstRelease:"{"b" * 40}"'


async def test_it_watches_until_the_time_is_over(world: World):
    sentry, elapsed = Recorder([]), [0.0]

    async def pause(seconds: float) -> None:
        elapsed[0] += seconds

    async with serving({"*": sentry.answer}) as url:
        settings = Watch(organization="org", project="shop", url=url, duration="2m", interval="15s")
        ctx = world.context(clock=lambda: elapsed[0], pause=pause)
        seen = await watch_errors(ctx, settings, ENVIRON, Subject(url="u", commit="b" * 40))
    assert (seen.errors, seen.trouble, elapsed[0]) == ((), None, 120)
    assert len(sentry.requests) == 9


async def test_a_release_that_brings_new_errors_is_rolled_back(world: World):
    sentry = Recorder([{"title": "TypeError: x is undefined", "permalink": "https://sentry.example/1"}])
    made = await watched(world, sentry)
    assert (made.end, world.serves) == (ReleaseEnd.ROLLED_BACK, "baseline"), made.events
    assert any("TypeError: x is undefined" in event.message for event in made.events)
    assert len(sentry.requests) == 1, "what is certain is not waited for"


async def test_errors_that_are_borne_do_not_matter(world: World):
    made = await watched(world, Recorder([{"title": "a"}]), max_new_issues=1)
    assert made.end is ReleaseEnd.PROMOTED


@pytest.mark.parametrize("sentry", [Recorder({"detail": "no"}, 401), Recorder({"detail": "odd"})])
async def test_a_watch_that_cannot_see_is_told_and_undoes_nothing(world: World, sentry):
    made = await watched(world, sentry)
    assert (made.end, world.serves) == (ReleaseEnd.PROMOTED, "candidate")
    assert any("could not be watched" in event.message for event in made.events)
    assert SECRET not in made.model_dump_json()


SCHEMA = f"watched_{os.getpid()}"


@pytest.fixture
async def error_log(postgres_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as db:
        await db.execute(f"CREATE SCHEMA {SCHEMA}")
        columns = "message text, severity text, timestamp timestamptz DEFAULT now()"
        await db.execute(f"CREATE TABLE {SCHEMA}.error_logs ({columns})")
        yield db
        await db.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


async def logged(world: World, url: str | None, **changes: Any) -> Release:
    settings = {"table": f"{SCHEMA}.error_logs", "duration": "40ms", "interval": "10ms"}
    deploy = {**world.config.model_dump(mode="python")["deploy"], "error_log": {**settings, **changes}}
    world.config = Config.model_validate({"target": {"production": world.standin.production_url}, "deploy": deploy})
    ctx = world.context(environ={"DATABASE_URL": url} if url else {})
    return await release(ctx, stage=world.id("candidate"), test=world.test, verify=world.verify)


async def test_only_new_and_severe_rows_count(world: World, postgres_url: str, error_log: psycopg.AsyncConnection):
    rows = "('long ago', 'error', now() - interval '1 day'), ('mild', 'info', now())"
    await error_log.execute(f"INSERT INTO {SCHEMA}.error_logs VALUES {rows}")
    made = await logged(world, postgres_url)
    assert (made.end, world.serves) == (ReleaseEnd.PROMOTED, "candidate"), made.events
    assert any("no new errors" in event.message for event in made.events)


async def test_rows_that_a_release_brings_take_it_back(
    world: World, postgres_url: str, error_log: psycopg.AsyncConnection
):
    await error_log.execute(
        f"INSERT INTO {SCHEMA}.error_logs VALUES ('x is undefined', 'error', now() + interval '1 h')"
    )
    made = await logged(world, postgres_url)
    assert (made.end, world.serves) == (ReleaseEnd.ROLLED_BACK, "baseline"), made.events
    assert any("x is undefined" in event.message for event in made.events)


@pytest.mark.parametrize("change", [{"table": "no_such_table"}, {"database": "OTHER_URL"}])
async def test_a_table_that_cannot_be_read_is_told_and_undoes_nothing(world: World, postgres_url: str, change):
    made = await logged(world, postgres_url, **change)
    assert made.end is ReleaseEnd.PROMOTED
    assert any("could not be watched for" in event.message for event in made.events)


async def test_a_database_that_is_not_there_is_told_without_its_address(world: World):
    made = await logged(world, "postgresql://ana:hunter22@127.0.0.1:1/app")
    assert made.end is ReleaseEnd.PROMOTED
    told = "; ".join(event.message for event in made.events)
    assert "could not be watched for" in told
    assert "hunter22" not in told
