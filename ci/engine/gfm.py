"""Untrusted text in GitHub's Markdown: it is shown as it is, and acts on nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ci.engine.inert import one_line, printable

LINE_LIMIT = 600
_BREAK = "\u200b"
"""A zero-width space: the one thing that keeps GitHub from making a mention or a reference of a text."""


def reference(name: str) -> str:
    """A URL as a link, written so that none of its characters can end the link; anything else as text."""
    if re.fullmatch(r"https?://[^\s<>\x00-\x1f]+", name):
        return f"<{name}>"
    return inline(name)


def inline(text: str) -> str:
    """Text that GitHub shows as it is: no markup, HTML, link, mention or reference comes of it."""
    return _escaped(one_line(text, LINE_LIMIT))


def prose(text: str) -> str:
    """A message in which words in backticks are code."""
    parts = code_parts(one_line(text, LINE_LIMIT))
    return "".join(code(part) if is_code else _escaped(part) for is_code, part in parts)


def _escaped(line: str) -> str:
    """Backslashes for what CommonMark and GitHub's extensions act on, entities for HTML."""
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"[\\`*_{}\[\]()!|~$@]|#(?=\w)|^[-+=#]|(?<=^\d)[.)]|(?<=:)/|(?<=www)\.", r"\\\g<0>", line, flags=re.I)
    line = re.sub(r"(?<=[@#])(?=\w)", _BREAK, line)
    return re.sub(r"(?i)\b(gh)(?=-\d)", rf"\1{_BREAK}", line)


def code(text: str) -> str:
    """A code span (CommonMark 6.1) that its own text cannot end; safe in a table, too."""
    line = one_line(text, LINE_LIMIT) or " "
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fenced(text: str) -> str:
    """A code block that its own text cannot end."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{printable(text)}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def code_parts(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a message, each with whether it stands in backticks."""
    for place, part in enumerate(re.split(r"`([^`\n]+)`", text)):
        if part:
            yield place % 2 == 1, part
