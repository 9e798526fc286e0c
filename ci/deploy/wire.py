"""Reading what comes over the wire, and writing what goes into a path."""

from __future__ import annotations

import email.utils
import time
from typing import TypeVar
from urllib.parse import quote

import httpx
import pydantic

from ci.deploy.answers import Answer
from ci.deploy.failures import Unreadable
from ci.model import ErrorKind

A = TypeVar("A", bound=Answer)


def retry_after(headers: httpx.Headers, now: float | None = None) -> float | None:
    """Seconds to wait by `Retry-After`, which holds seconds or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, moment.timestamp() - (time.time() if now is None else now))


def error_of(response: httpx.Response) -> tuple[str, str]:
    """Code and message of `{"error": {…}}`, `{"err": {…}}` or a bare body."""
    try:
        body = response.json()
    except ValueError:
        return "no-json", response.reason_phrase
    if not isinstance(body, dict):
        return "no-object", response.reason_phrase
    error = body.get("error") or body.get("err") or body
    if isinstance(error, dict):
        return str(error.get("code", "unknown")), str(error.get("message", ""))
    return "unknown", str(error)


def parsed(kind: type[A], response: httpx.Response, operation: str) -> A:
    try:
        return kind.model_validate_json(response.content)
    except pydantic.ValidationError as error:
        places = ", ".join(".".join(map(str, e["loc"])) or e["type"] for e in error.errors()[:3])
        raise Unreadable(operation, f"the answer has another shape ({places})", ErrorKind.BAD_OUTPUT) from None


def segment(text: str) -> str:
    """One segment of a path: an id from outside must not lead to another operation."""
    bare = text.removeprefix("https://")
    return quote(bare, safe="") if bare.strip(".") else "-"


def words(error: httpx.HTTPError) -> str:
    """What the transport says; its exceptions are often empty."""
    return str(error) or type(error).__name__
