"""What a step leaves behind: one line an output, nothing secret, and nothing at all outside of GitHub Actions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ci.engine.actions import SUMMARY_LIMIT, Step
from ci.engine.redaction import Redactor
from ci.errors import ConfigError

CANARY = "canary-4711"


@pytest.fixture
def step(tmp_path: Path) -> Step:
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    return Step({"GITHUB_ACTIONS": "true", **files}, Redactor([CANARY]))


def test_outputs(step: Step, tmp_path: Path) -> None:
    step.output(verdict="GO", url=f"https://a.example.com/?x={CANARY}")
    assert (tmp_path / "output").read_text() == "verdict=GO\nurl=https://a.example.com/?x=[redacted]\n"


@pytest.mark.parametrize("value", ["GO\nroute=production", "GO\r", "\n"])
def test_an_output_is_one_line(step: Step, tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="one line"):
        step.output(verdict=value)
    assert not (tmp_path / "output").exists()


def test_a_summary_is_redacted_and_never_too_long(step: Step, tmp_path: Path) -> None:
    step.summary(f"# A {CANARY}\n")
    step.summary("é" * SUMMARY_LIMIT)
    text = (tmp_path / "summary").read_bytes()
    assert text.startswith(b"# A [redacted]\n\n")
    assert len(text) < SUMMARY_LIMIT + 100
    assert b"*More did not fit here.*" in text


def test_annotations_are_redacted_line_by_line(step: Step) -> None:
    out = io.StringIO()
    step.annotate(f"::error title=a::b {CANARY}\n::notice::c\n", out)
    step.notice("::stop-commands::x\n::error::y", out)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["::error title=a::b [redacted]", "::notice::c"]
    assert lines[2:] == ["::notice title=Gonogo::: :stop-commands::x ::error::y"]


def test_elsewhere_nothing_happens(tmp_path: Path) -> None:
    out = io.StringIO()
    step = Step({"GITHUB_OUTPUT": str(tmp_path / "output")}, Redactor())
    step.output(verdict="GO")
    step.summary("x")
    step.annotate("::error::x", out)
    assert not list(tmp_path.iterdir())
    assert out.getvalue() == ""
