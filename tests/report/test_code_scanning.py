"""What GitHub code scanning demands of an upload beyond the standard, by its page "SARIF support for code scanning"."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from ci import pipeline
from ci.model import CheckResult, Evidence, Finding, Location, Outcome, Severity, StageReport
from ci.report import sarif
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import STORIES, SUBJECT, Story, at, no_go

MOST_BYTES = 10_000_000
MOST_RULES, MOST_TAGS, MOST_LOCATIONS = 25_000, 10, 100
LEVELS = {"none", "note", "warning", "error"}
PRECISIONS = {"very-high", "high", "medium", "low"}
BANDS = {"critical": (9.0, 10.0), "high": (7.0, 9.0), "medium": (4.0, 7.0), "low": (0.0, 4.0), "info": (0.0, 4.0)}


def security(*results: CheckResult) -> Story:
    return Story(
        (StageReport(stage="security", subject=SUBJECT, started_at=at(0), finished_at=at(9), results=results),),
        None,
        None,
    )


def everything(per_check: int = 1) -> Story:
    """Every check of the security stage fails, at pages and in files."""

    def findings(spec: Any) -> Iterator[Finding]:
        for number in range(per_check):
            place = (
                Location(path=f"src/{number}.py", line=number or None)
                if number % 2
                else Location(url=f"https://a.example/{number}")
            )
            yield Finding(
                check_id=spec.id,
                message=f"number {number} is wrong",
                severity=list(Severity)[number % 5],
                location=place,
                evidence=(Evidence(summary=f"GET /{number} answered 200", excerpt="x" * 2_000),),
            )

    specs = [spec for spec in pipeline.catalogue() if spec.stage == "security"]
    return security(*(CheckResult(spec=spec, outcome=Outcome.FAIL, findings=tuple(findings(spec))) for spec in specs))


TOLD = {**STORIES, "every security check": everything, "hostile": lambda: hostile_story("".join(HOSTILE))}


@pytest.fixture(params=TOLD, scope="module")
def run(request: pytest.FixtureRequest) -> dict[str, Any]:
    text = sarif.render(*TOLD[request.param]())
    assert len(base64.b64encode(gzip.compress(text.encode()))) < MOST_BYTES
    (made,) = json.loads(text)["runs"]
    return made


def test_rules_can_be_shown_and_ranked(run: dict[str, Any]) -> None:
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) <= MOST_RULES
    for rule in rules:
        assert len(rule["id"]) <= 255 and len(rule["name"]) <= 255
        assert 0 < len(rule["shortDescription"]["text"]) <= 1_024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1_024
        assert rule["help"]["text"] and rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
        properties = rule["properties"]
        assert len(properties["tags"]) == len(set(properties["tags"])) <= MOST_TAGS
        assert properties["precision"] in PRECISIONS
        if rule["id"].startswith("security/"):
            assert "security" in properties["tags"], "by this tag an alert counts as one of security"
            assert 0.0 < float(properties["security-severity"]) <= 10.0
            assert isinstance(properties["security-severity"], str)


def test_results_are_placed_and_recognised(run: dict[str, Any]) -> None:
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"].strip()
        assert 1 <= len(result["locations"]) <= MOST_LOCATIONS
        place = result["locations"][0]["physicalLocation"]
        uri = urlsplit(place["artifactLocation"]["uri"])
        assert not uri.scheme and not uri.netloc and uri.path and not uri.path.startswith("/")
        assert place["region"]["startLine"] >= 1
        digest, colon, number = result["partialFingerprints"]["primaryLocationLineHash"].partition(":")
        assert (colon, number) == (":", "1")
        int(digest, 16)


def test_one_category_of_one_tool(run: dict[str, Any]) -> None:
    assert run["tool"]["driver"]["name"] == "Gonogo"
    assert run["automationDetails"]["id"].endswith("/"), "before the slash stands the category, behind it the run"
    for notification in run["invocations"][0]["toolExecutionNotifications"]:
        assert notification["level"] == "error" and notification["message"]["text"]


def test_the_fingerprint_tells_results_apart() -> None:
    (run,) = json.loads(sarif.render(*no_go()))["runs"]
    hashes = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(hashes)) == len(hashes) > 1


@pytest.mark.parametrize("severity", Severity)
def test_severities_are_in_the_bands_that_name_them(severity: Severity) -> None:
    spec = pipeline.catalogue()[0].model_copy(update={"id": "security/x", "severity": severity})
    wrong = Finding(check_id=spec.id, message="wrong", severity=severity)
    (run,) = json.loads(sarif.render(*security(CheckResult(spec=spec, outcome=Outcome.FAIL, findings=(wrong,)))))[
        "runs"
    ]
    low, high = BANDS[severity]
    assert low < float(run["tool"]["driver"]["rules"][0]["properties"]["security-severity"]) < high


def test_too_many_results_leave_out_the_mildest_and_say_so() -> None:
    story = everything(per_check=80)
    text = sarif.render(*story)
    assert len(base64.b64encode(gzip.compress(text.encode()))) < MOST_BYTES
    (run,) = json.loads(text)["runs"]
    found = [finding for result in story.reports[0].results for finding in result.findings]
    assert len(found) > sarif.RESULT_LIMIT == len(run["results"])
    levels = [result["level"] for result in run["results"]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert f"the {len(found) - sarif.RESULT_LIMIT} mildest findings" in json.dumps(invocation)


def test_long_names_and_descriptions_are_cut() -> None:
    spec = pipeline.catalogue()[0].model_copy(
        update={"id": "smoke/" + "a" * 400, "title": "b " * 900, "why": "c\n" * 900}
    )
    result = CheckResult(spec=spec, outcome=Outcome.PASS, evidence=(Evidence(summary="seen"),))
    (rule,) = json.loads(sarif.render(*security(result)))["runs"][0]["tool"]["driver"]["rules"]
    assert len(rule["name"]) == 255
    assert {len(rule[part]["text"]) <= 1_024 for part in ("shortDescription", "fullDescription")} == {True}
