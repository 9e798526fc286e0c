"""Reading a page's source, however broken it is."""

from __future__ import annotations

import contextlib
from html.parser import HTMLParser


def read(reader: HTMLParser, page: str) -> None:
    """Let the reader have the page as far as it can be read, as browsers do."""
    with contextlib.suppress(AssertionError, ValueError):  # markup declarations that the parser gives up on
        reader.feed(page)
        reader.close()
