"""A simulated quarter: what is told equals what was observed, and the truth lies within the bounds that are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ci.config.shape.monitor import Monitor
from ci.monitor.days import Chronicle, chronicle
from ci.monitor.facts import Condition, Kind, Series
from ci.monitor.figures import figures, responses
from ci.monitor.folder import folder_history
from ci.monitor.overview import Overview, overview, told
from ci.monitor.rules import Rules
from tests.monitor.quarter import BEGIN, SLOT_S, Expected, Quarter, expected, naive_uptime

HOME = Series(environment="production", target="home", kind=Kind.PAGE)
PROBE_S = 0.01
"""The page is probed so many seconds after its round began."""


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second + PROBE_S)


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    return Quarter(seed=7)


@pytest.fixture(scope="module")
def oracle(quarter: Quarter) -> Expected:
    return expected(quarter)


@pytest.fixture(scope="module")
def folder(quarter: Quarter, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("quarter")
    return folder, quarter.write(folder)


async def read(folder: Path, now: datetime) -> Chronicle:
    async with folder_history(folder) as history:
        return await chronicle(history, Rules.of(Monitor()), now, SLOT_S)


async def test_what_is_told_is_what_was_observed(quarter: Quarter, oracle: Expected, folder: tuple[Path, int]) -> None:
    whole = await read(folder[0], quarter.now)
    one = figures(HOME, whole.days)
    assert one
    assert (one.served_s, one.degraded_s, one.down_s) == (
        oracle.served_slots * SLOT_S,
        oracle.degraded_slots * SLOT_S,
        oracle.down_slots * SLOT_S,
    )
    assert one.uptime == oracle.served_slots / (oracle.served_slots + oracle.down_slots)
    assert one.observed_s + one.unknown_s == pytest.approx(one.window_s)
    assert 0.8 < one.coverage < 0.95
    assert one.low <= oracle.truth_by_slot <= one.high
    assert one.surely[0] <= quarter.truly_up() <= one.surely[1]
    assert sum(day.missed for day in whole.days) == oracle.gaps
    assert sum(day.rounds for day in whole.days) == oracle.rounds
    assert whole.corrupt == folder[1] > 0


async def test_every_outage_that_two_probes_saw_is_one_incident(
    quarter: Quarter, oracle: Expected, folder: tuple[Path, int]
) -> None:
    whole = await read(folder[0], quarter.now)
    closed = [incident for day in whole.days for incident in day.closed if incident.series == HOME]
    outages = [i for i in closed if i.condition is Condition.DOWN and not _flapped(quarter, i.first_failure)]
    assert [
        (i.good_before, i.first_failure, i.opened_at, i.last_failure, i.good_again, i.closed_at) for i in outages
    ] == [
        tuple(map(at, (o.good_before, o.first_failure, o.opened, o.last_failure, o.good_again, o.closed)))
        for o in oracle.outages
    ]
    assert [bool(incident.cause) for incident in outages] == [outage.truth.vendor for outage in oracle.outages]
    [response] = [r for r in responses(outages) if r.incidents]
    assert response.detect and response.recover and response.detect.high_s and response.recover.high_s
    count = len(oracle.outages)
    detected = sum(o.opened - o.truth.begin for o in oracle.outages) / count
    recovered = sum(o.truth.end - o.truth.begin for o in oracle.outages) / count
    assert response.detect.low_s == pytest.approx(sum(o.opened - o.first_failure for o in oracle.outages) / count)
    assert response.detect.low_s <= detected <= response.detect.high_s
    assert response.recover.low_s <= recovered <= response.recover.high_s


async def test_flapping_is_damped(quarter: Quarter, folder: tuple[Path, int]) -> None:
    whole = await read(folder[0], quarter.now)
    closed = [incident for day in whole.days for incident in day.closed if incident.series == HOME]
    episodes = [trouble for trouble in quarter.troubles if trouble.kind == "flapping"]
    assert episodes
    for episode in episodes:
        seen = [i for i in closed if at(episode.begin) <= i.first_failure < at(episode.end)]
        assert len(seen) <= 2


async def test_unwatched_time_is_an_incident_of_the_monitor(quarter: Quarter, folder: tuple[Path, int]) -> None:
    whole = await read(folder[0], quarter.now)
    silences = [i for day in whole.days for i in day.closed if i.series.target == "schedule"]
    gaps: list[tuple[float, float]] = []
    end = 0.0
    for one, two in pairwise(quarter.rounds):
        if two - one > 45 * 60:
            if one != end:  # a silence that another follows at once is the same incident
                gaps.append((one, two))
            end = two
    assert [(i.good_before, i.opened_at) for i in silences] == [
        (BEGIN + timedelta(seconds=one), BEGIN + timedelta(seconds=two)) for one, two in gaps
    ]
    assert any(i.series.target == "sight" for day in whole.days for i in day.closed)


async def test_kept_days_tell_the_same_as_the_records(quarter: Quarter, folder: tuple[Path, int]) -> None:
    first = await read(folder[0], quarter.now)
    again = await read(folder[0], quarter.now)
    assert len(list((folder[0] / "days").glob("*.json"))) >= quarter.days - 1
    assert again.days == first.days
    assert told(again, Monitor()).figures == told(first, Monitor()).figures


async def test_the_naive_formula_takes_the_unknown_for_up(
    quarter: Quarter, oracle: Expected, folder: tuple[Path, int]
) -> None:
    async with folder_history(folder[0]) as history:
        whole: Overview = await overview(history, Monitor(), quarter.now)
    one = whole.figures["90d"][HOME]
    issues = [(o.opened, o.closed) for o in oracle.outages]
    assert abs(naive_uptime(quarter, issues) - quarter.truly_up()) > abs((one.uptime or 0) - quarter.truly_up())


def _flapped(quarter: Quarter, moment: datetime) -> bool:
    trouble = quarter.trouble_at((moment - BEGIN).total_seconds() - PROBE_S)
    return trouble is not None and trouble.kind == "flapping"
