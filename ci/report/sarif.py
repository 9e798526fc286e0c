"""gonogo.sarif: SARIF 2.1.0 (OASIS Standard), in the subset that GitHub code scanning reads.

FAIL is a result; ERROR is a notification, and makes the execution unsuccessful, so that a check without an
answer is not taken for one without findings; SKIP is a notification about the configuration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import ci
from ci.engine import gfm
from ci.engine.inert import one_line, printable
from ci.model import CheckSpec, Finding, Location, Release, Severity, StageReport, Verdict
from ci.report.digest import Digest, Standing

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
PLACE_OF_LIVE_FINDINGS = "gonogo.yaml"
"""Code scanning refuses a result without a file of the repository; a finding on a URL has none."""
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SECURITY_SEVERITIES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.1",
}
"""In the bands of CVSS 3.1, by which GitHub names the severity of a security rule."""


RESULT_LIMIT = 5_000
"""Code scanning shows no more of one run, and refuses the whole file above 25,000."""
NAME_LIMIT = 255
TEXT_LIMIT = 1_024
"""Characters that code scanning takes of a rule's name and of its descriptions."""

Json = dict[str, Any]


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """One run of one tool. The release plays no part in it."""
    digest = Digest(reports, verdict, release)
    findings = [finding for entry in digest.failed for finding in entry.result.findings]
    findings.sort(key=lambda finding: finding.severity.rank, reverse=True)
    specs = tuple({entry.result.spec.id: entry.result.spec for entry in digest.entries}.values())
    places = {spec.id: place for place, spec in enumerate(specs)}
    run: Json = {
        "tool": {
            "driver": {
                "name": "Gonogo",
                "semanticVersion": ci.__version__,
                "rules": [_rule(spec) for spec in specs],
            }
        },
        "automationDetails": {"id": "gonogo/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(digest, places, left_out=len(findings[RESULT_LIMIT:]))],
        "results": [_result(digest, finding, places) for finding in findings[:RESULT_LIMIT]],
        "properties": _properties(digest),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(spec: CheckSpec) -> Json:
    properties: Json = {"tags": [spec.stage], "precision": "high"}
    if spec.stage == "security":
        properties["security-severity"] = _SECURITY_SEVERITIES[spec.severity]
    rule: Json = {
        "id": spec.id,
        "name": one_line(spec.id, NAME_LIMIT),
        "shortDescription": {"text": one_line(spec.title, TEXT_LIMIT)},
        "fullDescription": {"text": one_line(spec.why, TEXT_LIMIT)},
        "help": _help(spec),
        "defaultConfiguration": {"level": _LEVELS[spec.severity]},
        "properties": properties,
    }
    if address := next(filter(_is_address, spec.references), None):
        rule["helpUri"] = address
    return rule


def _help(spec: CheckSpec) -> Json:
    references = "\n".join(f"- {name}" for name in spec.references)
    text = f"{spec.why}\n\nWhat to do: {spec.remediation}\n\n{references}"
    links = "\n".join(f"- {gfm.reference(name)}" for name in spec.references)
    marked = f"{gfm.prose(spec.why)}\n\n**What to do:** {gfm.prose(spec.remediation)}\n\n{links}"
    return {"text": printable(text.rstrip()), "markdown": marked.rstrip()}


def _invocation(digest: Digest, places: dict[str, int], *, left_out: int) -> Json:
    troubles = [_trouble("not-run", f"{stage}: {why}") for stage, why in digest.empty_stages]
    if not digest.reports:
        troubles.append(_trouble("no-data", "no stage has reported"))
    for entry in digest.errors:
        error = entry.result.error
        assert error is not None
        troubles.append(_trouble(error.kind, error.message, _rule_reference(entry.result.spec.id, places)))
    if left_out:
        troubles.append(_trouble("too-many", f"the {left_out} mildest findings are in the other reports alone"))
    invocation: Json = {
        "executionSuccessful": not troubles,
        "toolExecutionNotifications": troubles,
        "toolConfigurationNotifications": [
            {
                "level": "note",
                "message": _text(f"skipped: {entry.result.skip_reason}"),
                "associatedRule": _rule_reference(entry.result.spec.id, places),
            }
            for entry in digest.skipped
        ],
    }
    if digest.reports:
        invocation["startTimeUtc"] = _utc(min(report.started_at for report in digest.reports))
        invocation["endTimeUtc"] = _utc(max(report.finished_at for report in digest.reports))
    return invocation


def _trouble(kind: str, message: str, rule: Json | None = None) -> Json:
    trouble: Json = {"level": "error", "descriptor": {"id": kind}, "message": _text(f"{kind}: {message}")}
    return trouble | {"associatedRule": rule} if rule else trouble


def _result(digest: Digest, finding: Finding, places: dict[str, int]) -> Json:
    seen = "".join(f"\nSeen: {evidence.summary}" for evidence in finding.evidence)
    at = f"\nAt: {finding.location.url}" if finding.location.url else ""
    result: Json = {
        "ruleId": finding.check_id,
        "ruleIndex": places[finding.check_id],
        "level": _LEVELS[finding.severity],
        "message": _text(f"{finding.message}{at}{seen}"),
        "locations": [_location(finding.location)],
        "partialFingerprints": {
            "gonogo/v1": finding.fingerprint,
            # The one that GitHub compares; without it the alert would hang on the line's wording.
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
        },
    }
    if digest.standing(finding) is Standing.WAIVED:
        result["suppressions"] = [_suppression(digest, finding)]
    return result


def _suppression(digest: Digest, finding: Finding) -> Json:
    notes = digest.verdict.notes if digest.verdict else ()
    why = next(note.message for note in notes if note.fingerprint == finding.fingerprint)
    return {"kind": "external", "status": "accepted", "justification": printable(why)}


def _location(location: Location) -> Json:
    physical: Json = {
        "artifactLocation": {"uri": quote(printable(location.path or PLACE_OF_LIVE_FINDINGS), safe="/")},
        "region": {"startLine": max(1, location.line or 1) if location.path else 1},
    }
    told: Json = {"physicalLocation": physical}
    if location.url:
        told["logicalLocations"] = [{"fullyQualifiedName": one_line(location.url), "kind": "resource"}]
    return told


def _rule_reference(check_id: str, places: dict[str, int]) -> Json:
    return {"id": check_id, "index": places[check_id]}


def _properties(digest: Digest) -> Json:
    subject = digest.subject
    facts: Iterable[tuple[str, str | None]] = (
        ("verdict", digest.verdict.decision.value if digest.verdict else None),
        ("url", subject.url if subject else None),
        ("commit", subject.commit if subject else None),
        ("deployment", subject.deployment_id if subject else None),
    )
    return {name: one_line(value) for name, value in facts if value}


def _text(words: str) -> Json:
    return {"text": printable(words)}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_address(reference: str) -> bool:
    return re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[\w./~%#?&=+-]*)?", reference) is not None
