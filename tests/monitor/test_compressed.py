"""An outage in real time, compressed: a target goes down, is slow, and returns; its issue opens, is updated, closes.

Against the stand-in for GitHub's API, and against an emulator of it by others.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from ci.config import Config
from ci.engine.redaction import Redactor
from ci.monitor.alerts import tell
from ci.monitor.folder import DELIVERIES, folder_history
from ci.monitor.overview import Overview, overview
from ci.monitor.watching import Watcher
from tests.github_standin import REPOSITORY, TOKEN, github_standin
from tests.monitor.emulator import emulated_github
from tests.servers import answers, serving

SECOND = timedelta(seconds=1)
MOODS = ("well", "down", "down", "down", "slow", "well", "well", "well")
"""Of the target, round by round; one more of each than is needed: two rounds too near to each other count as one."""
LIMIT_S = 0.25

Issue = dict[str, Any]


class Over(Exception):
    """The last round was made."""


async def play(folder: Path, environ: Mapping[str, str], issues: Callable[[], list[Issue]]) -> list[list[Issue]]:
    """Make a round in each mood; the issues after each."""
    seen: list[list[Issue]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        mood = MOODS[len(seen)]
        if mood == "down":
            return web.Response(status=502, text="bad gateway")
        if mood == "slow":
            await asyncio.sleep(2 * LIMIT_S)
        return await answers("Welcome")(request)

    def publish(told: Overview) -> None:
        seen.append(issues())
        if len(seen) == len(MOODS):
            raise Over

    async with serving({"/witness": answers(), "/": answer}) as url, folder_history(folder) as history:
        watched = {"path": "/", "name": "home", "limit": f"{LIMIT_S * 1000:.0f}ms"}
        monitor = {"witnesses": [f"{url}/witness"], "vendors": [], "recheck_after": "10ms", "targets": [watched]}
        config = Config.model_validate({"target": {"production": url}, "monitor": monitor})
        watcher = Watcher(config, history, environ, Redactor([TOKEN]), print, publish)
        with pytest.raises(Over):
            await watcher.for_a_while(timedelta(hours=1), SECOND)
        (folder / DELIVERIES).unlink()  # as if it had died before it could write down what it had told
        now = datetime.now(UTC)
        incidents = (await overview(history, config.monitor, now)).incidents
        assert await tell(incidents, history, config, environ, Redactor(), say=print, now=now) == ()
        seen.append(issues())
    return seen


def check(seen: list[list[Issue]]) -> None:
    states = [tuple(issue["state"] for issue in issues) for issues in seen]
    assert [state for state, _ in itertools.groupby(states)] == [(), ("open",), ("closed",)]
    slow = seen[MOODS.index("slow")][0]
    opened, closed, again = seen[states.index(("open",))][0], seen[states.index(("closed",))][0], seen[-1][0]
    assert opened["title"] == slow["title"] == "[P0] page home (production) is down"
    assert closed["title"].startswith("[P0] page home (production) is down: over after")
    assert "answered 502, wanted 200" in opened["body"]
    assert opened["body"] != slow["body"]  # in place: there is one issue all the time
    assert "ms" in slow["body"].rpartition("degraded:")[2]
    assert opened["labels"][0]["name"] == "incident"
    assert [issue["comments"] for issue in (opened, slow, closed, again)] == [0, 0, 1, 1]


async def test_against_the_stand_in(tmp_path):
    async with github_standin() as github:

        def issues() -> list[Issue]:
            return [{**issue, "comments": len(github.comments.get(issue["number"], []))} for issue in github.issues]

        check(await play(tmp_path, github.environ, issues))


@pytest.mark.real_clients
async def test_against_an_emulator_by_others(tmp_path):
    with emulated_github(TOKEN) as url:
        environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_API_URL": url}
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False) as http:

            def issues() -> list[Issue]:
                return list(http.get(f"/repos/{REPOSITORY}/issues", params={"state": "all"}).json())

            check(await play(tmp_path, environ, issues))
