"""What the detailed health endpoint tells strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ci.engine.check import check
from ci.engine.internals import addresses, internals
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.secret_patterns import masked, secrets_in, server_keys_in
from ci.security.visit import Visit, gather

_CONNECTION = re.compile(r"(?i)\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|rediss?|amqps?)://")
_TELLING = re.compile(
    r"(?i)^(?:env|environ|environment_variables|config|settings|secrets?|password|connection_?string|dsn|hostname"
    r"|database_url|redis_url|stack|stacktrace|traceback|exception|cwd|argv|pid|ip|sql|query)$"
)
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Health:
    """What strangers are told of the application's health."""

    answers: tuple[Answer, ...]


async def ask_for_health(visit: Visit) -> Health:
    """Ask the configured endpoints as a stranger."""
    health = visit.run.config.smoke.health
    if health is None:
        raise NotApplicable("no health endpoint is configured: write smoke.health, and its `detailed` path")
    paths = [health.path, *([health.detailed] if health.detailed else [])]
    return Health(await gather(visit.get(path) for path in paths))


@check(
    CheckSpec(
        id="security/health-details",
        title="Health answers do not tell strangers about the inside",
        severity=Severity.MEDIUM,
        why="Host names, connection strings, settings and error texts of services are a plan of the house.",
        remediation="Tell strangers the state of each service and no more; keep the rest for the log or for a login.",
        references=("CWE-200", "CWE-497", "OWASP ASVS 13.4.6"),
    )
)
def health_details(health: Health) -> Judged:
    for answer in health.answers:
        told = list(dict.fromkeys(_leaks(answer)))
        for what in told:
            yield wrong(health_details.spec, answer, f"{answer.url} tells strangers {what}", key=what, shows=" ")
        if not told:
            yield seen(answer, "states alone")


def _leaks(answer: Answer) -> Iterator[str]:
    text = answer.text
    if what := internals(text):
        yield what
    if _CONNECTION.search(text):
        yield "how a service is connected"
    for address in addresses(text):
        yield f"the internal address {address}"
    for found in (*secrets_in(text), *server_keys_in(text)):
        yield f"{found.what} ({found.masked})"
    for name, value in _fields(answer.json):
        if _TELLING.search(name) and value not in (None, "", False, [], {}):
            yield f"`{name}` ({masked(str(value)) if isinstance(value, str) else type(value).__name__})"


def _fields(data: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > DEEPEST:
        return
    if isinstance(data, dict):
        for name, value in data.items():
            yield str(name), value
            yield from _fields(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            yield from _fields(value, depth + 1)
