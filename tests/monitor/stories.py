"""Histories for the status page: empty, a year with all that happens in one, everything down, the first round.

`python -m tests.monitor.stories FOLDER` writes the page of each story, and pictures of it at phone and desktop width,
light and dark.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ci.config import Config
from ci.monitor.day import Day
from ci.monitor.days import Chronicle
from ci.monitor.facts import Condition, Kind, ProbeRecord
from ci.monitor.overview import Overview, told
from ci.monitor.rollup import midnight, roll
from ci.monitor.rules import Rules

NOW = datetime(2026, 11, 20, 9, 22, tzinfo=UTC)
DAY = timedelta(days=1)
Fate = Callable[[datetime, str], tuple[Condition, float | None, str] | None]
"""What a probe of a target finds at a time: condition, latency and words; None when there is no round."""

UP, DEGRADED, DOWN, UNKNOWN = Condition.UP, Condition.DEGRADED, Condition.DOWN, Condition.UNKNOWN
SERVING = [
    ("production", "home", Kind.PAGE, 180),
    ("production", "/api/auth/login", Kind.API, 120),
    ("production", "/api/health", Kind.HEALTH, 60),
    ("staging", "home", Kind.PAGE, 300),
]
BEHIND = [("production", "database", Kind.SERVICE), ("production", "app.example.com", Kind.DNS)]
EXPIRING = [
    ("production", "app.example.com", Kind.CERTIFICATE, 61.0),
    ("production", "example.com", Kind.DOMAIN, 212.0),
]
VENDORS = ["GitHub", "Stripe", "Supabase", "Vercel"]


def config(every: timedelta = timedelta(hours=1), **page: Any) -> Config:
    monitor = {
        "interval": f"{int(every.total_seconds())}s",
        "silence": f"{int(3 * every.total_seconds())}s",
        "page": page,
    }
    monitor["alerts"] = {"page": "https://status.example.com"}
    return Config.model_validate({"target": {"production": "https://app.example.com"}, "monitor": monitor})


def probes(begins: datetime, every: timedelta, fate: Fate) -> Iterator[ProbeRecord]:
    """All probes of all rounds from `begins` to `NOW`."""
    slot = begins
    while slot <= NOW:
        at = slot + timedelta(seconds=40)
        common = {"round_id": f"{slot:%Y%m%dT%H%M}", "slot": slot, "every_s": int(every.total_seconds()), "at": at}
        if fate(slot, "round") is not None:
            sight, _, words = fate(slot, "round") or (UP, None, "")
            yield ProbeRecord(target="round", kind=Kind.MONITOR, outcome=sight, detail=words, **common)
            for environment, target, kind, usual in SERVING:
                outcome, latency, words = fate(slot, f"{environment} {target}") or (UP, None, "")
                latency = usual * (latency or 1) if outcome is not UNKNOWN else None
                facts = {"outcome": outcome, "latency_ms": latency, "detail": words}
                yield ProbeRecord(environment=environment, target=target, kind=kind, **facts, **common)
            for environment, target, kind in BEHIND:
                outcome, _, words = fate(slot, target) or (UP, None, "")
                yield ProbeRecord(
                    environment=environment, target=target, kind=kind, outcome=outcome, detail=words, **common
                )
            for environment, target, kind, days in EXPIRING:
                left = (days + (NOW - slot) / DAY - 5) % 90 + 5
                outcome = UP if left > 14 else DEGRADED
                yield ProbeRecord(
                    environment=environment, target=target, kind=kind, outcome=outcome, measure=left, **common
                )
            for vendor in VENDORS:
                outcome, _, words = fate(slot, vendor) or (UP, None, "")
                yield ProbeRecord(target=vendor, kind=Kind.VENDOR, outcome=outcome, detail=words, **common)
            yield ProbeRecord(target="database size", kind=Kind.QUOTA, outcome=UP, measure=0.62, **common)
        slot += every


def eventful(seed: int = 7) -> Fate:
    """Most things that can happen; the same for the same seed."""
    draw = random.Random(seed)
    start = NOW - 370 * DAY

    def spells(count: int, longest_h: float) -> list[tuple[datetime, datetime]]:
        begins = [start + draw.random() * 370 * DAY for _ in range(count)]
        return [(begin, begin + timedelta(hours=draw.uniform(1, longest_h))) for begin in begins]

    outages, slow, missed, blind, vendor = spells(9, 7), spells(14, 20), spells(8, 60), spells(6, 12), spells(5, 9)
    outages += [
        (NOW - 3 * DAY, NOW - 3 * DAY + timedelta(hours=5)),
        (NOW - 40 * DAY, NOW - 40 * DAY + timedelta(hours=30)),
    ]
    missed += [(NOW - 22 * DAY, NOW - 19 * DAY)]
    vendor += [outages[-2]]

    def fate(at: datetime, target: str) -> tuple[Condition, float | None, str] | None:
        within = {
            name: any(a <= at < b for a, b in spell)
            for name, spell in (
                ("out", outages),
                ("slow", slow),
                ("missed", missed),
                ("blind", blind),
                ("vendor", vendor),
            )
        }
        noise = 1 + 0.35 * math.sin(at.timestamp() / 86_400 * 2 * math.pi) + draw.expovariate(6)
        if target == "round":
            seen = (UNKNOWN, None, "none of 3 witnesses answered") if within["blind"] else (UP, None, "")
            return None if within["missed"] else seen
        if target in VENDORS and not within["blind"]:
            trouble = within["vendor"] and target == "Vercel"
            return (DEGRADED, None, "Elevated error rates at the edge") if trouble else (UP, None, "")
        if within["blind"]:
            return UNKNOWN, None, "the monitor was blind"
        if within["out"] and target.startswith("production") and "health" not in target:
            return DOWN, None, "GET / answered 502, wanted 200"
        if within["slow"] and target.startswith("production"):
            return DEGRADED, 4 * noise, "answered after 1.3 s, wanted 500 ms"
        return UP, noise, ""

    return fate


def all_down(at: datetime, target: str) -> tuple[Condition, float | None, str] | None:
    if NOW - at > timedelta(hours=30) or target == "round":
        return UP, 1.0, ""
    return (UP, None, "") if target in VENDORS else (DOWN, None, "connection refused")


def all_well(at: datetime, target: str) -> tuple[Condition, float | None, str] | None:
    return UP, 1 + 0.2 * math.sin(at.timestamp() / 9000), ""


def overview_of(records: Iterable[ProbeRecord], config: Config, now: datetime = NOW, corrupt: int = 0) -> Overview:
    rules, monitor = Rules.of(config.monitor), config.monitor
    by_day: dict[datetime, list[ProbeRecord]] = defaultdict(list)
    for record in records:
        by_day[midnight(record.slot)].append(record)
    days: list[Day] = []
    cursor = min((r.slot for of_day in by_day.values() for r in of_day), default=now)
    while cursor < now:
        ends = min(midnight(cursor) + DAY, now)
        every_s = int(monitor.interval.total_seconds())
        before = days[-1] if days else None
        days.append(roll(by_day[midnight(cursor)], rules, begins=cursor, ends=ends, every_s=every_s, before=before))
        cursor = ends
    recent = [r for start in sorted(by_day) for r in by_day[start] if r.at >= now - 2 * DAY]
    return told(Chronicle(now, tuple(days), tuple(recent), corrupt), monitor)


def story(name: str, every: timedelta = timedelta(hours=6)) -> tuple[Overview, Config]:
    """The overview and the configuration of a story, with a round `every` so often."""
    shown = config(every)
    match name:
        case "empty":
            return overview_of([], shown), shown
        case "first-round":
            return overview_of(probes(NOW - timedelta(minutes=5), every, all_well), shown), shown
        case "year":
            return overview_of(probes(midnight(NOW - 365 * DAY), every, eventful()), shown, corrupt=3), shown
        case "all-down":
            shown = config(every, details=True, contact="https://help.example.com", title="Shop <b>&</b> Friends")
            windows = [
                {"starts": NOW + DAY, "lasts": "2h", "reason": "the database moves", "environments": ["production"]},
                {"starts": NOW - timedelta(hours=1), "lasts": "90m", "repeats": "weekly", "targets": ["none"]},
                {"starts": NOW + 30 * DAY, "lasts": "2h", "reason": "far away"},
                {"starts": NOW - 30 * DAY, "lasts": "2h", "reason": "long over"},
            ]
            shown = Config.model_validate(
                {
                    **shown.model_dump(mode="json"),
                    "monitor": {**shown.monitor.model_dump(mode="json"), "maintenance": windows},
                }
            )
            return overview_of(probes(midnight(NOW - 100 * DAY), every, all_down), shown), shown
        case "stopped":
            before = (r for r in probes(midnight(NOW - 20 * DAY), every, all_well) if NOW - r.at > DAY)
            return overview_of(before, shown), shown
    raise ValueError(name)


STORIES = ("empty", "first-round", "year", "all-down", "stopped")


async def main(folder: Path) -> None:
    import os
    import shutil

    from playwright.async_api import async_playwright

    from ci.monitor.page.files import write
    from ci.monitor.page.view import build

    path = os.environ.get("GONOGO_BROWSER") or shutil.which("google-chrome") or shutil.which("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name in STORIES:
            write(build(*story(name, timedelta(hours=1))), folder / name)
            for device, width in (("phone", 390), ("desktop", 1280)):
                for scheme in ("light", "dark"):
                    size = {"width": width, "height": 900}
                    page = await browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
                    await page.goto((folder / name / "index.html").absolute().as_uri())
                    await page.screenshot(path=folder / f"{name}-{device}-{scheme}.png", full_page=True)
                    await page.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
