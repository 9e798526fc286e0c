"""Reading answers: pure judgements that several checks share."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from ci.config.shape.smoke import Login
from ci.engine.http import origin

LOGIN_WORDS = re.compile(r"(?i)log[-_]?in|sign[-_]?in|oauth|authenticat|\b(?:auth|sso|sessions?/new)\b")
"""What the path of a page where one logs in is called."""

_STREAMED_REDIRECT = re.compile(
    r'<meta id="__next-page-redirect" http-equiv="refresh" content="\d+;url=([^"<>]{1,2000})"/?>'
)
_NOT_JSON = object()


def json_of(response: httpx.Response) -> Any:
    """The parsed body, or None when it is not JSON."""
    value = _parsed(response)
    return None if value is _NOT_JSON else value


def is_json(response: httpx.Response) -> bool:
    """Whether the answer says that it is JSON (RFC 8259, RFC 6839), and is."""
    kind = media_type(response)
    return (kind == "application/json" or kind.endswith("+json")) and _parsed(response) is not _NOT_JSON


def media_type(response: httpx.Response) -> str:
    content_type: str = response.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()


def text_of(response: httpx.Response) -> str:
    """The beginning of the body as text, however it is encoded."""
    return response.content[:200_000].decode("utf-8", "replace")


def cache_directives(response: httpx.Response) -> dict[str, str]:
    """The directives of Cache-Control (RFC 9111, section 5.2)."""
    parts = (part.strip().partition("=") for part in response.headers.get("cache-control", "").split(","))
    return {name.lower(): value.strip('"') for name, _, value in parts if name}


def may_be_cached(response: httpx.Response, *, shared: bool = False) -> str | None:
    """Why a cache may keep this answer and give it again unasked, or None. `shared` asks about shared caches alone."""
    directives = cache_directives(response)
    if "no-store" in directives or "no-cache" in directives or (shared and "private" in directives):
        return None
    for name in ("s-maxage",) if shared and "public" not in directives else ("s-maxage", "max-age"):
        if directives.get(name, "0").isdigit() and int(directives.get(name, "0")) > 0:
            return f"`Cache-Control: {name}={directives[name]}`"
    if "immutable" in directives:
        return "`Cache-Control: immutable`"
    return None


def leads_to_login(response: httpx.Response, login: Login | None) -> bool:
    """Whether a redirect goes where one logs in: the login page, another site's sign-in, a path that says so."""
    sent_on = response.headers.get("location", "") if response.is_redirect else _streamed_redirect(response)
    if sent_on is None:
        return False
    here = str(response.url)
    there = urljoin(here, sent_on)
    path = urlsplit(there).path
    if login and login.page and path.rstrip("/") == login.page.rstrip("/"):
        return True
    return origin(there) != origin(here) or LOGIN_WORDS.search(path) is not None


def _streamed_redirect(response: httpx.Response) -> str | None:
    """Where Next.js sends a visitor on when the status of a streamed page was out already.

    Its component has thrown and shown nothing: https://nextjs.org/docs/app/api-reference/functions/redirect
    """
    if not response.is_success or "html" not in media_type(response):
        return None
    found = _STREAMED_REDIRECT.search(text_of(response))
    return html.unescape(found[1]) if found else None


def refuses(response: httpx.Response, login: Login | None) -> bool:
    """Whether the answer keeps an anonymous caller out."""
    return response.status_code in (401, 403) or leads_to_login(response, login)


def told_redirect(response: httpx.Response) -> str:
    """The status, and where a redirect leads."""
    if response.is_redirect:
        target = urlsplit(response.headers.get("location", ""))
        place = f"{target.scheme}://{target.netloc}{target.path}" if target.netloc else target.path
        return f"{response.status_code} to {place}"
    return str(response.status_code)


def _parsed(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return _NOT_JSON
