"""How much of a free tier is used: told before it is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ci.config.shape.monitor import ActionsQuota, DatabaseQuota, SentryQuota
from ci.engine.redaction import in_a_header
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.facts import Condition, Kind, Series
from ci.monitor.probing.probe import Eyes, Seen

GITHUB_API = "https://api.github.com"


async def look_at_database(eyes: Eyes, quota: DatabaseQuota, warn_at: float) -> Sequence[Seen]:
    """The size of the database, by PostgreSQL's own word."""
    import psycopg

    url = _secret(eyes.environ, quota.url)
    try:
        async with asyncio.timeout(eyes.timeout_s):
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=max(2, int(eyes.timeout_s)))
            async with connection:
                row = await (await connection.execute("SELECT pg_database_size(current_database())")).fetchone()
    except (psycopg.Error, TimeoutError) as error:
        told = str(error).splitlines()[0] if str(error) else f"no answer within {eyes.timeout_s:g} s"
        raise CannotRun(ErrorKind.UNREACHABLE, f"the database of {quota.url} does not tell its size: {told}") from None
    assert row
    return [_judged("database size", row[0] / 1e6, quota.limit_mb, "MB", warn_at)]


async def look_at_sentry(eyes: Eyes, quota: SentryQuota, warn_at: float) -> Sequence[Seen]:
    """Errors that Sentry has accepted this month."""
    now = datetime.now(UTC)
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    question = {
        "field": "sum(quantity)",
        "groupBy": "outcome",
        "category": "error",
        "outcome": "accepted",
        "interval": "1d",
        "start": begin.strftime("%Y-%m-%dT%H:%M:%S"),
        "end": now.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    url = f"{quota.url}/api/0/organizations/{quota.organization}/stats_v2/"
    data = await _asked(eyes, url, question, _secret(eyes.environ, quota.token))
    try:
        used = sum(float(group["totals"]["sum(quantity)"]) for group in data["groups"])
    except (LookupError, TypeError, ValueError):
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} does not tell how many errors were accepted") from None
    return [_judged("Sentry errors this month", used, quota.limit, "", warn_at)]


async def look_at_actions(eyes: Eyes, quota: ActionsQuota, warn_at: float) -> Sequence[Seen]:
    """Minutes that GitHub Actions has charged this month (REST: billing usage)."""
    now = datetime.now(UTC)
    api = eyes.environ.get("GITHUB_API_URL") or GITHUB_API
    kind = "organizations" if quota.organization else "users"
    url = f"{api}/{kind}/{quota.owner}/settings/billing/usage"
    question = {"year": str(now.year), "month": str(now.month)}
    data = await _asked(eyes, url, question, _secret(eyes.environ, quota.token))
    try:
        items = [item for item in data["usageItems"] if str(item["product"]).lower() == "actions"]
        used = sum(float(item["quantity"]) for item in items if str(item["unitType"]).lower() == "minutes")
    except (LookupError, TypeError, ValueError):
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} does not tell how many minutes were used") from None
    return [_judged("Actions minutes this month", used, quota.limit, "min", warn_at)]


def _judged(name: str, used: float, limit: float, unit: str, warn_at: float) -> Seen:
    share = used / limit
    told = f"{used:,.0f} of {limit:,.0f} {unit}".rstrip() + f" used ({share:.0%})"
    condition = Condition.UP if share < warn_at else Condition.DEGRADED if share < 1 else Condition.DOWN
    if condition is not Condition.UP:
        told += f", wanted below {warn_at:.0%}; make room, or take a larger plan"
    return Seen(Series(environment="", target=name, kind=Kind.QUOTA), condition, told, measure=round(share, 4))


async def _asked(eyes: Eyes, url: str, question: Mapping[str, str], token: str) -> dict[str, Any]:
    async with eyes.client(url) as client:
        response = await client.get(url, params=question, headers={"authorization": f"Bearer {in_a_header(token)}"})
    if response.status_code != 200:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} answered {response.status_code}; may the token read it?")
    try:
        data = response.json()
    except ValueError:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"{url} answered without JSON") from None
    return data if isinstance(data, dict) else {}


def _secret(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise CannotRun(ErrorKind.MISCONFIGURED, f"the environment variable {name} is not set")
