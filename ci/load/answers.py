"""Telling answers apart: the application's own, failures, and those of somebody in the application's place."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from ci.load.plan import Endpoint
from ci.load.recording import Failure
from ci.model import ErrorKind

_NO_CONNECTION = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EMFILE}
)


def failure_of_answer(status: int, body: bytes, endpoint: Endpoint) -> Failure:
    """What is wrong with an answer that came whole: without a word of the scenario's, anything but a 2xx."""
    if status != (endpoint.status or status) or (endpoint.status is None and status >= 300):
        return _failure_of_status(status)
    lacks = endpoint.contains is not None and endpoint.contains.encode() not in body
    return Failure.WRONG if lacks else Failure.NONE


def _failure_of_status(status: int) -> Failure:
    if status >= 500:
        return Failure.SERVER
    if status >= 400:
        return Failure.STATUS
    return Failure.REDIRECT if status >= 300 else Failure.WRONG


def in_words(failure: Failure, status: int, location: str | None = None) -> str:
    """What came in the place of the answer that is wanted."""
    if location and failure is Failure.REDIRECT:
        to = urlsplit(location)
        # What stands before the host and after the path may be a secret.
        shown = to._replace(netloc=to.netloc.rpartition("@")[2], query="", fragment="").geturl()
        return f"answered {status} to {shown}"
    return f"answered {status}" + (", but not as load.scenarios wants it" if failure is Failure.WRONG else "")


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
