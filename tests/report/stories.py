"""Runs to render: each a plausible whole, with reports, a verdict and a release."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ci.config.shape.gate import Gate
from ci.gate.policy import decide
from ci.model import (
    CheckError,
    CheckResult,
    CheckSpec,
    ErrorKind,
    Event,
    Evidence,
    Finding,
    Location,
    Measure,
    Outcome,
    Plot,
    Release,
    ReleaseEnd,
    Series,
    Severity,
    StageReport,
    Subject,
    Verdict,
)

BEGIN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SUBJECT = Subject(
    url="https://shop-git-4f2a9c1d.vercel.app",
    commit="4f2a9c1d77e0b6a2c1f5d9e8b3a7c6d5e4f3a2b1",
    deployment_id="dpl_8mWxQ2nKp4RtYvZsLbHc7fJd",
)
BASELINE = Subject(url="https://shop.example.com", commit="91be03cc21", deployment_id="dpl_5dTzB1cVn9XkQwErGyHu3iPa")


class Story(NamedTuple):
    reports: tuple[StageReport, ...]
    verdict: Verdict | None
    release: Release | None


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def spec(id: str, title: str, severity: Severity = Severity.HIGH) -> CheckSpec:
    return CheckSpec(
        id=id,
        title=title,
        severity=severity,
        why="People who follow an old bookmark, or whose network is hostile, are served over a connection that "
        "anybody on it can read and change.",
        remediation="Send `Strict-Transport-Security: max-age=31536000; includeSubDomains` with every answer, "
        "in vercel.json under `headers`.",
        references=("RFC 6797", "https://owasp.org/www-project-secure-headers/", "CWE-319"),
    )


def passed(id: str, title: str, *seen: str, attempts: int = 1) -> CheckResult:
    evidence = tuple(Evidence(summary=line) for line in seen) or (Evidence(summary="GET / answered 200 in 41 ms"),)
    return CheckResult(spec=spec(id, title), outcome=Outcome.PASS, evidence=evidence, attempts=attempts, duration_s=0.2)


def failed(id: str, title: str, *findings: Finding) -> CheckResult:
    return CheckResult(spec=spec(id, title), outcome=Outcome.FAIL, findings=findings, duration_s=0.31)


def errored(id: str, title: str, kind: ErrorKind, message: str) -> CheckResult:
    return CheckResult(spec=spec(id, title), outcome=Outcome.ERROR, error=CheckError(kind=kind, message=message))


def skipped(id: str, title: str, reason: str) -> CheckResult:
    return CheckResult(spec=spec(id, title), outcome=Outcome.SKIP, skip_reason=reason)


def stage(name: str, begin: float, end: float, *results: CheckResult, **more: object) -> StageReport:
    return StageReport.model_validate(
        {"stage": name, "subject": SUBJECT, "started_at": at(begin), "finished_at": at(end), "results": results, **more}
    )


PREFLIGHT = stage(
    "preflight",
    0,
    1.2,
    passed("preflight/reachable", "The target answers", "GET / answered 200 in 41 ms"),
    passed("preflight/identity", "The target serves the wanted commit", "/api/health says commit 4f2a9c1d77e0"),
)
SMOKE = stage(
    "smoke",
    1.2,
    18.4,
    passed("smoke/health", "The health endpoint answers healthy", 'GET /api/health answered 200: {"status": "ok"}'),
    passed("smoke/not-found", "An unknown path answers 404", "GET /gonogo-nothing-here answered 404"),
    passed("smoke/protected", "Protected pages refuse anonymous users", "GET /app answered 303 to /login?next=%2Fapp"),
    passed("smoke/refresh", "A used refresh token is dead", "the second use answered 401", attempts=2),
    passed("smoke/pages-render", "Pages render without console errors", "/ at 390 px: 12 requests, 0 errors"),
    skipped("smoke/oauth", "OAuth redirects are complete", "no provider is configured: write `smoke.oauth`"),
)
SECURITY = stage(
    "security",
    1.2,
    6.1,
    *(
        passed(f"security/{slug}", title, "header of / and of /api/health")
        for slug, title in (
            ("hsts", "Browsers are told to use HTTPS alone"),
            ("nosniff", "Media types are not guessed"),
            ("framing", "Other sites cannot frame the pages"),
            ("referrer-policy", "Addresses do not leak by the referrer"),
            ("csp", "Pages have a content security policy"),
        )
    ),
)


def _load(p95: float, *results: CheckResult) -> StageReport:
    shares = (0.55 + 0.3 * math.sin(i / 3) ** 2 + 0.15 * ((i * 7919) % 13) / 13 for i in range(19))
    wave = tuple((float(i), p95 * share) for i, share in enumerate(shares))
    return stage(
        "load",
        18.4,
        37.9,
        *results,
        measures=(
            Measure(name="95th percentile", value=p95, unit="ms", limit=500),
            Measure(name="error rate", value=0.0004, unit="of all requests", limit=0.01),
            Measure(name="requests", value=1794, unit="requests"),
        ),
        plots=(
            Plot(
                title="Latency under load",
                x_label="seconds since the start",
                y_label="milliseconds",
                series=(
                    Series(name="median", points=tuple((x, y * 0.45) for x, y in wave)),
                    Series(name="95th percentile", points=wave),
                ),
                limits=(Measure(name="p95", value=500, unit="ms"),),
            ),
            Plot(
                title="Requests per second",
                x_label="seconds since the start",
                y_label="requests per second",
                series=(Series(name="answered", points=tuple((x, 98 + 4 * math.sin(x)) for x, _ in wave)),),
            ),
        ),
    )


LOAD = _load(
    212.0,
    passed("load/p95", "95 of 100 requests are answered in time", "1,794 requests, 95th percentile 212 ms"),
    passed("load/errors", "Requests do not fail under load", "1 of 1,794 requests failed"),
)
HSTS = Finding(
    check_id="security/hsts",
    message="the page / has no Strict-Transport-Security header; wanted: max-age of at least 15552000",
    severity=Severity.HIGH,
    location=Location(url="https://shop-git-4f2a9c1d.vercel.app/"),
    evidence=(
        Evidence(
            summary="GET / answered 200 with 9 headers",
            excerpt="content-type: text/html; charset=utf-8\nx-content-type-options: nosniff",
        ),
    ),
    key="/",
)
SLOW = Finding(
    check_id="load/p95",
    message="the 95th percentile is 731 ms, wanted at most 500 ms",
    severity=Severity.MEDIUM,
    evidence=(Evidence(summary="1,794 requests in 15 s by 40 users"),),
)
REFERRER = Finding(
    check_id="security/referrer-policy",
    message="Referrer-Policy is unsafe-url: the whole address goes to every other site",
    severity=Severity.LOW,
    location=Location(path="vercel.json", line=12),
)


def judged(*reports: StageReport, now: float = 38.2) -> Verdict:
    return decide(Gate(), SUBJECT, reports, now=at(now))


def _release(end: ReleaseEnd | None, serving: str | None, *events: tuple[float, str, str]) -> Release:
    journal = tuple(Event(at=at(when), phase=phase, message=message) for when, phase, message in events)
    return Release(
        project_id="prj_shop", candidate=SUBJECT, previous=BASELINE, events=journal, end=end, serving=serving
    )


_TO_PRODUCTION = (
    (38.3, "precondition", "production serves dpl_5dTzB1cVn9XkQwErGyHu3iPa, as it did before the checks"),
    (38.6, "promote", "asked Vercel to point production at dpl_8mWxQ2nKp4RtYvZsLbHc7fJd"),
    (38.9, "confirm", "the alias request is pending"),
    (41.2, "confirm", "the alias map names the candidate"),
    (41.3, "verify", "production serves commit 4f2a9c1d77e0"),
)


def go() -> Story:
    reports = (PREFLIGHT, SMOKE, SECURITY, LOAD)
    done = (46.4, "verify", "3 of 3 looks in a row were right")
    release = _release(ReleaseEnd.PROMOTED, SUBJECT.deployment_id, *_TO_PRODUCTION, done)
    return Story(reports, judged(*reports), release)


def no_go() -> Story:
    security = SECURITY.model_copy(
        update={
            "results": (
                failed("security/hsts", "Browsers are told to use HTTPS alone", HSTS),
                failed("security/referrer-policy", "Addresses do not leak by the referrer", REFERRER),
                *SECURITY.results[1:3],
                errored(
                    "security/tls",
                    "The certificate is valid for two more weeks",
                    ErrorKind.TIMEOUT,
                    "no answer to the TLS handshake within 10 s",
                ),
            )
        }
    )
    load = _load(731.0, failed("load/p95", "95 of 100 requests are answered in time", SLOW))
    reports = (PREFLIGHT, SMOKE, security, load)
    refused = (38.3, "precondition", "the verdict is NO-GO: production stays as it is")
    return Story(reports, judged(*reports), _release(ReleaseEnd.NO_GO, BASELINE.deployment_id, refused))


def hold() -> Story:
    wall = "GET / answered 401 with Vercel's login page: set VERCEL_AUTOMATION_BYPASS_SECRET"
    preflight = stage(
        "preflight", 0, 0.8, errored("preflight/reachable", "The target answers", ErrorKind.LOGIN_WALL, wall)
    )
    smoke = stage("smoke", 0.8, 0.8, not_run="the preflight found no application to look at")
    return Story((preflight, smoke), judged(preflight, smoke, now=1.0), None)


def rolled_back() -> Story:
    reports = (PREFLIGHT, SMOKE, SECURITY, LOAD)
    events = (
        *_TO_PRODUCTION,
        (43.0, "verify", "GET /api/health answered 503; wanted 200"),
        (45.2, "verify", "GET /api/health answered 503; wanted 200"),
        (45.4, "rollback", "asked Vercel to point production back at dpl_5dTzB1cVn9XkQwErGyHu3iPa"),
        (47.9, "rollback", "the alias map names the previous deployment"),
        (48.8, "verify rollback", "production serves commit 91be03cc21 and is healthy"),
    )
    return Story(reports, judged(*reports), _release(ReleaseEnd.ROLLED_BACK, BASELINE.deployment_id, *events))


def empty() -> Story:
    return Story((), None, None)


STORIES: dict[str, Callable[[], Story]] = {
    "go": go,
    "no-go": no_go,
    "hold": hold,
    "rolled-back": rolled_back,
    "empty": empty,
}
