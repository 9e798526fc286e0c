"""Workflow commands for GitHub: the right line, nothing dropped in silence, and no command of a stranger's."""

from __future__ import annotations

import re

import pytest

from ci.model import Finding, Location, Severity
from ci.report import annotations
from ci.report.annotations import PER_LEVEL, of_problem
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import STORIES, failed, judged, stage

COMMAND = re.compile(r"::(error|warning|notice) (?:[a-z]+=[^,:]*)(?:,[a-z]+=[^,:]*)*::[^\n]*")


def findings(number: int, severity: Severity = Severity.HIGH) -> str:
    found = tuple(
        Finding(
            check_id="security/python-code",
            message=f"number {n}: 100% wrong",
            severity=severity,
            location=Location(path=f"ci/a,b:{n}.py", line=n + 1),
            key=str(n),
        )
        for n in range(number)
    )
    report = stage("security", 0, 1, failed("security/python-code", "No risky code", *found))
    return annotations.render([report], judged(report), None)


def test_a_finding_is_shown_at_its_line() -> None:
    headline, finding, *missing = findings(1).splitlines()
    assert headline.startswith("::error title=Gonogo%3A NO-GO::")
    assert all("there is no report of this stage" in line for line in missing)
    assert finding == "::error file=ci/a%2Cb%3A0.py,line=1,title=security/python-code::high: number 0: 100%25 wrong"


def test_what_github_would_drop_is_counted() -> None:
    lines = findings(40).splitlines()
    assert len(lines) == PER_LEVEL
    assert lines[0].startswith("::error title=Gonogo%3A NO-GO")
    total = 1 + 40 + len(judged(stage("security", 0, 1)).stages) - 1
    assert f"{total - PER_LEVEL + 1} more of this kind" in lines[-1]


def test_what_does_not_decide_is_a_warning() -> None:
    lines = findings(1, Severity.INFO).splitlines()
    assert [line.split()[0] for line in lines if "python-code" in line] == ["::warning"]
    assert "[too mild to decide]" in findings(1, Severity.INFO)


@pytest.mark.parametrize("name", list(STORIES))
def test_every_story_makes_commands_alone(name: str) -> None:
    for line in annotations.render(*STORIES[name]()).splitlines():
        assert COMMAND.fullmatch(line), line


@pytest.mark.parametrize("payload", [*HOSTILE, "::set-output name=x::y\n::error::mine", "a\r\n##[command]b"])
def test_hostile_text_gives_no_commands(payload: str) -> None:
    calm, told = (annotations.render(*hostile_story(text)).splitlines() for text in ("calm", payload))
    assert len(told) == len(calm)
    for line in told:
        assert COMMAND.fullmatch(line), line


def test_a_mistake_in_the_configuration_is_shown_where_it_is() -> None:
    told = of_problem("gonogo.yaml:21: `load.users`: input should be less than 10\nand more").splitlines()
    assert told[0].startswith("::error file=gonogo.yaml,line=21,title=Gonogo::gonogo.yaml:21: `load.users`")
    assert told[1] == "::error title=Gonogo::and more"
