"""Records for tests: one line for what one probe saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ci.monitor.facts import Condition, Kind, ProbeRecord, Round
from ci.monitor.rollup import slot_of

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
WORDS = {"u": Condition.UP, "g": Condition.DEGRADED, "d": Condition.DOWN, "?": Condition.UNKNOWN}


def minute(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def record(word: str, at: datetime, *, every_s: int = 900, **changes: object) -> ProbeRecord:
    """What a probe of the home page saw: `u`p, de`g`raded, `d`own, `?` unknown."""
    fields: dict[str, object] = {
        "round_id": f"{at:%d%H%M%S.%f}",
        "slot": slot_of(at, every_s),
        "every_s": every_s,
        "at": at,
        "environment": "production",
        "target": "home",
        "kind": Kind.PAGE,
        "outcome": WORDS[word],
        "latency_ms": None if word == "?" else 100.0,
        "detail": f"seen {word}",
    }
    return ProbeRecord.model_validate({**fields, **changes})


def round_record(at: datetime, *, blind: bool = False, every_s: int = 900, **changes: object) -> ProbeRecord:
    """The record of the round itself."""
    own = {"environment": "", "target": "round", "kind": Kind.MONITOR, "latency_ms": None, "detail": "told"}
    return record("?" if blind else "u", at, every_s=every_s, **{**own, **changes})


def story(words: str, *, every_s: int = 900, begin: datetime = BEGIN, **changes: object) -> list[ProbeRecord]:
    """One probe of the home page in each slot; `-` is a missed round, `b` a blind one, `m` one down in maintenance."""
    told: list[ProbeRecord] = []
    for number, word in enumerate(words):
        at = begin + timedelta(seconds=number * every_s + every_s / 2)
        if word == "-":
            continue
        told.append(round_record(at, blind=word == "b", every_s=every_s))
        more = {"maintenance": "announced"} if word == "m" else {}
        told.append(record({"b": "?", "m": "d"}.get(word, word), at, every_s=every_s, **{**changes, **more}))
    return told


def a_round(number: int, *, words: str = "uud", at: datetime | None = None, run: str = "run") -> Round:
    """A round with one record for each letter."""
    at = at or minute(15 * number + 7)
    identity = {"round_id": f"{number}.{run}"}
    records = [record(word, at, target=f"page {place}", **identity) for place, word in enumerate(words)]
    return Round(
        id=f"{number}.{run}",
        slot=slot_of(at, 900),
        every_s=900,
        started_at=at,
        finished_at=at,
        records=(round_record(at, **identity), *records),
    )
