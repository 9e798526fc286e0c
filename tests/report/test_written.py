"""Renderings on their way to the evidence folder."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from ci.engine.evidence import EvidenceStore
from ci.engine.redaction import MASK, Redactor
from ci.report import html, junit, markdown
from tests.report.hostile import hostile_story
from tests.report.test_html import Reader

SECRET = "correct-horse-battery"


def test_redaction_takes_the_secret_and_leaves_the_markup(tmp_path: Path) -> None:
    """A mask that runs to the end of the line would take the closing tags with it."""
    story = hostile_story(f"Set-Cookie: session={SECRET}; Path=/ and token {SECRET}")
    store = EvidenceStore(tmp_path, Redactor([SECRET]))
    for name, render in (("report.html", html.render), ("junit.xml", junit.render), ("summary.md", markdown.render)):
        text = store.write_rendering(name, render, *story).read_text()
        assert SECRET not in text
        assert MASK in text.replace("\\", "")
    Reader((tmp_path / "report.html").read_text())
    ET.fromstring((tmp_path / "junit.xml").read_text())
