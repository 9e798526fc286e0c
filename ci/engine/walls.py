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


def shows_wall(response: httpx.Response, body: bytes) -> bool:
    """Whether it is Vercel's deployment protection. `body` is as it came: the response itself stays unread."""
    page = httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))
    return "_vercel_sso_nonce" in response.headers.get("set-cookie", "") or b"_vercel_sso_nonce" in page.read()
