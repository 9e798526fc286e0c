"""A simulated quarter: the figures that are told beside the truth, and beside what the usual formula makes of it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from ci.config.shape.monitor import Monitor
from ci.engine.wording import seconds_in_words
from ci.monitor.days import chronicle
from ci.monitor.facts import Condition, Incident, Kind, Series
from ci.monitor.figures import figures, percent, responses
from ci.monitor.folder import folder_history
from ci.monitor.rules import Rules
from tests.monitor.quarter import BEGIN, SLOT_S, Quarter, expected, naive_uptime

SEEDS = (7, 11, 23)
HOME = Series(environment="production", target="home", kind=Kind.PAGE)


def main() -> None:
    for seed in SEEDS:
        asyncio.run(_one(Quarter(seed)))


async def _one(quarter: Quarter) -> None:
    oracle = expected(quarter)
    with tempfile.TemporaryDirectory() as name:
        torn = quarter.write(Path(name))
        async with folder_history(Path(name)) as history:
            started = time.perf_counter()
            whole = await chronicle(history, Rules.of(Monitor()), quarter.now, SLOT_S)
            first = time.perf_counter() - started
            started = time.perf_counter()
            await chronicle(history, Rules.of(Monitor()), quarter.now, SLOT_S)
            again = time.perf_counter() - started
    one = figures(HOME, whole.days)
    assert one
    incidents = [incident for day in whole.days for incident in day.closed if incident.series == HOME]
    outages = [i for i in incidents if i.condition is Condition.DOWN and not _flapping(quarter, i)]
    exact = one.served_s == oracle.served_slots * SLOT_S and one.down_s == oracle.down_slots * SLOT_S
    inside = one.low <= oracle.truth_by_slot <= one.high and one.surely[0] <= quarter.truly_up() <= one.surely[1]
    print(f"seed {quarter.seed}: {oracle.rounds:,} rounds of {oracle.slots:,} slots, {len(quarter.troubles)} troubles")
    print(f"  told    {one}")
    print(f"          surely between {percent(one.surely[0])} and {percent(one.surely[1])}")
    print(f"  truth   {percent(quarter.truly_up())} to the second, {percent(oracle.truth_by_slot)} by slots")
    print(f"  equal to what was observed: {exact}; the truth lies within the bounds: {inside}")
    issues = [(_second(i, "opened_at"), _second(i, "closed_at")) for i in incidents if i.condition is Condition.DOWN]
    naive = naive_uptime(quarter, issues)
    print(f"  naive   {percent(naive)} by the time that issues were open: off by {_points(naive, quarter)}")
    print(f"          this one is off by {_points(one.uptime or 0, quarter)}, and says how much it does not know")
    [response] = [r for r in responses(outages) if r.incidents]
    assert response.detect and response.recover
    count = len(oracle.outages)
    for what, mean, truth in (
        ("detect", response.detect, sum(o.opened - o.truth.begin for o in oracle.outages) / count),
        ("recover", response.recover, sum(o.truth.end - o.truth.begin for o in oracle.outages) / count),
    ):
        low, high = seconds_in_words(mean.low_s), seconds_in_words(mean.high_s or 0)
        print(f"  mean time to {what}: told {low} to {high}; truth {seconds_in_words(truth)}")
    same = [i.opened_at for i in outages] == [BEGIN + timedelta(seconds=o.opened + 0.01) for o in oracle.outages]
    print(f"  outages: {len(outages)} incidents, {count} expected, opened at the same second: {same};")
    print(f"          {len(oracle.unseen)} outages passed between the probes or while nobody looked")
    flaps = sum(trouble.kind == "flapping" for trouble in quarter.troubles)
    print(
        f"  flapping: {flaps} episodes of 6 outages made {len(incidents) - len(outages) - _slow(incidents)} incidents"
    )
    print(f"  {sum(day.missed for day in whole.days)} missed rounds, {whole.corrupt} of {torn} torn lines reported")
    print(f"  read again from roll-ups in {again / first:.2f} x the first time")


def _flapping(quarter: Quarter, incident: Incident) -> bool:
    trouble = quarter.trouble_at(_second(incident, "first_failure") - 0.01)
    return trouble is not None and trouble.kind == "flapping"


def _slow(incidents: list[Incident]) -> int:
    return sum(incident.condition is Condition.DEGRADED for incident in incidents)


def _second(incident: Incident, name: str) -> float:
    return float((getattr(incident, name) - BEGIN).total_seconds())


def _points(share: float, quarter: Quarter) -> str:
    return f"{abs(share - quarter.truly_up()) * 100:.2f} points"
