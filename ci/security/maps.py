"""Source maps (ECMA-426): where a script or a style sheet has its own, and how much source it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ci.engine.http import origin
from ci.security.answer import Answer, absolute

HEADERS = ("sourcemap", "x-sourcemap")
"""Headers that name a map (ECMA-426, section 11.1.1)."""
_TOLD = re.compile(rb"[#@] ?sourceMappingURL=([^\s'\"*]{1,500})")
_GUARD = re.compile(r"\)\]\}'?[^\n]{0,100}\n")
"""What may stand before the JSON, so that no script can load it (ECMA-426, section 10)."""


def addresses_of_maps(answer: Answer) -> tuple[str, ...]:
    """Where the map is said to be, by header and by comment, and where it usually is; on the same origin, each once."""
    usual = answer.url.partition("?")[0] + ".map"
    told = [answer.headers[name] for name in HEADERS if name in answer.headers]
    told += [name.decode("ascii", "replace") for name in _TOLD.findall(answer.body)[-1:]]
    named = [absolute(answer.url, name) for name in told if not name.startswith("data:")]
    return tuple(dict.fromkeys(url for url in (*named, usual) if origin(url) == origin(answer.url)))


def sources_in(answer: Answer) -> int:
    """How many files' sources a map holds. A map that is longer than what was read is known by its beginning."""
    if not answer.succeeded:
        return 0
    text = _GUARD.sub("", answer.text, count=1) if answer.text.startswith(")]}") else answer.text
    try:
        return sum(1 for _ in _held(json.loads(text)))
    except (ValueError, RecursionError):
        is_map = text.lstrip().startswith("{") and '"mappings"' in text and '"sourcesContent"' in text
        return 1 if is_map else 0


def _held(data: Any) -> Iterator[str]:
    """The sources of a map, or of the maps that an index map joins (ECMA-426, section 9)."""
    if not isinstance(data, dict):
        return
    held, sections = data.get("sourcesContent"), data.get("sections")
    yield from (source for source in held if isinstance(source, str) and source) if isinstance(held, list) else ()
    for section in sections if isinstance(sections, list) else ():
        if isinstance(section, dict):
            yield from _held(section.get("map"))
