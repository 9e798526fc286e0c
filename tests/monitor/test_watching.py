"""From the command line to the history and back: rounds, `--for`, figures, cost."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ci.cli import main
from ci.config import Config
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.monitor.cost import Choice, choices, table
from ci.monitor.facts import Round
from ci.monitor.folder import FolderHistory, folder_history
from ci.monitor.overview import PRODUCTION_SERIES, Overview, overview
from ci.monitor.watching import Watcher
from ci.monitor.wording import figures_in_words
from tests.monitor.quarter import Quarter
from tests.servers import answers, serving

REFUSED = "http://127.0.0.1:1/"
SECOND = timedelta(seconds=1)


def settings(url: str, **monitor: Any) -> dict[str, Any]:
    own = {"witnesses": [f"{url}/witness"], "vendors": [], "recheck_after": "10ms"}
    return {"target": {"production": url}, "smoke": {"pages": ["/"]}, "monitor": {**own, **monitor}}


async def gonogo(folder: Path, *arguments: str, config: Mapping[str, Any]) -> tuple[int, str, str]:
    (folder / "gonogo.yaml").write_text(json.dumps({"version": 1, **config}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ci", "monitor", *arguments, "--config", str(folder / "gonogo.yaml")),
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_rounds_and_their_figures_from_the_command_line(tmp_path: Path) -> None:
    place = f"--history={tmp_path / 'history'}"
    async with serving({"/witness": answers(), "/": answers("Welcome")}) as url:
        up = await gonogo(tmp_path, "run", place, "--json", config=settings(url))
        assert up[0] == 0, up
        told = json.loads(up[1])
        assert {record["outcome"] for record in told["round"]["records"]} == {"up"}
        blind = await gonogo(tmp_path, "run", place, config=settings(url, witnesses=[REFUSED]))
        assert (blind[0], "none of 1 witnesses answers" in blind[1]) == (3, True), blind
        down = await gonogo(tmp_path, "run", place, config={**settings(url), "smoke": {"pages": ["/", "/gone"]}})
        assert (down[0], "DOWN" in down[1], "answered 404, wanted 200" in down[1]) == (1, True, True), down
    shown = await gonogo(tmp_path, "figures", place, config=settings(url))
    assert shown[0] == 0 and "production page /gone: 0.00 % of the 100.00 % observed" in shown[1], shown
    assert not any("Traceback" in text for one in (up, blind, down, shown) for text in one[1:])


async def test_a_round_that_is_killed_leaves_a_history_that_the_next_one_goes_on_with(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def page(request: web.Request) -> web.Response:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return web.Response(text="Welcome", content_type="text/html")

    place = f"--history={tmp_path / 'history'}"
    async with serving({"/witness": answers(), "/": page}) as url:
        (tmp_path / "gonogo.yaml").write_text(json.dumps({"version": 1, **settings(url)}))
        command = [sys.executable, "-m", "ci", "monitor", "run", place, "--config", str(tmp_path / "gonogo.yaml")]
        killed = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        await asked.wait()
        killed.kill()
        await killed.wait()
        after = await gonogo(tmp_path, "run", place, "--json", config=settings(url))
    assert after[0] == 0, after
    async with folder_history(tmp_path / "history") as history:
        reading = await history.read()
    assert (len({record.round_id for record in reading.records}), reading.corrupt) == (1, 0)


class Enough(Exception):
    """Ends the rounds of a test."""


class Sometimes(FolderHistory):
    """A history that cannot be written when the first round wants to."""

    refusals = 1

    async def append(self, round_: Round) -> None:
        if self.refusals:
            self.refusals -= 1
            raise CannotRun("unreachable", "the disk is away")  # type: ignore[arg-type]
        await super().append(round_)


async def test_rounds_go_on_for_a_while_and_none_is_lost(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    asked: list[str] = []
    said: list[str] = []

    async def page(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="Welcome", content_type="text/html")

    published: list[int] = []

    def publish(told: Overview) -> None:
        published.append(len(told.recent))
        if len(published) == 2:
            raise Enough

    history = Sometimes(tmp_path)
    async with serving({"/witness": answers(), "/": page}) as url:
        watcher = Watcher(Config.model_validate(settings(url)), history, {}, Redactor(), said.append, publish)
        with pytest.raises(Enough):
            await watcher.for_a_while(3600 * SECOND, SECOND)
    records = (await history.read()).records
    slots = {record.slot for record in records}
    assert len(slots) == 3
    assert {record.every_s for record in records} == {1}
    assert said == ["the disk is away; it is tried again with the next round"]
    assert published[0] < published[1]


async def test_a_last_round_that_cannot_be_written_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    async with serving({"/witness": answers(), "/": answers("Welcome")}) as url:
        watcher = Watcher(Config.model_validate(settings(url)), Sometimes(tmp_path), {}, Redactor(), print)
        with pytest.raises(CannotRun, match="the disk is away"):
            await watcher.for_a_while(SECOND / 100, 3600 * SECOND)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--every", "60s"], "write both"),
        (["run", "--for", "14m", "--every", "7s"], "must fill a day exactly"),
        (["run", "--for", "soon"], "is not a duration"),
    ],
)
def test_what_cannot_be_meant_is_said(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GONOGO_MONITOR_FOR", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["monitor", *arguments])
    assert (ended.value.code, words in capsys.readouterr().err) == (2, True)


async def test_an_empty_history_has_no_figures(tmp_path: Path) -> None:
    async with folder_history(tmp_path) as history:
        told = await overview(history, Config.model_validate(settings("http://x.test")).monitor, Quarter(1, 1).now)
    assert (told.days, told.incidents, told.budget, told.gaps) == ((), (), None, ())
    assert "the history is empty" in figures_in_words(told)


async def test_a_history_in_words(tmp_path: Path) -> None:
    quarter = Quarter(seed=3, days=9)
    quarter.write(tmp_path)
    monitor = Config.model_validate(settings("http://x.test")).monitor
    async with folder_history(tmp_path) as history:
        told = await overview(history, monitor, quarter.now)
    text = figures_in_words(told)
    assert list(told.figures) == ["24h", "7d", "30d", "90d"]
    assert told.figures["24h"][PRODUCTION_SERIES].window_s == 86_400
    assert told.figures["7d"][PRODUCTION_SERIES].window_s == 7 * 86_400
    for words in ("last 90d", "observed; between", "error budget:", "burn rate: 1h", "P0:", "mean time to detect"):
        assert words in text
    assert "missed rounds:" in text and "P3: none" in text
    assert told.incidents == tuple(sorted(told.incidents, key=lambda i: (not i.open, -i.opened_at.timestamp())))


def test_what_probing_costs() -> None:
    minute = timedelta(minutes=1)
    every_15 = Choice(15 * minute, 40 * SECOND, 15 * minute, 2)
    assert (every_15.minutes_a_month, every_15.noticed_after) == (2_880, 30 * minute)
    assert every_15.dollars_beyond(2_000) == pytest.approx(5.28)
    assert Choice(60 * minute, 61 * SECOND, 60 * minute, 2).minutes_a_month == 1_440
    assert Choice(60 * minute, 61 * SECOND, 60 * minute, 2).dollars_beyond(2_000) == 0
    filled = choices(15 * minute, 2)[-1]
    assert (filled.minutes_a_month, filled.noticed_after) == (43_200, 2 * minute)
    text = table(choices(15 * minute, 2))
    assert "every 15 min, --for 14m --every 60s" in text and "2,880" in text and "144%" in text and "$5.28" in text
