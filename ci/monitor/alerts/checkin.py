"""A sign of life to Sentry's cron monitoring, which raises the alarm when it stops coming."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from ci.config import Config
from ci.engine.http import USER_AGENT, tls_context

TIMEOUT_S = 10.0


async def check_in(config: Config, environ: Mapping[str, str], *, ok: bool, duration_s: float) -> str | None:
    """Report a round: None when there is nothing to do or it was taken, or a sentence about what did not work.

    https://docs.sentry.io/product/monitors-and-alerts/monitors/crons/getting-started/http/
    """
    settings = config.monitor.alerts.check_in
    if settings is None:
        return None
    dsn = urlsplit(environ.get(settings.dsn, ""))
    project = dsn.path.rpartition("/")[2]
    if not (dsn.hostname and dsn.username and project):
        return f"Sentry is not told of the round: {settings.dsn} is not set to a DSN"
    port = f":{dsn.port}" if dsn.port else ""
    prefix = dsn.path.rpartition("/")[0]
    url = f"{dsn.scheme}://{dsn.hostname}{port}{prefix}/api/{project}/cron/{settings.monitor}/{dsn.username}/"
    body = {
        "status": "ok" if ok else "error",
        "duration": round(duration_s, 3),
        "monitor_config": {
            "schedule": {"type": "interval", "value": _minutes(config.monitor.interval), "unit": "minute"},
            "checkin_margin": settings.margin_minutes,
            "timezone": "UTC",
        },
    }
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=tls_context(environ), trust_env=False) as http:
            answer = await http.post(url, json=body, headers={"user-agent": USER_AGENT})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's own words may hold the URL, which holds the key.
        return f"Sentry could not be told of the round: {type(error).__name__} at the DSN in {settings.dsn}"
    return None if answer.is_success else f"Sentry refused to hear of the round: {answer.status_code}"


def _minutes(interval: timedelta) -> int:
    return max(1, round(interval / timedelta(minutes=1)))
