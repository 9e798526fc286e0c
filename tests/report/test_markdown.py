"""summary.md: GitHub must show every text of the target as text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ci.engine import gfm
from ci.model import ErrorKind
from ci.report import markdown
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import STORIES, errored, judged, no_go, stage

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(source: str) -> list[Token]:
    """Block and inline tokens, flat."""
    return [inner for token in PARSER.parse(source) for inner in (token, *(token.children or ()))]


def structure(source: str) -> list[str]:
    """What kinds of tokens there are, but for text and for the code that backticks may make of it."""
    return [token.type for token in tokens(source) if token.type not in {"text", "code_inline", "softbreak"}]


def plain_text(source: str) -> str:
    return "\n".join(token.content for token in tokens(source) if token.type == "text")


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_makes_no_markup(payload: str) -> None:
    source = markdown.render(*hostile_story(payload))
    assert structure(source) == structure(markdown.render(*hostile_story("calm")))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", source)


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_calls_nobody(payload: str) -> None:
    """GitHub looks for mentions and references in the text that it has rendered, so escapes do not help there."""
    text = plain_text(markdown.render(*hostile_story(payload)))
    assert not re.search(r"@\w|#\d|\bGH-\d", text)


@pytest.mark.parametrize("payload", HOSTILE)
def test_bare_addresses_do_not_become_links(payload: str) -> None:
    """GitHub Flavored Markdown 6.9 makes links of these, where the source has them as they are."""
    source = markdown.render(*hostile_story(payload))
    prose = re.sub(r"(`+)[^`].*?[^`]?\1(?!`)|^```.*?^```", "", source, flags=re.S | re.M)
    assert not re.search(r"(?<!<)(https?://|www\.)(?!owasp)", prose)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("`*_[]()<>!|~#@-+=:/\\&.$1ax \t\n\r\x1b\u2028"), max_size=40))
def test_any_text_leaves_the_structure_as_it_is(text: str) -> None:
    source = markdown.render(*hostile_story(text or "-"))
    assert structure(source) == structure(markdown.render(*hostile_story("calm")))


@given(st.text(st.sampled_from("` ab\n"), max_size=30))
def test_code_holds_its_text(text: str) -> None:
    (paragraph,) = [token for token in PARSER.parse(gfm.code(text)) if token.type == "inline"]
    assert [token.type for token in paragraph.children or ()] == ["code_inline"]
    assert [token.type for token in PARSER.parse(gfm.fenced(text))] == ["fence"]


@pytest.mark.parametrize("name", STORIES)
def test_every_reason_is_told(name: str) -> None:
    story = STORIES[name]()
    text = " ".join(token.content for token in tokens(markdown.render(*story)) if token.type in {"text", "code_inline"})
    for reason in story.verdict.reasons if story.verdict else ():
        assert reason.message.partition("`")[0] in text


def test_tells_the_answer_first() -> None:
    first, second, *_ = markdown.render(*no_go()).split("\n\n")
    assert first == "## 🔴 NO-GO"
    assert second == "2 findings stand against it, and 1 question is open."


def test_what_does_not_fit_is_counted() -> None:
    results = [errored(f"smoke/check-{i}", "A check", ErrorKind.TIMEOUT, "no answer " * 50) for i in range(400)]
    report = stage("smoke", 0, 1, *results)
    source = markdown.render([report], judged(report), None)
    assert len(source) < markdown.SIZE_LIMIT + 200
    assert re.search(r"\*\d+ more paragraphs do not fit here: see `report.html`.\*\n$", source)
    assert source.startswith("## 🟡 HOLD")
