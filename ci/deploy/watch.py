"""Watching for new errors after a promotion: in Sentry, or in the application's own table of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pydantic

from ci.config.shape.deploy import Deploy, ErrorLog, Watch
from ci.deploy.context import Context
from ci.engine.http import USER_AGENT, tls_context
from ci.engine.redaction import in_a_header
from ci.model import Subject

REQUEST_S = 20.0
SHOWN = 3
"""How many of the new errors are told."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watch has seen. `trouble`: why it could not see; that says nothing about production."""

    errors: tuple[str, ...] = ()
    trouble: str | None = None

    def __str__(self) -> str:
        if self.trouble:
            return f"new errors could not be watched for: {self.trouble}"
        told = "; ".join(self.errors[:SHOWN])
        return f"{len(self.errors)} new errors: {told}" if self.errors else "no new errors"


Look = Callable[[], Awaitable[Watched]]


def configured(deploy: Deploy) -> Watch | ErrorLog | None:
    """Where to look for errors: Sentry when it is configured, the table otherwise."""
    return deploy.watch or deploy.error_log


def bearable(settings: Watch | ErrorLog) -> int:
    """How many new errors do not matter."""
    return settings.max_new_issues if isinstance(settings, Watch) else settings.max_new_errors


async def watch_errors(
    ctx: Context, settings: Watch | ErrorLog, environ: Mapping[str, str], subject: Subject, *, since_s: float = 0
) -> Watched:
    """Look until the time is over, or until more new errors have come than are borne.

    `since_s`: seconds since the subject began to serve; errors of that time count already.
    """
    deadline = ctx.clock() + settings.duration.total_seconds()
    opened = _sentry(settings, environ, subject) if isinstance(settings, Watch) else _table(settings, environ, since_s)
    async with opened as look:
        while True:
            seen = await look()
            left = deadline - ctx.clock()
            if len(seen.errors) > bearable(settings) or left <= 0:
                return seen
            await ctx.pause(min(left, settings.interval.total_seconds()))


# -- Sentry: "List an Organization's Issues", https://docs.sentry.io/api/events/list-an-organizations-issues/


class _Issue(pydantic.BaseModel):
    """A group of equal errors."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    title: str = ""


_ISSUES = pydantic.TypeAdapter(list[_Issue])


@asynccontextmanager
async def _sentry(settings: Watch, environ: Mapping[str, str], subject: Subject) -> AsyncIterator[Look]:
    token = environ.get(settings.token)
    if not token:
        yield _blind(f"{settings.token} is not set")
        return
    headers = {"authorization": f"Bearer {in_a_header(token)}", "user-agent": USER_AGENT}
    release = settings.release.replace("{commit}", subject.commit or "")
    query = {"query": f'project:{settings.project} firstRelease:"{release}"', "limit": "100"}
    async with httpx.AsyncClient(
        base_url=settings.url, headers=headers, timeout=REQUEST_S, verify=tls_context(environ), trust_env=False
    ) as http:

        async def look() -> Watched:
            try:
                answer = await http.get(f"/api/0/organizations/{settings.organization}/issues/", params=query)
                if answer.status_code != 200:
                    return Watched(trouble=f"Sentry answered {answer.status_code} to the question about {release}")
                return Watched(tuple(issue.title for issue in _ISSUES.validate_json(answer.content)))
            except httpx.HTTPError as error:
                return Watched(trouble=f"Sentry could not be asked: {str(error) or type(error).__name__}")
            except pydantic.ValidationError:
                return Watched(trouble="Sentry's answer is not a list of issues")

        yield look


# -- the table: error_logs(message text, severity text, timestamp timestamptz, …)


@asynccontextmanager
async def _table(settings: ErrorLog, environ: Mapping[str, str], since_s: float) -> AsyncIterator[Look]:
    url = environ.get(settings.database)
    if not url:
        yield _blind(f"{settings.database} is not set")
        return
    try:
        import psycopg
        from psycopg import sql
    except ImportError:
        yield _blind("psycopg is not installed: install the extra, gonogo[deploy]")
        return
    table = sql.SQL(".").join(map(sql.Identifier, settings.table.split(".")))
    newest = sql.SQL(
        "SELECT message FROM {} WHERE severity = ANY(%s) AND timestamp >= %s ORDER BY timestamp DESC LIMIT 1000"
    ).format(table)
    begin = None
    try:
        # The database's own clock counts: this machine's may be wrong.
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=int(REQUEST_S), autocommit=True) as db:
            await db.execute(f"SET statement_timeout = {int(REQUEST_S * 1000)}")
            row = await (await db.execute("SELECT now() - make_interval(secs => %s)", [since_s])).fetchone()
            begin = row[0] if row else None

            async def look() -> Watched:
                try:
                    rows = await (await db.execute(newest, [list(settings.severities), begin])).fetchall()
                except psycopg.Error as error:
                    return Watched(trouble=_database_trouble(settings, error))
                return Watched(tuple(str(message)[:200] for (message,) in rows))

            yield look
    except psycopg.Error as error:
        if begin is not None:
            raise
        yield _blind(_database_trouble(settings, error))


def _database_trouble(settings: ErrorLog, error: Exception) -> str:
    """Without the error's own words, which may hold the address."""
    state = getattr(error, "sqlstate", None)
    told = f"{type(error).__name__}, SQLSTATE {state}" if state else type(error).__name__
    return f"{settings.table} in the database of {settings.database} could not be read ({told})"


def _blind(why: str) -> Look:
    async def look() -> Watched:
        return Watched(trouble=why)

    return look
