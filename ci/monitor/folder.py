"""A history in a folder: a file of JSON lines for each month (UTC), one for what people were told, and the roll-ups.

    probes-2026-11.jsonl  deliveries.jsonl  days/2026-11-20.json

Lines are added in one write, under a lock, and flushed to the disk. A crash can leave one line torn: the next write
begins on a line of its own, so that nothing else is lost with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

from pydantic import ValidationError

from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.day import Day
from ci.monitor.facts import Delivery, ProbeRecord, Round
from ci.monitor.history import Reading, ordered

LOCK_TIMEOUT_S = 30.0
_LOCK_POLL_S = 0.02
_TAIL = 1 << 20
"""Bytes at the end of a file in which a round is looked for before it is written."""
DELIVERIES = "deliveries.jsonl"
LOCK = ".lock"
TELLING = ".telling"
TELLING_TIMEOUT_S = 90.0
"""Longer than one round may tell (`ci.monitor.alerts.CHANNEL_S`)."""


@asynccontextmanager
async def folder_history(folder: Path, *, to_read: bool = False) -> AsyncIterator[FolderHistory]:
    """The history in this folder, which is made when there is none. Raises CannotRun when it cannot be written.

    Who opens it only `to_read` needs no permission to write, and leaves nothing where there is no history.
    """
    if not to_read:
        try:
            (folder / "days").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
    yield FolderHistory(folder, to_read=to_read)


class FolderHistory:
    """See `ci.monitor.history.History`."""

    def __init__(self, folder: Path, *, to_read: bool = False) -> None:
        self.folder = folder
        self._to_read = to_read

    async def append(self, round_: Round) -> None:
        path = self.folder / month_file(round_.slot.date())
        async with self._locked():
            known = _keys_in_tail(path, round_.id)
            self._write(path, [record.line() for record in round_.records if record.key not in known])
            for late in self._day_files():
                if late.stem >= round_.slot.date().isoformat():
                    late.unlink(missing_ok=True)

    async def read(self, since: date | None = None, until: date | None = None) -> Reading:
        since, until = since or date.min, until or date.max
        records: list[ProbeRecord] = []
        corrupt = 0
        async with self._locked():
            for path in self._month_files():
                if not month_file(since) <= path.name <= month_file(until - timedelta(days=1)):
                    continue
                for line in _lines(path):
                    try:
                        record = ProbeRecord.model_validate_json(line)
                    except ValidationError:
                        corrupt += 1
                        continue
                    if since <= record.slot.date() < until:
                        records.append(record)
        return Reading(ordered(records), corrupt)

    async def begins(self) -> date | None:
        months = (path.stem.removeprefix("probes-") for path in self._month_files())
        return next((date.fromisoformat(f"{month}-01") for month in months), None)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        handle = os.open(self.folder / TELLING, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with contextlib.suppress(TimeoutError):  # rather told twice than not at all
                async with asyncio.timeout(TELLING_TIMEOUT_S):
                    while not _try_lock(handle):  # noqa: ASYNC110 - no event tells of another process
                        await asyncio.sleep(_LOCK_POLL_S)
            yield
        finally:
            os.close(handle)

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        path = self.folder / DELIVERIES
        async with self._locked():
            known = {delivery.key for delivery in _deliveries(path)}
            self._write(path, [delivery.line() for delivery in deliveries if delivery.key not in known])

    async def deliveries(self) -> tuple[Delivery, ...]:
        async with self._locked():
            unique: dict[object, Delivery] = {}
            for delivery in _deliveries(self.folder / DELIVERIES):
                unique.setdefault(delivery.key, delivery)
        return tuple(unique.values())

    async def days(self) -> tuple[Day, ...]:
        found = []
        async with self._locked():
            for path in self._day_files():
                try:
                    found.append(Day.model_validate_json(path.read_bytes()))
                except (ValidationError, OSError):
                    break  # it and all that follow from it are made again
        return tuple(found)

    async def keep(self, days: Iterable[Day]) -> None:
        async with self._locked():
            for day in days:
                path = self.folder / "days" / f"{day.day.isoformat()}.json"
                temporary = path.with_suffix(".new")
                try:
                    temporary.write_text(day.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")
                    temporary.replace(path)
                except OSError as error:
                    raise _unwritable(path, error) from error

    def _month_files(self) -> list[Path]:
        return sorted(self.folder.glob("probes-[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"))

    def _day_files(self) -> list[Path]:
        return sorted((self.folder / "days").glob("*.json"))

    def _write(self, path: Path, lines: Sequence[str]) -> None:
        """Add the lines, whole and on the disk when this returns."""
        if not lines:
            return
        try:
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(handle).st_size
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                content = ("\n" * torn + "".join(lines)).encode()
                if os.write(handle, content) != len(content):
                    os.ftruncate(handle, size)
                    raise OSError("the disk is full")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _unwritable(path, error) from error

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """One at a time; the system takes the lock back from whoever dies."""
        try:
            handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            if not self._to_read:
                raise _unwritable(self.folder, error) from error
            yield  # where nobody can take the lock, nobody writes; a line that is torn all the same is counted
            return
        try:
            try:
                async with asyncio.timeout(LOCK_TIMEOUT_S):
                    while not _try_lock(handle):  # noqa: ASYNC110 - no event tells of another process
                        await asyncio.sleep(_LOCK_POLL_S)
            except TimeoutError:
                raise CannotRun(
                    ErrorKind.TIMEOUT,
                    f"{self.folder / LOCK} is held by another program for {LOCK_TIMEOUT_S:g} s now; end it, and retry",
                ) from None
            yield
        finally:
            os.close(handle)


def month_file(day: date) -> str:
    """The name of the file that holds the records of that day."""
    return f"probes-{day:%Y-%m}.jsonl"


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{path} cannot be read: {error.strerror}") from error


def _keys_in_tail(path: Path, round_id: str) -> set[tuple[str, str, str, str]]:
    """Which records of the round are there already: a push whose answer was lost is made again."""
    if not path.exists():
        return set()
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().split(b"\n")
    keys = set()
    for line in lines:
        if round_id.encode() in line:
            try:
                keys.add(ProbeRecord.model_validate_json(line).key)
            except ValidationError:
                continue
    return keys


def _deliveries(path: Path) -> Iterator[Delivery]:
    """A torn line is skipped: then somebody may be told twice, rather than not at all."""
    for line in _lines(path):
        try:
            yield Delivery.model_validate_json(line)
        except ValidationError:
            continue


def _unwritable(path: Path, error: OSError) -> CannotRun:
    return CannotRun(
        ErrorKind.MISCONFIGURED,
        f"the history {path} cannot be written: {error.strerror or error}; give another place with --history",
    )
