"""A quarter of a year as it truly was, what a monitor with all its troubles saw of it, and an oracle that knows both.

The oracle shares no code with the monitor: it counts slots and walks through observations by itself.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ci.monitor.facts import Condition, Kind, ProbeRecord

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
DAYS = 92
SLOT_S = 900
DUE_S = 420
"""Rounds are due at minutes 7, 22, 37 and 52."""
TOGETHER_S = SLOT_S / 3
LENGTH_S = DAYS * 86_400
SLOW_MS = 5_000.0


@dataclass(frozen=True)
class Trouble:
    kind: str
    """outage, slow or flapping"""
    begin: float
    end: float
    vendor: bool = False

    def down_at(self, second: float) -> bool:
        """A flapping target is down in every second quarter of an hour."""
        if not self.begin <= second < self.end:
            return False
        return self.kind == "outage" or (self.kind == "flapping" and (second - self.begin) // SLOT_S % 2 == 0)


@dataclass
class Quarter:
    """The truth (seconds since BEGIN), and the rounds that were made."""

    seed: int
    days: int = DAYS
    troubles: list[Trouble] = field(default_factory=list)
    blind: list[tuple[float, float]] = field(default_factory=list)
    off: list[tuple[float, float]] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._make_troubles()
        self._make_rounds()
        self._begins = [trouble.begin for trouble in self.troubles]

    @property
    def length_s(self) -> float:
        return self.days * 86_400

    @property
    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.length_s)

    def _make_troubles(self) -> None:
        at = 86_400.0
        while at < self.length_s - 86_400:
            kind = self.random.choices(["outage", "slow", "flapping"], [6, 3, 2])[0]
            lasts = self.random.uniform(2 * SLOT_S, 5 * 3600) if kind != "flapping" else 12 * SLOT_S
            self.troubles.append(Trouble(kind, at, at + lasts, vendor=kind == "outage" and self.random.random() < 0.3))
            at += lasts + self.random.uniform(14, 50) * 3600
        for _ in range(max(1, self.days // 12)):
            begin = self.random.uniform(0, self.length_s - 8 * 3600)
            self.blind.append((begin, begin + self.random.uniform(900, 4 * 3600)))
            begin = self.random.uniform(86_400, self.length_s - 8 * 3600)
            self.off.append((begin, begin + self.random.uniform(1800, 5 * 3600)))

    def _make_rounds(self) -> None:
        for slot in range(int(self.length_s // SLOT_S)):
            due = slot * SLOT_S + DUE_S
            late = self.random.expovariate(1 / 600) if self.random.random() < 0.2 else self.random.uniform(0, 60)
            dropped = self.random.random() < 0.08
            if not dropped and not any(a <= due < b for a, b in self.off) and due + late < self.length_s:
                self.rounds.append(round(due + late, 3))
        self.rounds.sort()

    def trouble_at(self, second: float) -> Trouble | None:
        place = bisect_right(self._begins, second) - 1
        return self.troubles[place] if place >= 0 and second < self.troubles[place].end else None

    def down_at(self, second: float) -> bool:
        trouble = self.trouble_at(second)
        return trouble is not None and trouble.down_at(second)

    def blind_at(self, second: float) -> bool:
        return any(a <= second < b for a, b in self.blind)

    def truly_up(self) -> float:
        """The share of the quarter in which the target served, to the second."""
        down = 0.0
        for trouble in self.troubles:
            lasts = trouble.end - trouble.begin
            down += lasts if trouble.kind == "outage" else lasts / 2 if trouble.kind == "flapping" else 0.0
        return 1 - down / self.length_s

    def records(self) -> list[ProbeRecord]:
        """What the monitor saw."""
        dice = random.Random(self.seed + 1)
        made = []
        for number, second in enumerate(self.rounds):
            blind = self.blind_at(second)
            trouble = self.trouble_at(second)
            at = BEGIN + timedelta(seconds=second)
            common = {
                "round_id": f"{number}",
                "slot": BEGIN + timedelta(seconds=second // SLOT_S * SLOT_S),
                "every_s": SLOT_S,
            }
            latency = dice.lognormvariate(5, 0.4)
            outcome = Condition.UP
            if blind:
                outcome = Condition.UNKNOWN
            elif self.down_at(second):
                outcome = Condition.DOWN
            elif trouble and trouble.kind == "slow":
                outcome, latency = Condition.DEGRADED, latency * 60
            seen = Condition.UNKNOWN if blind else Condition.UP
            vendor = Condition.DOWN if trouble and trouble.vendor and not blind else seen
            made += [
                ProbeRecord(**common, at=at, target="round", kind=Kind.MONITOR, outcome=seen),
                ProbeRecord(
                    **common,
                    at=at + timedelta(milliseconds=10),
                    environment="production",
                    target="home",
                    kind=Kind.PAGE,
                    outcome=outcome,
                    latency_ms=None if outcome is Condition.UNKNOWN else round(latency, 1),
                    detail=f"seen {outcome}",
                ),
                ProbeRecord(
                    **common,
                    at=at + timedelta(milliseconds=20),
                    target="Vercel",
                    kind=Kind.VENDOR,
                    outcome=vendor,
                    detail="Major outage" if vendor is Condition.DOWN else "",
                ),
            ]
        return made

    def write(self, folder: Path) -> int:
        """Into the files of a history, a few torn lines among them; how many."""
        folder.mkdir(parents=True, exist_ok=True)
        torn = 0
        lines: dict[str, list[str]] = {}
        for number, record in enumerate(self.records()):
            mine = lines.setdefault(f"probes-{record.slot:%Y-%m}.jsonl", [])
            mine.append(record.line())
            if number % 5000 == 4999:
                mine.append(record.line()[:40] + "\n")
                torn += 1
        for name, written in lines.items():
            (folder / name).write_text("".join(written))
        return torn


@dataclass(frozen=True)
class Outage:
    """What the oracle expects of one true outage that two counted probes fell into."""

    truth: Trouble
    good_before: float
    first_failure: float
    opened: float
    last_failure: float
    good_again: float
    closed: float


@dataclass(frozen=True)
class Expected:
    """What a perfect reader of the same observations would say."""

    served_slots: int
    degraded_slots: int
    down_slots: int
    slots: int
    rounds: int
    gaps: int
    outages: list[Outage]
    unseen: list[Trouble]
    truth_by_slot: float
    """Share of the slots in which the target served when it was, or should have been, looked at."""


def expected(quarter: Quarter) -> Expected:
    """By counting, and by walking through the observations of each true outage."""
    worst: dict[int, int] = {}
    for second in quarter.rounds:
        slot = int(second // SLOT_S)
        if quarter.blind_at(second):
            worst.setdefault(slot, -1)
            continue
        trouble = quarter.trouble_at(second)
        rank = 2 if quarter.down_at(second) else 1 if trouble and trouble.kind == "slow" else 0
        worst[slot] = max(worst.get(slot, -1), rank)
    slots = int(quarter.length_s // SLOT_S)
    truth = [worst[s] < 2 if worst.get(s, -1) >= 0 else not quarter.down_at(s * SLOT_S + DUE_S) for s in range(slots)]
    counts = [sum(rank == wanted for rank in worst.values()) for wanted in (0, 1, 2)]
    outages, unseen = _outages(quarter)
    first = int(quarter.rounds[0] // SLOT_S)
    return Expected(
        served_slots=counts[0] + counts[1],
        degraded_slots=counts[1],
        down_slots=counts[2],
        slots=slots,
        rounds=len(quarter.rounds),
        gaps=slots - first - len({int(second // SLOT_S) for second in quarter.rounds}),
        outages=outages,
        unseen=unseen,
        truth_by_slot=sum(truth) / slots,
    )


def _outages(quarter: Quarter) -> tuple[list[Outage], list[Trouble]]:
    sighted = [second for second in quarter.rounds if not quarter.blind_at(second)]
    found, unseen = [], []
    for truth in quarter.troubles:
        if truth.kind != "outage":
            continue
        inside = _counted([second for second in sighted if truth.begin <= second < truth.end])
        before = [second for second in sighted if second < truth.begin]
        after = [second for second in sighted if second >= truth.end]
        if len(inside) < 2:
            unseen.append(truth)
            continue
        last = max(second for second in sighted if second < truth.end)
        counted_after = _counted(after[:20])
        found.append(Outage(truth, before[-1], inside[0], inside[1], last, counted_after[0], counted_after[1]))
    return found, unseen


def _counted(seconds: list[float]) -> list[float]:
    """Observations too near to the last counted one are the same observation."""
    counted: list[float] = []
    for second in seconds:
        if not counted or second - counted[-1] >= TOGETHER_S:
            counted.append(second)
    return counted


def naive_uptime(quarter: Quarter, opened_and_closed: list[tuple[float, float]]) -> float:
    """What is often printed: all time in which no issue was open counts as up."""
    return 1 - sum(closed - opened for opened, closed in opened_and_closed) / quarter.length_s
