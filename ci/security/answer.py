"""One answer of the target, as the security checks judge it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

EXCERPT = 400
"""Characters of a body that are shown as evidence."""
UNUSABLE = "about:invalid"
"""Stands for an address that cannot be read."""


def absolute(base: str, address: str) -> str:
    """The address as seen from `base`; UNUSABLE when it is none."""
    try:
        joined = urljoin(base, address.strip())
        _ = urlsplit(joined).port  # raises ValueError, as the joining does
    except ValueError:
        return UNUSABLE
    return joined


@dataclass(frozen=True, slots=True)
class Answer:
    """Head and (the beginning of) the body of one answer."""

    url: str
    status: int
    headers: httpx.Headers
    media_type: str
    method: str = "GET"
    body: bytes = b""

    @property
    def is_page(self) -> bool:
        return self.media_type in {"text/html", "application/xhtml+xml"}

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https://")

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        """Whether the server broke down over the request."""
        return self.status >= 500

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The parsed body, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def location(self) -> str | None:
        """Where a redirect leads as a browser reads it: backslashes are slashes, tabs and line feeds are nothing.

        WHATWG URL, section 4.4.
        """
        value: str | None = self.headers.get("location")
        if value is None or not 300 <= self.status < 400:
            return None
        for ignored in "\t\r\n":
            value = value.replace(ignored, "")
        return absolute(self.url, value.replace("\\", "/"))

    @property
    def excerpt(self) -> str:
        return self.text[:EXCERPT]

    @property
    def head(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.headers.multi_items())

    def __str__(self) -> str:
        return f"{self.method} {self.url} → {self.status}"
