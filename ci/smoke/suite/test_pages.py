"""Do the pages work in a real browser? Each is loaded once per width; every check judges the same visits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.model import CheckSpec, Severity
from ci.smoke.examination import Examination
from ci.smoke.visits import (
    Problem,
    Visit,
    console_problems,
    mixed_content_problems,
    overflow_problems,
    render_problems,
    request_problems,
)

Visits = tuple[Visit, ...]
PAGES_TIMEOUT_S = 180.0


@declare(
    CheckSpec(
        id="smoke/page-renders",
        title="Pages answer 2xx with a title and visible text at every width",
        severity=Severity.CRITICAL,
        why="A blank page, a `Loading…` without end or an apology in the content's place is an outage that no status "
        "code tells of.",
        remediation="Open the page with the browser's console and look at the screenshot in the evidence folder.",
        references=("https://html.spec.whatwg.org/multipage/semantics.html#the-title-element", "WCAG 2.2, 2.4.2"),
        timeout_s=PAGES_TIMEOUT_S,
    )
)
def test_pages_render(exam: Examination, visits: Visits) -> None:
    _judge(exam, visits, render_problems)


@declare(
    CheckSpec(
        id="smoke/console-errors",
        title="Pages load without an error in the console",
        severity=Severity.MEDIUM,
        why="A script that threw has not done what it was written for: a button may do nothing.",
        remediation="Mend the script; a message that is known and harmless goes under smoke.ignore_console.",
        references=(
            "https://console.spec.whatwg.org/",
            "https://html.spec.whatwg.org/multipage/webappapis.html#runtime-script-errors",
        ),
        timeout_s=PAGES_TIMEOUT_S,
    )
)
def test_console_errors(exam: Examination, visits: Visits, smoke: Smoke) -> None:
    _judge(exam, visits, lambda visit: console_problems(visit, smoke.ignore_console))


@declare(
    CheckSpec(
        id="smoke/failed-requests",
        title="Everything that pages load can be loaded",
        severity=Severity.HIGH,
        why="A missing script or style sheet breaks pages whose own status is 200.",
        remediation="Deploy the missing file, or take the reference out; other people's servers are told of as low.",
        references=("https://fetch.spec.whatwg.org/", "RFC 9110, section 15.5"),
        timeout_s=PAGES_TIMEOUT_S,
    )
)
def test_failed_requests(exam: Examination, visits: Visits) -> None:
    _judge(exam, visits, request_problems)


@declare(
    CheckSpec(
        id="smoke/mixed-content",
        title="Pages take everything over HTTPS",
        severity=Severity.MEDIUM,
        why="What comes over plain HTTP can be changed on its way, and browsers block or rewrite it.",
        remediation="Refer to it over HTTPS, and add `upgrade-insecure-requests` to the Content-Security-Policy.",
        references=("https://www.w3.org/TR/mixed-content/", "CWE-319"),
        timeout_s=PAGES_TIMEOUT_S,
    )
)
def test_mixed_content(exam: Examination, visits: Visits) -> None:
    if visits and not any(visit.no_answer or visit.url.startswith("https:") for visit in visits):
        exam.skip("the target is served over plain HTTP, where nothing can be mixed; point --url at its HTTPS address")
    _judge(exam, visits, mixed_content_problems)


@declare(
    CheckSpec(
        id="smoke/responsive",
        title="Pages fit the screen at every width",
        severity=Severity.MEDIUM,
        why="A page that must be moved sideways hides its buttons from everybody with a phone.",
        remediation=(
            "Give the named element a maximum width, and let wide tables and images scroll or shrink inside the page."
        ),
        references=(
            "WCAG 2.2, 1.4.10",
            "https://developer.mozilla.org/docs/Learn_web_development/Core/CSS_layout/Responsive_Design",
        ),
        timeout_s=PAGES_TIMEOUT_S,
    )
)
def test_responsive(exam: Examination, visits: Visits) -> None:
    _judge(exam, visits, overflow_problems)


def _judge(exam: Examination, visits: Visits, problems: Callable[[Visit], Iterable[Problem]]) -> None:
    """Judge all visits; those that came to nothing leave the check without an answer unless others say no."""
    if not visits:
        exam.skip("no page is configured: list them in gonogo.yaml, as in smoke.pages: [/]")
    for visit in visits:
        if visit.no_answer:
            continue
        exam.saw(str(visit))
        for problem in problems(visit):
            exam.finding(
                problem.message,
                url=visit.url,
                key=f"{visit.screen}:{problem.key}",
                files=visit.files,
                severity=problem.severity,
            )
    for visit in visits:
        if visit.no_answer:
            raise visit.no_answer
