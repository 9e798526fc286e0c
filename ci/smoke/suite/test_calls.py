"""Do the requests that gonogo.yaml lists get the answers that it wants?"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from ci.config.shape.smoke import Request, Smoke
from ci.engine.check import declare
from ci.engine.identity import dotted
from ci.engine.internals import internals
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import Accounts
from ci.smoke.answers import json_of, media_type, text_of
from ci.smoke.examination import Examination
from ci.smoke.shell import same_page
from ci.smoke.target import ANONYMOUS, Target, unlikely_path


@declare(
    CheckSpec(
        id="smoke/api",
        title="The configured requests get the answers that are wanted",
        severity=Severity.HIGH,
        why="These are the requests that you have named as those that must work.",
        remediation="Look at the application's logs for the request, or correct what is wanted under smoke.api.",
        references=("RFC 9110, section 15",),
        timeout_s=90,
    )
)
def test_configured_requests(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    if not smoke.api:
        exam.skip(
            "no request is configured: list them in gonogo.yaml, as in smoke.api: [{path: /api/tiers, has: [tiers]}]"
        )
    for wanted in smoke.api:
        by = accounts.shared(target).credentials if wanted.login else ANONYMOUS
        answer = target.request(wanted.method, wanted.path, by=by, json=wanted.body)
        for key, problem in (*_problems(wanted, answer), *_anybodys_page(target, wanted, answer)):
            exam.finding(
                f"{wanted.method} {wanted.path} {problem}",
                url=target.at(wanted.path),
                key=f"{wanted.method} {key}",
                excerpt=text_of(answer)
                if key == "status" and internals(text_of(answer), of_error=True) is None
                else "",
            )


def _anybodys_page(target: Target, wanted: Request, answer: httpx.Response) -> Iterator[tuple[str, str]]:
    """A page in place of an API's answer proves nothing when every other path gets it, too."""
    is_meant = wanted.contains or (wanted.type or "").lower() == "text/html"
    if is_meant or wanted.method != "GET" or not answer.is_success or "html" not in media_type(answer):
        return
    if same_page(answer, target.get(unlikely_path(wanted.path))):
        yield "fallback", "answered with the page that every unknown path gets, wanted the endpoint's own answer"


def _problems(wanted: Request, answer: httpx.Response) -> Iterator[tuple[str, str]]:
    if answer.status_code != wanted.status:
        yield "status", f"answered {answer.status_code}, wanted {wanted.status}"
        return
    if wanted.type and media_type(answer) != wanted.type.lower():
        yield "type", f"answered with `{media_type(answer) or 'no media type'}`, wanted `{wanted.type}`"
    body = json_of(answer) if wanted.has else None
    for path in wanted.has:
        if dotted(body, path) is None:
            yield f"has {path}", f"answered {answer.status_code} without `{path}` in its JSON"
    if wanted.contains and wanted.contains not in text_of(answer):
        yield "contains", f"answered {answer.status_code}, but its body does not contain `{wanted.contains}`"
