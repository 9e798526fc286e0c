"""What a page's source refers to. Broken markup is read as far as it goes, as browsers do."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from ci.engine.markup import read
from ci.security.answer import Answer, absolute

_LOADED_LINKS = frozenset({"stylesheet", "icon", "preload", "modulepreload", "manifest", "apple-touch-icon"})
_SOURCES = {"script": "src", "img": "src", "iframe": "src", "audio": "src", "video": "src", "source": "src"} | {
    "embed": "src",
    "object": "data",
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script that a page loads."""

    written: str
    """The address as the page writes it."""
    url: str
    integrity: str


@dataclass(slots=True)
class Markup:
    """The addresses, policies and inline scripts of a page."""

    scripts: list[Script] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    loads: list[tuple[str, str]] = field(default_factory=list)
    """Element and absolute address of whatever the page loads by itself."""
    forms: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    equivalents: list[tuple[str, str]] = field(default_factory=list)
    """`<meta http-equiv>`: name in lower case, and content."""
    leading: list[str] = field(default_factory=list)
    """Addresses, as they were written, to which the page leads or sends its reader: links, forms, refreshes."""
    attributes: list[tuple[str, str]] = field(default_factory=list)
    """Every attribute's name, in lower case, and value."""


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.markup = Markup()
        self._base = url
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in reversed(attrs)}  # the first of a name counts
        self.markup.attributes += found.items()
        self.markup.leading += [found[name] for name in ("href", "action", "formaction") if found.get(name)]
        if tag == "base" and found.get("href"):
            self._base = self._absolute(found["href"])
        if tag == "script":
            self._in_script = "src" not in found
            if found.get("src"):
                made = Script(found["src"].strip(), self._absolute(found["src"]), found.get("integrity", ""))
                self.markup.scripts.append(made)
        if (source := _SOURCES.get(tag)) and found.get(source):
            self.markup.loads.append((tag, self._absolute(found[source])))
        if tag == "link" and found.get("href") and _LOADED_LINKS & set(found.get("rel", "").lower().split()):
            self.markup.loads.append((tag, self._absolute(found["href"])))
        if tag == "form" and found.get("action"):
            self.markup.forms.append(self._absolute(found["action"]))
        if tag == "a" and found.get("href"):
            self.markup.links.append(self._absolute(found["href"]))
        if tag == "meta" and "http-equiv" in found:
            name = found["http-equiv"].strip().lower()
            self.markup.equivalents.append((name, found.get("content", "")))
            if name == "refresh":
                self.markup.leading.append(found.get("content", "").partition("=")[2].strip(" '\""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.markup.inline.append(data)

    def _absolute(self, address: str) -> str:
        return absolute(self._base, address)


def markup_of(answer: Answer) -> Markup:
    """Read a page; empty for anything that is none."""
    reader = _Reader(answer.url)
    if answer.is_page:
        read(reader, answer.text)
    return reader.markup
