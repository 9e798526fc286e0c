"""Markup in a request: does it come back as markup, in text, in an attribute or in a script?"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import quote

from ci.engine.check import check
from ci.model import CheckSpec, Evidence, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.markup import markup_of
from ci.security.surface import fetch_surface
from ci.security.visit import Visit, gather

SCRIPT = "javascript:"
PARAMETERS = ("q", "search", "error", "message", "next")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page that was sent markup, and what came of it."""

    url: str
    answer: Answer | None
    """None when the server broke the connection, which is a refusal as well."""


@dataclass(frozen=True, slots=True)
class Reflections:
    """What the pages made of the markup."""

    shown: tuple[Shown, ...]
    mark: str
    """What stood in the markup, unmistakable."""


async def show_markup(visit: Visit) -> Reflections:
    """Ask each page, and an unknown path, with text that breaks out of attributes, scripts and text alike."""
    surface = await fetch_surface(visit)
    mark = f"gonogo{secrets.token_hex(4)}"
    sent = quote(f"{mark}'\" ><svg onload={mark}>", safe="")
    pages = tuple(dict.fromkeys(page.url.partition("?")[0] for page in surface.answers if page.is_page))
    asked = [f"{page}?{name}=" for page in pages for name in PARAMETERS]

    async def one(url: str) -> Shown:
        return Shown(url.partition("?")[0], await visit.ask_boldly("GET", url))

    shown = await gather(one(f"{url}{sent}") for url in (*asked, f"{visit.url}/"))
    # Where the text becomes an address, it needs no mark-up to be a script.
    addresses = [url for url, item in zip(asked, shown, strict=False) if item.answer and _leads(item.answer, mark)]
    return Reflections((*shown, *await gather(one(f"{url}{quote(SCRIPT + mark)}") for url in addresses)), mark)


@check(
    CheckSpec(
        id="security/reflected-markup",
        title="Markup in a request does not come back as markup",
        severity=Severity.HIGH,
        why="A link that makes the page run a script acts with the rights of whoever follows it.",
        remediation="Let the template escape every value, quotes included; put values into scripts as JSON with `<` "
        "escaped; never mark a request's text as safe.",
        references=("CWE-79", "OWASP Cross Site Scripting Prevention Cheat Sheet", "OWASP WSTG-INPV-01"),
    )
)
def reflected_markup(reflections: Reflections) -> Judged:
    mark = reflections.mark
    for shown in reflections.shown:
        answer = shown.answer
        if answer is None:
            yield Evidence(summary=f"{shown.url[:120]}: markup: connection closed")
        elif answer.is_page and (how := _breaks_out(answer, mark)):
            path = shown.url.removesuffix("/") if mark not in shown.url else "an unknown path"
            at = answer.text.index(mark)
            told = f"{path} repeats the markup of the request {how}"
            yield wrong(reflected_markup.spec, answer, told, shows=answer.text[max(0, at - 80) : at + 80])
        else:
            yield seen(answer, "the markup stays inert")


def _cut(value: str, mark: str) -> bool:
    return value.count(mark) == 1 and value.endswith((mark, f"{mark}'"))


def _leads(answer: Answer, beginning: str) -> bool:
    """Whether the page has a link or a form to an address that begins so."""
    return answer.is_page and any(address.strip().startswith(beginning) for address in markup_of(answer).leading)


def _breaks_out(answer: Answer, mark: str) -> str | None:
    """Where the page lets the text become more than text, or None."""
    if f"<svg onload={mark}>" in answer.text:
        return "as it came"
    if _leads(answer, SCRIPT + mark):
        return "as an address that is a script"
    markup = markup_of(answer)
    begins = any(name == "onload" and value.startswith(mark) for name, value in markup.attributes)
    # Or the value ends where the quotation mark came, and what follows it is more of the page.
    ends = f"{mark}'\" " in answer.text and any(_cut(value, mark) for _, value in markup.attributes)
    if begins or ends:
        return "so that it ends the value of the attribute that it stands in"
    # A string in a script ends at its own quotation mark, unless a backslash or an escape stands before it.
    ended = re.compile(rf"(?:'{mark}'|\"{mark}(?:\\'|')\")")
    if any(ended.search(script) for script in markup.inline):
        return "so that it ends the string in the script that it stands in"
    return None
