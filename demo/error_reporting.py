"""Unexpected errors go to Sentry when SENTRY_DSN is set."""

import asyncio
import json
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from starlette.requests import Request

from . import context

_TIMEOUT_SECONDS = 2.0
_log = structlog.get_logger("demo.errors")
_under_way: set[asyncio.Task[None]] = set()


def report(request: Request, error: Exception) -> None:
    """Send the error on its way without making the client wait; the error's text stays here, it may hold secrets."""
    dsn = request.app.state.services.settings.sentry_dsn if "app" in request.scope else None
    if dsn is None:
        return
    event: dict[str, object] = {
        "event_id": uuid4().hex,
        "platform": "python",
        "level": "error",
        "transaction": request.url.path,
        "tags": {"request_id": context.of(request).request_id},
        "exception": {"values": [{"type": type(error).__name__, "value": "see the log"}]},
    }
    task = asyncio.create_task(_send(dsn.get_secret_value(), event))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)


async def _send(dsn: str, event: dict[str, object]) -> None:
    import httpx  # only when there is something to report: it would slow down every start

    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    project = parts.path.strip("/")
    lines = [{"event_id": event["event_id"]}, {"type": "event"}, event]
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            response = await client.post(
                f"{parts.scheme}://{host}/api/{project}/envelope/",
                content="\n".join(json.dumps(line) for line in lines),
                headers={
                    "content-type": "application/x-sentry-envelope",
                    "x-sentry-auth": f"Sentry sentry_version=7, sentry_key={parts.username}",
                },
            )
        response.raise_for_status()
    except httpx.HTTPError as error:
        _log.warning("error report not delivered", reason=type(error).__name__)
