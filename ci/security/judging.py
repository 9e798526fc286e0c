"""The words that all judgements share: what was seen, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

from ci.engine.check import finding
from ci.model import CheckSpec, Evidence, Finding, Location, Severity
from ci.security.answer import Answer

Judged = Iterator[Evidence | Finding]

_VALUE_LIMIT = 160


def seen(answer: Answer, what: str) -> Evidence:
    """Something in order."""
    return Evidence(summary=f"{answer.url} → {answer.status}: {what[:_VALUE_LIMIT]}")


def wrong(
    spec: CheckSpec, answer: Answer, message: str, *, key: str = "", severity: Severity | None = None, shows: str = ""
) -> Finding:
    """Something wrong with an answer, whose head is shown unless there is something better to show."""
    proof = Evidence(summary=str(answer), excerpt=shows or answer.head)
    return finding(spec, message, at=Location(url=answer.url), evidence=(proof,), key=key, severity=severity)


def said(header: str, value: str | None) -> str:
    """What a header says, in words."""
    return f"no {header} header" if value is None else f"`{header}: {value[:_VALUE_LIMIT]}`"
