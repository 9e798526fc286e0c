"""The kinds of values that stand in `gonogo.yaml`, and the base of its sections."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())):
        try:
            return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
        except OverflowError:
            raise ValueError(f"{value!r} is longer than anything that can be waited for") from None
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is not a duration: write a number and a unit, as in 500ms, 30s, 10m, 1h or 30d")


def spelled(value: timedelta) -> str:
    """The duration as one would write it, in the largest unit that leaves a whole number."""
    for unit in ("d", "h", "m", "s"):
        if value % timedelta(seconds=_UNITS[unit]) == timedelta(0):
            return f"{value // timedelta(seconds=_UNITS[unit])}{unit}"
    return f"{value / timedelta(milliseconds=1):g}ms"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration must be longer than nothing")
    return value


def url(value: str) -> str:
    """An address of the web that a client can ask. Raises ValueError when it is none."""
    problem = f"{value!r} is not a URL: write it with its scheme, as in https://app.example.com"
    try:
        parts = urlsplit(value)
        resolvable = bool(parts.hostname and parts.hostname.encode("idna"))
        known = parts.port is None or parts.port > 0
    except ValueError as error:  # UnicodeError is one, too: a label of the name is empty or too long
        raise ValueError(f"{problem} ({error})") from None
    if parts.scheme not in {"http", "https"} or not (resolvable and known) or re.search(r"[\x00-\x20\x7f]", value):
        raise ValueError(problem)
    return value


def site(value: str) -> str:
    """A URL without a trailing slash. Raises ValueError when it is none, or holds credentials."""
    parts = urlsplit(url(value))
    if parts.username or parts.password:
        raise ValueError("a URL here must not hold a user name or password")
    return value.rstrip("/")


def _host(value: str) -> str:
    url(f"https://{value}")
    return value


def place(value: str) -> str:
    """A site below which paths are asked for. Raises ValueError when something follows its path."""
    made = site(value)
    if any(mark in made for mark in "?#"):
        raise ValueError(f"{value!r} must end with its host or path: leave out what follows a `?` or `#`")
    return made


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError(f"{value!r} is not a path on the target: it must begin with one slash")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
        # The value itself is not repeated: it may be the secret that somebody pasted here.
        raise ValueError("this must be the NAME of an environment variable, as in SMOKE_PASSWORD, not a secret itself")
    return value


_DURATION_SCHEMA = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)$", "examples": ["30s", "10m", "1h"]}


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    AfterValidator(_positive),
    PlainSerializer(spelled, return_type=str, when_used="json"),
    Field(json_schema_extra=_DURATION_SCHEMA),
]


Site = Annotated[str, AfterValidator(site), Field(json_schema_extra={"format": "uri"})]


Url = Annotated[str, Field(pattern="^https?://"), AfterValidator(url)]


Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$"), AfterValidator(_host)]


Place = Annotated[str, AfterValidator(place), Field(json_schema_extra={"format": "uri"})]


Path = Annotated[str, AfterValidator(_path), Field(json_schema_extra={"pattern": "^/"})]


Variable = Annotated[str, AfterValidator(_variable), Field(json_schema_extra={"pattern": "^[A-Z_][A-Z0-9_]*$"})]


Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
