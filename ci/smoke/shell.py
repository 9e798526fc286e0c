"""The shell of a single-page application: the one page that its host gives for every path, and that holds no data."""

from __future__ import annotations

import re

import httpx

from ci.smoke.answers import media_type, text_of
from ci.smoke.target import Target, unlikely_path

MOST_TEXT = 120
"""Characters of visible text up to which a page is a shell: `Loading…`, a name, a slogan."""

_NONCE = re.compile(r"(?i)\bnonce=(\"[^\"]*\"|'[^']*'|[^\s>]+)")
_UNSEEN = re.compile(r"(?is)<(script|style|noscript|template|head|svg)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>")
_SCRIPT = re.compile(r"(?i)<script\b[^>]*\bsrc\s*=")


def shell_of(target: Target) -> httpx.Response | None:
    """What the target answers to a path that nobody made, when that is its start page without any content; or None."""
    unknown = target.get(unlikely_path())
    if not unknown.is_success or not same_page(unknown, target.get("/")):
        return None
    text = text_of(unknown)
    visible = " ".join(_UNSEEN.sub(" ", text).split())
    return unknown if _SCRIPT.search(text) and len(visible) <= MOST_TEXT else None


def same_page(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two successful answers are the same HTML, but for nonces and for the path that was asked for."""
    if not (one.is_success and other.is_success and "html" in media_type(one) and "html" in media_type(other)):
        return False
    return _steady(one) == _steady(other)


def _steady(page: httpx.Response) -> str:
    path = page.request.url.path
    text = text_of(page)
    return _NONCE.sub("nonce", text.replace(path, "") if len(path) > 1 else text)
