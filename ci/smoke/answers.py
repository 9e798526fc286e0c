"""Reading answers: pure judgements that several checks share."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from ci.config.shape.smoke import Login
from ci.engine.http import origin
from ci.engine.markup import read

LOGIN_WORDS = re.compile(r"(?i)log[-_]?in|sign[-_]?in|oauth|authenticat|\b(?:auth|sso|sessions?/new)\b")
"""What the path of a page where one logs in is called."""

_STREAMED_REDIRECT = re.compile(
    r'<meta id="__next-page-redirect" http-equiv="refresh" content="\d+;url=([^"<>]{1,2000})"/?>'
)
_NOT_JSON = object()
_MESSAGES = frozenset(
    {"error", "errors", "message", "detail", "title", "code", "error_description", "non_field_errors"}
)


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


def is_page(response: httpx.Response) -> bool:
    """Whether people are to read it, or are sent on to what they are to read."""
    return response.is_redirect or media_type(response) in {"text/html", "application/xhtml+xml"}


def text_of(response: httpx.Response) -> str:
    """The beginning of the body as text, however it is encoded."""
    return response.content[:200_000].decode("utf-8", "replace")


def message(response: httpx.Response, names: Collection[str] = ()) -> object:
    """What an answer says, without what differs from request to request: ids, tokens, the `names` that were sent."""
    body = json_of(response)
    if isinstance(body, dict):
        return {key: _without(value, names) for key, value in body.items() if key in _MESSAGES}
    if is_page(response):
        return " ".join(_without(_words_of(text_of(response)), names).split())
    return None


class _Words(HTMLParser):
    """Collects what a page says to its reader."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._in_script = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if not self._in_script:
            self.said.append(data)


def _words_of(page: str) -> str:
    reader = _Words()
    read(reader, page)
    return " ".join(reader.said)


def _without(value: Any, names: Collection[str]) -> Any:
    if not isinstance(value, str):
        return value
    for name in names:
        value = value.replace(name, "")
    return re.sub(r"\d+|[\w+/=-]{24,}", "", value)


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
