"""A history in a database, for teams that outgrow files: SQLite or PostgreSQL, through SQLAlchemy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from datetime import date
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ci.errors import CannotRun, ConfigError
from ci.model import ErrorKind
from ci.monitor.day import Day
from ci.monitor.facts import Delivery, ProbeRecord, Round
from ci.monitor.history import Reading, ordered

TIMEOUT_S = 30
_SETUP_LOCK = 0x676F6E6F
"""Key of the advisory lock under which tables are made: two rounds may be the first at once."""

_metadata = sa.MetaData()
_probes = sa.Table(
    "gonogo_probes",
    _metadata,
    sa.Column("round_id", sa.String, primary_key=True),
    sa.Column("environment", sa.String, primary_key=True),
    sa.Column("target", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("day", sa.String, nullable=False, index=True),
    sa.Column("line", sa.Text, nullable=False),
)
_deliveries = sa.Table(
    "gonogo_deliveries",
    _metadata,
    sa.Column("incident", sa.String, primary_key=True),
    sa.Column("event", sa.String, primary_key=True),
    sa.Column("channel", sa.String, primary_key=True),
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
)
_days = sa.Table(
    "gonogo_days",
    _metadata,
    sa.Column("day", sa.String, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
)


@asynccontextmanager
async def sql_history(url: str) -> AsyncIterator[SqlHistory]:
    """The history in this database, whose tables are made when they are not there."""
    engine = _engine(url)
    try:
        with _explained(), engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SETUP_LOCK)))
            _metadata.create_all(connection)
        yield SqlHistory(engine)
    finally:
        engine.dispose()


class SqlHistory:
    """See `ci.monitor.history.History`. A round is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._insert: Any = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}[engine.dialect.name]

    async def append(self, round_: Round) -> None:
        day = round_.slot.date().isoformat()
        names = ("round_id", "environment", "target", "kind")
        rows = [{**dict(zip(names, r.key, strict=True)), "day": day, "line": r.line()} for r in round_.records]
        with _explained(), self._engine.begin() as connection:
            self._add(connection, _probes, rows)
            connection.execute(sa.delete(_days).where(_days.c.day >= day))

    async def read(self, since: date | None = None, until: date | None = None) -> Reading:
        wanted = sa.select(_probes.c.line)
        if since:
            wanted = wanted.where(_probes.c.day >= since.isoformat())
        if until:
            wanted = wanted.where(_probes.c.day < until.isoformat())
        with _explained(), self._engine.connect() as connection:
            lines = connection.execute(wanted).scalars().all()
        records, corrupt = [], 0
        for line in lines:
            try:
                records.append(ProbeRecord.model_validate_json(line))
            except ValidationError:
                corrupt += 1
        return Reading(ordered(records), corrupt)

    async def begins(self) -> date | None:
        with _explained(), self._engine.connect() as connection:
            first = connection.execute(sa.select(sa.func.min(_probes.c.day))).scalar()
        return date.fromisoformat(first) if first else None

    def telling(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        names = ("incident", "event", "channel", "digest")
        rows = [{**dict(zip(names, d.key, strict=True)), "at": d.at.isoformat(), "line": d.line()} for d in deliveries]
        with _explained(), self._engine.begin() as connection:
            self._add(connection, _deliveries, rows)

    async def deliveries(self) -> tuple[Delivery, ...]:
        with _explained(), self._engine.connect() as connection:
            lines = connection.execute(sa.select(_deliveries.c.line).order_by(_deliveries.c.at)).scalars().all()
        return tuple(Delivery.model_validate_json(line) for line in lines)

    async def days(self) -> tuple[Day, ...]:
        with _explained(), self._engine.connect() as connection:
            contents = connection.execute(sa.select(_days.c.content).order_by(_days.c.day)).scalars().all()
        found = []
        for content in contents:
            try:
                found.append(Day.model_validate_json(content))
            except ValidationError:
                break  # it and all that follow from it are made again
        return tuple(found)

    async def keep(self, days: Iterable[Day]) -> None:
        rows = [{"day": d.day.isoformat(), "content": d.model_dump_json(exclude_defaults=True)} for d in days]
        if not rows:
            return
        statement = self._insert(_days)
        statement = statement.on_conflict_do_update(
            index_elements=["day"], set_={"content": statement.excluded.content}
        )
        with _explained(), self._engine.begin() as connection:
            connection.execute(statement, rows)

    def _add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            connection.execute(self._insert(table).on_conflict_do_nothing(), rows)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise ConfigError("the history's database URL cannot be read; write postgresql://… or sqlite:///…") from error
    if parsed.get_backend_name() not in {"postgres", "postgresql"}:
        return sa.create_engine(parsed, connect_args={"timeout": TIMEOUT_S})
    # No prepared statements, and time-outs by transaction: both pass through a connection pooler.
    settings = {"connect_timeout": TIMEOUT_S, "prepare_threshold": None}
    engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg"), connect_args=settings)

    @sa.event.listens_for(engine, "begin")
    def bounded(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{TIMEOUT_S}s'")

    return engine


@contextmanager
def _explained() -> Iterator[None]:
    """What a database can cause is said without its URL, which holds a password."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise CannotRun(
            ErrorKind.UNREACHABLE, f"the history's database does not do what it is asked: {cause}; is it up, and ours?"
        ) from error
