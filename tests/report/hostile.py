"""A run against a target that wants its text to act: every free text of every fact is the payload."""

from __future__ import annotations

from ci.model import (
    CheckError,
    CheckResult,
    Decision,
    ErrorKind,
    Event,
    Evidence,
    Finding,
    Location,
    Measure,
    Outcome,
    Plot,
    Reason,
    Release,
    ReleaseEnd,
    Series,
    Severity,
    Subject,
    Verdict,
)
from tests.report.stories import Story, at, spec, stage

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</pre></details></section><h1>GO</h1>",
    "</style><style>*{display:none}",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "\u202eOG-ON\u2066 \u200f",
    "]]> <!-- --> <![CDATA[ &amp; &#x41; \ufffe\uffff",
    "::error file=a,line=1::owned",
    "##[error]owned",
    "line one\r\n::stop-commands::owned\n# GO",
    "@octocat and @github/security #1 GH-2 owner/repo#3",
    "[click](https://evil.example) ![x](https://evil.example/p.png) <https://evil.example>",
    "`` ` ``` ```\n```\n## GO\n```",
    "| a | b |\n| --- | --- |\n| **GO** | ~~x~~ |",
    "https://evil.example/ www.evil.example mailto:a@evil.example",
    "- [x] done\n1. one\n> quote\n---\n===",
    "\\`\\[x\\](https://evil.example) $x^2$ <details open><summary>GO</summary>",
)
"""Among them HTML, ANSI (ECMA-48), Markdown, and GitHub's workflow commands."""


def hostile_story(payload: str) -> Story:
    """A NO-GO in which the payload stands wherever a target or a tool can put a text."""
    subject = Subject(url=payload, commit=payload, deployment_id=payload)
    seen = (Evidence(summary=payload, excerpt=payload),)
    spec_of = spec("security/hsts", "Browsers are told to use HTTPS alone")
    finding = Finding(
        check_id=spec_of.id,
        message=payload,
        severity=Severity.HIGH,
        location=Location(url=payload),
        evidence=seen,
    )
    results = (
        CheckResult(spec=spec_of, outcome=Outcome.FAIL, findings=(finding,), evidence=seen),
        CheckResult(spec=spec("security/a", "A"), outcome=Outcome.PASS, evidence=seen),
        CheckResult(spec=spec("security/b", "B"), outcome=Outcome.SKIP, skip_reason=payload),
        CheckResult(
            spec=spec("security/c", "C"),
            outcome=Outcome.ERROR,
            error=CheckError(kind=ErrorKind.BAD_OUTPUT, message=payload),
        ),
    )
    line = Series(name=payload, points=((0.0, 1.0), (1.0, 2.0)))
    limit = Measure(name=payload, value=2, unit=payload, limit=2)
    figure = Plot(title=payload, x_label=payload, y_label=payload, series=(line,), limits=(limit,))
    reports = (
        stage("security", 0, 1, *results, subject=subject, measures=(limit,), plots=(figure,)),
        stage("load", 1, 1, not_run=payload, subject=subject),
    )
    reason = Reason(
        rule="no-findings",
        message=payload,
        decision=Decision.NO_GO,
        stage="security",
        check_id=spec_of.id,
        fingerprint=finding.fingerprint,
    )
    verdict = Verdict(
        decision=Decision.NO_GO,
        subject=subject,
        stages=("security", "load"),
        reasons=(reason, Reason(rule="ran", message=payload, decision=Decision.HOLD, stage="load")),
        notes=(Reason(rule="skipped", message=payload),),
        decided_at=at(2),
        evidence_from=at(1),
    )
    release = Release(
        project_id=payload,
        candidate=subject,
        previous=subject,
        events=(Event(at=at(2), phase=payload, message=payload, facts={"seen": payload}),),
        end=ReleaseEnd.NO_GO,
        serving=payload,
    )
    return Story(reports, verdict, release)
