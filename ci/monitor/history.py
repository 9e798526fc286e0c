"""The history of a monitor: what every place that keeps one can do, and opening the one that is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from ci.config.shape.monitor import History as Settings
from ci.errors import ConfigError
from ci.monitor.day import Day
from ci.monitor.facts import Delivery, ProbeRecord, Round


@dataclass(frozen=True, slots=True)
class Reading:
    """What a history told: its records in the order of their time, each once."""

    records: tuple[ProbeRecord, ...]
    corrupt: int = 0
    """Lines that could not be read; they are skipped, counted and reported."""


class History(Protocol):
    """Append-only. Safe under several rounds at once: nothing is lost, nothing is there twice."""

    async def append(self, round_: Round) -> None:
        """Write the round; when this returns it is safe from a crash. The same round again changes nothing."""

    async def read(self, since: date | None = None, until: date | None = None) -> Reading:
        """The records whose slots are on the day `since` (UTC) or later, and before the day `until`."""

    async def begins(self) -> date | None:
        """A day before which there is no record, as late as can be told cheaply; None for an empty history."""

    def telling(self) -> AbstractAsyncContextManager[None]:
        """Held while people are told: of two rounds at once in a folder one tells, and the other knows of it then."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Write down that people were told, after they were."""

    async def deliveries(self) -> tuple[Delivery, ...]:
        """Who was told of what, each once, in the order of writing."""

    async def days(self) -> tuple[Day, ...]:
        """The roll-ups that are kept, in order. A record that comes late takes those of its day and later away."""

    async def keep(self, days: Iterable[Day]) -> None:
        """Keep roll-ups of days that are over; they can always be made again from the records."""


def ordered(records: Iterable[ProbeRecord]) -> tuple[ProbeRecord, ...]:
    """By time, each once: of two lines about the same probe of the same round the first counts."""
    unique: dict[tuple[str, str, str, str], ProbeRecord] = {}
    for record in records:
        unique.setdefault(record.key, record)
    return tuple(sorted(unique.values(), key=lambda record: (record.at, record.key)))


def open_history(
    place: str | None, settings: Settings, environ: Mapping[str, str], repository: Path, *, to_read: bool = False
) -> AbstractAsyncContextManager[History]:
    """The history at `place`: a folder, `branch:NAME`, `url:VARIABLE`, or a database's URL; else what `settings` say.

    Who opens it only to read pushes nothing to a branch, not even roll-ups, and needs no permission to write a folder.
    Raises ConfigError when the place is not one, CannotRun when it cannot be reached.
    """
    place = place or settings.place
    kind, _, name = place.partition(":")
    if kind == "branch":
        from ci.monitor.branch import branch_history

        return branch_history(name, settings.remote, repository, environ, to_read=to_read)
    if kind == "url":
        if not environ.get(name):
            raise ConfigError(f"monitor.history.place is `{place}`, but the environment variable {name} is not set")
        place = environ[name]
    if place.startswith(("sqlite:", "postgres:", "postgresql:", "postgresql+")):
        from ci.monitor.sql import sql_history

        return sql_history(place)
    if "://" in place:
        raise ConfigError(
            f"a history cannot be kept at a {kind}: URL; give a folder, branch:NAME, sqlite: or postgresql:"
        )
    from ci.monitor.folder import folder_history

    return folder_history(Path(place), to_read=to_read)
