"""From the records of a span of time to its `Day`: who was seen up, down or not at all, and for how long.

A record speaks for its slot and for no more. Slots that overlap end where the next begins; of several records in one
slot the worst counts. What lies in no slot was not observed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import ceil

from ci.monitor.day import Day, Gap, SeriesDay
from ci.monitor.facts import Condition, Kind, ProbeRecord, Series
from ci.monitor.incidents import Detector
from ci.monitor.latency import bucket
from ci.monitor.rules import Rules

_BEST_FIRST = (Condition.UNKNOWN, Condition.UP, Condition.DEGRADED, Condition.DOWN)
"""Within one slot: somebody's sight counts more than another's blindness, trouble more than its absence."""
_TOLERATED = 4
"""Answers within so many times Apdex's threshold are tolerated."""

Slots = Mapping[datetime, ProbeRecord]


def midnight(at: datetime) -> datetime:
    """The begin of the day, in UTC."""
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def slot_of(at: datetime, every_s: int) -> datetime:
    """The begin of the slot that a time falls into. Slots are a grid that begins at midnight."""
    begin = midnight(at)
    return begin + timedelta(seconds=(at - begin).total_seconds() // every_s * every_s)


def roll(
    records: Sequence[ProbeRecord], rules: Rules, *, begins: datetime, ends: datetime, every_s: int, before: Day | None
) -> Day:
    """Tell the span from `begins` to `ends`. `records` are those of its slots; `before` is the span before it."""
    detector = Detector.resumed(rules, before.watches if before else (), before.last_round if before else None)
    rounds = list(rounds_of(records))
    for made in rounds:
        detector.take(made)
    series = _all_told(records, rules, begins, ends, before)
    times = {r.slot: r.every_s for r in records if r.kind is Kind.MONITOR}
    every_s = times[max(times)] if times else every_s
    covered_to = max([start + timedelta(seconds=long) for start, long in times.items()], default=None)
    if before and before.covered_to:
        covered_to = max(covered_to or before.covered_to, before.covered_to)
    return Day(
        rules=rules.digest,
        day=begins.date(),
        begins=begins,
        ends=ends,
        every_s=every_s,
        rounds=len(rounds),
        gaps=tuple(_gaps(times, before.covered_to if before else None, begins, ends, every_s)),
        series=series,
        closed=tuple(detector.closed),
        watches=detector.watches,
        covered_to=covered_to,
        last_round=detector.last_round,
    )


def rounds_of(records: Iterable[ProbeRecord]) -> Iterator[tuple[ProbeRecord, ...]]:
    """The records by round, in the order in which the rounds began."""
    rounds: dict[str, list[ProbeRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: (record.at, record.key)):
        rounds[record.round_id].append(record)
    return (tuple(made) for made in rounds.values())


def _all_told(
    records: Sequence[ProbeRecord], rules: Rules, begins: datetime, ends: datetime, before: Day | None
) -> tuple[SeriesDay, ...]:
    """Every series of the span. One that was watched before goes on, unseen, unless rounds that saw left it out."""
    known = {told.series: told for told in before.series} if before else {}
    told = [
        _told(series, slots, known.pop(series, None), rules, mine, begins, ends)
        for series, (mine, slots) in _grouped(records).items()
    ]
    if not any(record.kind is Kind.MONITOR and record.outcome is Condition.UP for record in records):
        told += [SeriesDay(series=series, since=begins, last=one.last) for series, one in known.items()]
    return tuple(sorted(told, key=lambda one: str(one.series)))


def _grouped(records: Iterable[ProbeRecord]) -> Mapping[Series, tuple[list[ProbeRecord], Slots]]:
    """For every series its records, and for each slot the one that counts; and the same for whole environments."""
    groups: dict[tuple[str, str, Kind], list[ProbeRecord]] = defaultdict(list)
    for record in records:
        groups[record.environment, record.target, record.kind].append(record)
    grouped: dict[Series, tuple[list[ProbeRecord], Slots]] = {
        Series(environment=e, target=t, kind=k): (mine, _slots(mine)) for (e, t, k), mine in groups.items()
    }
    for environment in {series.environment for series in grouped if series.kind.serves}:
        parts = [both for s, both in grouped.items() if s.kind.serves and s.environment == environment]
        starts = sorted(set().union(*(slots for _, slots in parts)))
        whole = {start: _together([slots[start] for _, slots in parts if start in slots]) for start in starts}
        named = Series(environment=environment, target="all", kind=Kind.ALL)
        grouped[named] = ([record for mine, _ in parts for record in mine], whole)
    return grouped


def _slots(records: Iterable[ProbeRecord]) -> dict[datetime, ProbeRecord]:
    slots: dict[datetime, ProbeRecord] = {}
    for record in records:
        known = slots.get(record.slot)
        slots[record.slot] = max(known, record, key=_weight) if known else record
    return slots


def _weight(record: ProbeRecord) -> tuple[bool, int]:
    return not record.maintenance, _BEST_FIRST.index(record.outcome)


def _together(records: Sequence[ProbeRecord]) -> ProbeRecord:
    """The environment in one slot: down when a part of it is, unknown when a part is and none is down."""
    worst = max(records, key=_weight)
    if worst.outcome is not Condition.DOWN:
        worst = next((r for r in records if r.outcome is Condition.UNKNOWN and not r.maintenance), worst)
    return worst.model_copy(update={"target": "all", "kind": Kind.ALL})


@dataclass(slots=True)
class _Span:
    """A slot as it counts: cut off where the next one or the day begins or ends."""

    start: datetime
    end: datetime
    at: datetime
    outcome: Condition | None
    """None during maintenance."""

    @property
    def side(self) -> str:
        """Served, not served, or neither."""
        return {Condition.UP: "served", Condition.DEGRADED: "served", Condition.DOWN: "down"}.get(
            self.outcome or Condition.UNKNOWN, ""
        )


def _told(
    series: Series,
    slots: Slots,
    before: SeriesDay | None,
    rules: Rules,
    records: Sequence[ProbeRecord],
    begins: datetime,
    ends: datetime,
) -> SeriesDay:
    spans = _spans(slots, ends)
    seconds: dict[Condition | None, float] = defaultdict(float)
    for span in spans:
        seconds[span.outcome] += (span.end - span.start).total_seconds()
    doubts = {"served": 0.0, "down": 0.0, "": 0.0}
    last = before.last if before else None
    for one, other in _neighbours([*([_span(last, begins)] if last else []), *spans], spans):
        _doubt(one, other, doubts)
    answered = [record for record in records if record.outcome is not Condition.UNKNOWN and not record.maintenance]
    served = [record.latency_ms for record in answered if record.latency_ms is not None and not _failed(record)]
    histogram: dict[int, int] = defaultdict(int)
    for latency in served:
        histogram[bucket(latency)] += 1
    satisfied = sum(latency <= rules.apdex_ms for latency in served)
    return SeriesDay(
        series=series,
        since=begins if before else max(begins, spans[0].start),
        up_s=seconds[Condition.UP],
        degraded_s=seconds[Condition.DEGRADED],
        down_s=seconds[Condition.DOWN],
        blind_s=seconds[Condition.UNKNOWN],
        maintenance_s=seconds[None],
        maybe_down_s=doubts["served"],
        maybe_up_s=doubts["down"],
        probes=len(answered),
        failures=sum(_failed(record) for record in answered),
        satisfied=satisfied,
        tolerating=sum(latency <= _TOLERATED * rules.apdex_ms for latency in served) - satisfied,
        latency=dict(histogram),
        last=slots[max(slots)],
    )


def _failed(record: ProbeRecord) -> bool:
    return record.outcome is Condition.DOWN


def _spans(slots: Slots, ends: datetime) -> list[_Span]:
    starts = sorted(slots)
    return [_span(slots[start], min([*starts[place + 1 : place + 2], ends])) for place, start in enumerate(starts)]


def _span(record: ProbeRecord, ends: datetime) -> _Span:
    end = min(record.slot + timedelta(seconds=record.every_s), ends)
    outcome = None if record.maintenance else record.outcome
    return _Span(record.slot, end, min(max(record.at, record.slot), end), outcome)


def _neighbours(spans: Sequence[_Span], new: Sequence[_Span]) -> Iterator[tuple[_Span | None, _Span | None]]:
    """Each span and the next; None on one side where nothing is adjacent."""
    previous = spans[0] if len(spans) > len(new) else None
    for span in new:
        if previous and previous.end < span.start:
            yield previous, None
            previous = None
        yield previous, span
        previous = span


def _doubt(one: _Span | None, other: _Span | None, doubts: dict[str, float]) -> None:
    """Between two probes that disagree, or beside what was not seen, nobody knows when it changed."""
    if one and other and one.side == other.side:
        return
    if one:
        doubts[one.side] += (one.end - one.at).total_seconds()
    if other:
        doubts[other.side] += (other.at - other.start).total_seconds()


def _gaps(
    times: Mapping[datetime, int], covered: datetime | None, begins: datetime, ends: datetime, every_s: int
) -> Iterator[Gap]:
    """Slots without a round. The slot that is still under way is not missed yet."""
    cursor = max(begins, covered or begins)
    for start in sorted(times):
        if start > cursor:
            yield Gap(begins=cursor, ends=start, slots=ceil((start - cursor).total_seconds() / times[start]))
        cursor = max(cursor, start + timedelta(seconds=times[start]))
    if (rest := int((ends - cursor).total_seconds() // every_s)) > 0:
        yield Gap(begins=cursor, ends=cursor + timedelta(seconds=rest * every_s), slots=rest)
