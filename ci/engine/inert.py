"""Making text of a hostile target inert before a person, a terminal or a log reader gets it."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, ESC among them
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # turn the reading direction, or break the line
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates and non-characters: XML 1.0 refuses most of them
    "]"
)
_CONTROL_PICTURES = 0x2400


def printable(text: str) -> str:
    """The text with every character that acts instead of being seen replaced by a visible one.

    Line feeds and tabs stay. What comes out is valid in XML 1.0 and moves no terminal's cursor.
    """
    return _UNPRINTABLE.sub(_picture, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int | None = None) -> str:
    """The printable text on a single line, cut at `limit` characters with a mark."""
    line = " ".join(printable(text).split())
    if limit is not None and len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line


def log_line(text: str, limit: int | None = None) -> str:
    """One line that a CI system takes for text: GitHub's runner obeys `::command::` and `##[command]`."""
    return re.sub("^::", ": :", one_line(text, limit)).replace("##[", "# #[")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "␡" if code == 0x7F else "\ufffd"
