"""What the application says when something is wrong."""

from __future__ import annotations

import httpx

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.engine.internals import internals
from ci.model import CheckSpec, Severity
from ci.smoke.answers import is_json, media_type, refuses, text_of
from ci.smoke.examination import Examination
from ci.smoke.shell import shell_of
from ci.smoke.target import Target, unlikely_path

GONE = (404, 410)
REFUSED = (401, 403)
"""An API may ask who calls before it says what there is."""

_WANTS_JSON = {"accept": "application/json"}
_MALFORMED = b'{"gonogo": '


@declare(
    CheckSpec(
        id="smoke/not-found",
        title="A path that does not exist answers 404",
        severity=Severity.MEDIUM,
        why=(
            "A missing page that answers 200 hides broken links and lost routes from people, search "
            "engines and monitors."
        ),
        remediation=(
            "Let the router's last rule answer 404. A single-page application needs a list of its own routes for that "
            "(Vercel: one rewrite for each route in place of `/(.*)`); without one its pages are told of as low. Its "
            "API is no page: rewrite `/((?!api/).*)` at most."
        ),
        references=(
            "RFC 9110, section 15.5.5",
            "https://developers.google.com/search/docs/crawling-indexing/http-network-errors#soft-404-errors",
        ),
    )
)
def test_not_found(target: Target, exam: Examination, smoke: Smoke) -> None:
    page = unlikely_path()
    response = target.get(page)
    if refuses(response, smoke.login):
        exam.note(f"{page} asks for a login first, so nobody learns whether it exists")
    elif response.status_code not in GONE:
        is_shell = response.is_success and shell_of(target) is not None
        exam.finding(
            f"the page {page}, which cannot exist, answered {response.status_code}, wanted 404"
            + (": every path gets the shell of this single-page application" if is_shell else ""),
            url=target.at("/"),
            key="page",
            excerpt=text_of(response),
            # The host cannot know the browser's routes: such applications do so by design.
            severity=Severity.LOW if is_shell else None,
        )
    if api := _some_api(smoke):
        path = unlikely_path(api)
        response = target.get(path)
        if response.status_code not in (*GONE, *REFUSED):
            exam.finding(
                f"the endpoint {path}, which cannot exist, answered {response.status_code}, wanted 404",
                url=target.at(api.rpartition("/")[0] or "/"),
                key="api",
                excerpt=text_of(response),
            )


@declare(
    CheckSpec(
        id="smoke/error-body",
        title="Errors are told without the server's inside, and by APIs as JSON",
        severity=Severity.HIGH,
        why="Stack traces and paths show an attacker the code; an HTML error breaks every client that expects JSON.",
        remediation=(
            "Give the application one handler for all errors that answers a 4xx with a short "
            "JSON body, and switch debugging off."
        ),
        references=("CWE-209", "OWASP ASVS 16.5.1", "RFC 9457"),
    )
)
def test_error_bodies(target: Target, exam: Examination, smoke: Smoke) -> None:
    _judge(exam, "an unknown page", target.get(unlikely_path()), wants_json=False)
    if api := _some_api(smoke):
        unknown = target.get(unlikely_path(api), headers=_WANTS_JSON)
        # No client calls it, and frameworks answer it with their page: HTML is less grave there.
        _judge(exam, "an unknown endpoint", unknown, wants_json=True, at=target.at(api), html_is=Severity.LOW)
    if path := _takes_json(smoke):
        response = target.post(path, content=_MALFORMED, headers={"content-type": "application/json", **_WANTS_JSON})
        _judge(exam, f"malformed JSON sent to {path}", response, wants_json=True, at=target.at(path))
        if response.is_success:
            exam.finding(
                f"{path} answered {response.status_code} to malformed JSON, wanted a 4xx: what it cannot "
                "read it must refuse",
                url=target.at(path),
                key="accepted",
            )


def _judge(
    exam: Examination,
    what: str,
    response: httpx.Response,
    *,
    wants_json: bool,
    at: str | None = None,
    html_is: Severity = Severity.MEDIUM,
) -> None:
    url = at or str(response.url.join("/"))
    body = text_of(response)
    if response.is_server_error:
        exam.finding(
            f"{what} made the application fail: it answered {response.status_code}, wanted a 4xx",
            url=url,
            key="5xx",
            excerpt=body,
        )
    if leak := internals(body, of_error=True):
        exam.finding(
            f"the answer to {what} shows {leak}; switch debugging off and answer a short text",
            url=url,
            key="inside",
            excerpt=body,
        )
    if wants_json and response.is_error and response.content and not is_json(response):
        exam.finding(
            f"the answer {response.status_code} to {what} is `{media_type(response) or 'of no type'}`, "
            "wanted JSON as from the rest of the API",
            url=url,
            key="type",
            severity=html_is,
            excerpt=body,
        )


def _some_api(smoke: Smoke) -> str | None:
    """A configured API path, beside which an unknown one is asked for."""
    health = [smoke.health.path] if smoke.health else []
    login = [smoke.login.path] if smoke.login and not smoke.login.form else []
    paths = [*smoke.protected_api, *(request.path for request in smoke.api), *health, *login]
    return next((path for path in paths if path.count("/") > 1), None)


def _takes_json(smoke: Smoke) -> str | None:
    """A configured endpoint that reads a JSON body without a login."""
    if smoke.login and not smoke.login.form:
        return smoke.login.path
    return next((request.path for request in smoke.api if request.method == "POST" and not request.login), None)
