"""Tables and the connection to them: SQLite in memory by default, PostgreSQL by ``DATABASE_URL``."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    create_engine,
    func,
    make_url,
    text,
)
from sqlalchemy.pool import QueuePool

metadata = MetaData()
_SCHEMA_LOCK = 7_230_451  # any constant: names the advisory lock under which two starting processes take turns

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("tier", String(20), nullable=False),
    Column("password_hash", Text, nullable=False),
)

# A session is also the family of its refresh tokens: ending it ends them and every access token that names it.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("cookie_hash", String(64), nullable=False, unique=True),
    Column("csrf_token", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("used_at", BigInteger),
)

error_logs = Table(
    "error_logs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message", Text, nullable=False),
    Column("stack", Text),
    Column("source", Text),
    Column("severity", Text),
    Column("timestamp", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("metadata", JSON),
    Index("error_logs_by_time", "timestamp"),
)

billing_events = Table(
    "billing_events",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("type", String(100), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

backups = Table(
    "backups",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)


def connect(database_url: str) -> Engine:
    """An engine for ``database_url`` whose tables exist."""
    url = make_url(database_url)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
        _prefer_jsonb()
    # Statements may appear in the logs with an error, what users have entered must not.
    engine = create_engine(url, hide_parameters=True, **_options(url.get_backend_name(), url.database))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        metadata.create_all(connection)
    return engine


def _prefer_jsonb() -> None:
    from sqlalchemy.dialects.postgresql import JSONB  # only where it is needed: it would slow down every start

    error_logs.c.metadata.type = JSONB()


def is_up(engine: Engine) -> bool:
    """Whether the database answers a query."""
    with engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar_one() == 1)


def _options(backend: str, database: str | None) -> dict[str, Any]:
    if backend != "sqlite":
        limits = {"connect_timeout": 3, "tcp_user_timeout": 3000}  # seconds, milliseconds
        return {"pool_pre_ping": True, "pool_timeout": 5, "connect_args": limits}
    if database in (None, "", ":memory:"):
        # One connection is the database: threads take turns at it.
        in_memory = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 5}
        return {**in_memory, "connect_args": {"check_same_thread": False}}
    return {"pool_timeout": 5, "connect_args": {"timeout": 5}}
