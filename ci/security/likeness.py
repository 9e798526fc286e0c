"""Telling a real answer from the page that a server shows for everything it does not know."""

from __future__ import annotations

import difflib
import re
import secrets
from dataclasses import dataclass

from ci.security.answer import Answer
from ci.security.visit import Visit, gather

ALIKE = 0.9
"""Share of the text from which on two pages are the same page."""
_COMPARED = 4_000
_CHANGING = re.compile(r"[A-Za-z0-9+/_=-]{16,}|\d+")


@dataclass(frozen=True, slots=True)
class Strangers:
    """What the server answers to paths that nobody can have made, of several kinds."""

    answers: tuple[Answer, ...]

    def explain(self, answer: Answer) -> bool:
        """Whether an answer is only what any unknown path gets."""
        return any(alike(answer, stranger) for stranger in self.answers)


def alike(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same but for ids, numbers and the path that they repeat."""
    if (one.succeeded, one.media_type) != (other.succeeded, other.media_type):
        return False
    first, second = _steady(one), _steady(other)
    return first == second or difflib.SequenceMatcher(None, first, second, autojunk=False).quick_ratio() >= ALIKE


async def meet_strangers(visit: Visit) -> Strangers:
    """Ask, once in a run, for paths like those that are looked for, but with names that nobody has."""
    if visit.known.strangers is None:
        name = f"gonogo-{secrets.token_hex(6)}"
        paths = (f"/{name}", f"/.{name}", f"/{name}/", f"/{name}.zip", f"/{name}.js.map", f"/{name}/{name}.json")
        answers = await gather(visit.ask_boldly("GET", path) for path in paths)
        visit.known.strangers = Strangers(tuple(answer for answer in answers if answer is not None))
    return visit.known.strangers


def _steady(answer: Answer) -> str:
    return _CHANGING.sub("", answer.text[:_COMPARED])
