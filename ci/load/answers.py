"""Telling answers apart: the application's own, failures, and those of somebody in the application's place."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from ci.load.recording import Failure
from ci.model import ErrorKind

_NO_CONNECTION = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EMFILE}
)


def failure_of_status(status: int) -> Failure:
    """A redirect counts as an answer: it is not followed, and the evidence shows it."""
    if status >= 500:
        return Failure.SERVER
    return Failure.STATUS if status >= 400 else Failure.NONE


def failure_of_error(error: BaseException) -> Failure:
    """Which kind of transport failure an exception of the HTTP client is."""
    if isinstance(error, ssl.SSLError):
        return Failure.TLS
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, OSError):
        never_open = error.errno in _NO_CONNECTION or type(error).__name__ == "gaierror"
        return Failure.CONNECT if never_open else Failure.CLOSED
    return Failure.CLOSED if type(error).__name__ == "HTTPConnectionClosed" else Failure.BROKEN


def interference(status: int, headers: Mapping[str, str], body: bytes) -> tuple[ErrorKind, str] | None:
    """Who answered in the application's place, when it was not the application itself, and what was seen.

    Vercel's firewall marks its answers with `x-vercel-mitigated`; its deployment protection redirects to
    vercel.com/sso-api or answers 401 with a page that holds a `_vercel_sso_nonce`. 429 is RFC 6585, section 4.
    """
    if mitigation := headers.get("x-vercel-mitigated"):
        return ErrorKind.CHALLENGED, f"x-vercel-mitigated: {mitigation}"
    if status < 300:
        return None
    if status == 429:
        pause = headers.get("retry-after")
        return ErrorKind.RATE_LIMITED, f"429, Retry-After: {pause}" if pause else "429"
    to = urlsplit(headers.get("location") or "")
    if status < 400 and to.hostname == "vercel.com" and to.path.startswith("/sso-api"):
        return ErrorKind.LOGIN_WALL, f"{status} to vercel.com/sso-api"
    if status == 401 and (b"_vercel_sso_nonce" in body or "_vercel_sso_nonce" in (headers.get("set-cookie") or "")):
        return ErrorKind.LOGIN_WALL, "401 with a sign-in page"
    return None
