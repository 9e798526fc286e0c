"""JUnit XML: FAIL is a failure, ERROR an error, SKIP skipped; a suite that judged nothing is an error, never green."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from xml.etree import ElementTree as ET

from ci.engine.inert import one_line, printable
from ci.model import CheckResult, Decision, Evidence, Outcome, Release, ReleaseEnd, StageReport, Verdict
from ci.report.digest import Digest

_FAILED_ENDS = {ReleaseEnd.ROLLED_BACK, ReleaseEnd.ROLLBACK_FAILED}
_UNTOUCHED_ENDS = {ReleaseEnd.NO_GO, ReleaseEnd.HOLD}
MESSAGE_LIMIT = 500


def render(reports: Sequence[StageReport], verdict: Verdict | None, release: Release | None) -> str:
    """One suite per stage, one for the gate's answer, and one for the release when there was one.

    Findings that the gate waives or finds too mild are failures here too: the check's answer is no.
    """
    digest = Digest(reports, verdict, release)
    root = ET.Element("testsuites", name="gonogo")
    for report in reports:
        _stage_suite(root, report)
    for stage, reason in digest.empty_stages:
        if stage not in {report.stage for report in reports}:
            suite = _suite(root, stage)
            _answer(_case(suite, stage, stage), "error", "no-data", reason)
    _gate_suite(root, verdict)
    if release:
        _release_suite(root, release, digest)
    for suite in root:
        _total(suite)
    _total(root)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _stage_suite(root: ET.Element, report: StageReport) -> None:
    suite = _suite(root, report.stage, time=f"{report.duration_s:.3f}")
    suite.set("timestamp", report.started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    properties = ET.SubElement(suite, "properties")
    subject = {"url": report.subject.url, "commit": report.subject.commit, "deployment": report.subject.deployment_id}
    for name, value in subject.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=one_line(value))
    for result in report.results:
        _result(_case(suite, report.stage, result.spec.id, time=f"{result.duration_s:.3f}"), result)
    if all(result.outcome is Outcome.SKIP for result in report.results):
        kind, why = ("not-run", report.not_run) if report.not_run else ("no-data", "the stage checked nothing")
        _answer(_case(suite, report.stage, report.stage), "error", kind, why)


def _result(case: ET.Element, result: CheckResult) -> None:
    if result.findings:
        first, *others = result.findings
        more = f" (and {len(others)} more)" if others else ""
        details = [f"{result.spec.title}: it does not hold.", f"Why it matters: {result.spec.why}"]
        for finding in result.findings:
            details += [f"{finding.severity}: {finding.message}", f"at {finding.location}"]
            details += [*map(_evidence, finding.evidence), f"fingerprint {finding.fingerprint}"]
        details.append(f"What to do: {result.spec.remediation}")
        _answer(case, "failure", first.severity, first.message + more, "\n\n".join(details))
    elif result.error:
        _answer(case, "error", result.error.kind, result.error.message)
    elif result.skip_reason:
        _answer(case, "skipped", None, result.skip_reason)
    else:
        ET.SubElement(case, "system-out").text = printable("\n".join(map(_evidence, result.evidence)))


def _gate_suite(root: ET.Element, verdict: Verdict | None) -> None:
    case = _case(_suite(root, "gate"), "gate", "verdict")
    if verdict is None:
        _answer(case, "error", "no-verdict", "the gate has not decided")
        return
    reasons = "\n".join(
        f"{reason.decision}: {reason.check_id or reason.stage or reason.rule}: {reason.message}"
        for reason in verdict.reasons
    )
    if verdict.decision is Decision.NO_GO:
        _answer(case, "failure", verdict.decision, f"NO-GO for {verdict.subject}", reasons)
    elif verdict.decision is Decision.HOLD:
        _answer(case, "error", verdict.decision, f"HOLD for {verdict.subject}", reasons)
    else:
        ET.SubElement(case, "system-out").text = printable(f"GO for {verdict.subject}")


def _release_suite(root: ET.Element, release: Release, digest: Digest) -> None:
    case = _case(_suite(root, "release"), "release", "production")
    journal = "\n".join(f"{event.at.isoformat()} {event.phase}: {event.message}" for event in release.events)
    kind = release.end.value if release.end else "UNFINISHED"
    if release.end in _FAILED_ENDS:
        _answer(case, "failure", kind, digest.release_story, journal)
    elif release.end in _UNTOUCHED_ENDS:
        _answer(case, "skipped", None, digest.release_story)
    elif release.end is ReleaseEnd.PROMOTED:
        ET.SubElement(case, "system-out").text = printable(journal)
    else:
        _answer(case, "error", kind, digest.release_story, journal)


def _suite(root: ET.Element, name: str, time: str = "0.000") -> ET.Element:
    return ET.SubElement(root, "testsuite", name=one_line(name), time=time)


def _case(suite: ET.Element, group: str, name: str, time: str = "0.000") -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"gonogo.{one_line(group)}", name=one_line(name), time=time)


def _answer(case: ET.Element, tag: str, kind: str | None, message: str, details: str = "") -> None:
    answer = ET.SubElement(case, tag, message=one_line(message, MESSAGE_LIMIT))
    if kind:
        answer.set("type", one_line(kind))
    if tag != "skipped":
        answer.text = printable(details or message)


def _evidence(evidence: Evidence) -> str:
    return f"{evidence.summary}\n{evidence.excerpt}" if evidence.excerpt else evidence.summary


def _total(element: ET.Element) -> None:
    """The counts that readers of JUnit show, taken from what really stands below."""
    counted = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for attribute, tag in counted.items():
        element.set(attribute, str(sum(1 for _ in element.iter(tag))))
