"""What answers in an application's place: gateways that send strangers to a login of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

_LOGIN_ELSEWHERE = re.compile(
    r"(?i)^(?:[\w-]+\.cloudflareaccess\.com|login\.microsoftonline\.com|accounts\.google\.com|[\w-]+\.okta\.com"
    r"|[\w.-]+\.auth0\.com|iap\.googleapis\.com)/"
)
"""Where gateways send everybody whom they do not know."""


def login_elsewhere(location: str | None) -> str | None:
    """The host of a gateway's login that a redirect leads to, or None."""
    there = urlsplit(location or "")
    return there.hostname if _LOGIN_ELSEWHERE.search(f"{there.hostname}{there.path}") else None


def password_wanted(status: int, headers: Mapping[str, str]) -> str | None:
    """The challenge by which a server, not the application's own page, asks for a password (RFC 9110, 11.6.1)."""
    return headers.get("www-authenticate", "")[:60] or None if status == 401 else None


def may_be_wall(response: httpx.Response) -> bool:
    """Whether a page answers in place of what was asked for, so that it is worth reading."""
    return response.status_code == 401 and "html" in response.headers.get("content-type", "")


def page_of(response: httpx.Response, body: bytes) -> str:
    """The text of a body as it came; the response itself stays unread."""
    return (
        httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))
        .read()
        .decode(errors="replace")
    )


def shows_wall(set_cookie: str, page: str) -> bool:
    """Whether an answer 401 is the page of Vercel Authentication, or of Vercel's Password Protection."""
    return "_vercel_sso_nonce" in set_cookie or any(sign in page for sign in ("_vercel_sso_nonce", "_vercel_password"))
