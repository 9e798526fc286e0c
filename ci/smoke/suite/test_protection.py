"""Does the application keep strangers out?"""

from __future__ import annotations

import httpx

from ci.config.shape.smoke import Login, Smoke
from ci.engine.check import declare
from ci.errors import CannotRun
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import Accounts, LoggedIn
from ci.smoke.answers import cache_directives, may_be_cached, refuses, text_of, told_redirect
from ci.smoke.examination import Examination
from ci.smoke.shell import same_page, shell_of
from ci.smoke.target import Target

FORGED_SIGNATURES = {
    "stripe-signature": "t=1700000000,v1=" + "0" * 64,
    "x-hub-signature-256": "sha256=" + "0" * 64,
    "svix-id": "msg_gonogo",
    "svix-timestamp": "1700000000",
    "svix-signature": "v1," + "A" * 43 + "=",
    "x-vercel-signature": "0" * 40,
    "x-signature": "0" * 64,
}
"""Signature headers of the usual senders, with values that nobody's key gives."""

_EVENT = {"id": "evt_gonogo", "object": "event", "type": "gonogo.check", "data": {"object": {}}}


@declare(
    CheckSpec(
        id="smoke/protected-pages",
        title="Protected pages send strangers to the login, and caches keep none of them",
        severity=Severity.CRITICAL,
        why="A protected page that opens without a login, or from a shared cache, shows one user's data to another.",
        remediation=(
            "Check the session before the page is rendered, and send protected pages with `Cache-Control: no-store`."
        ),
        references=("OWASP Top 10 A01:2021", "CWE-306", "CWE-525", "RFC 9111, section 5.2.2.5"),
    )
)
def test_protected_pages(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    if not smoke.protected:
        exam.skip("no protected page is configured: list them in gonogo.yaml, as in smoke.protected: [/app]")
    shell: httpx.Response | None = None
    for path in smoke.protected:
        answer = target.get(path)
        url = target.at(path)
        if answer.is_success and (shell := shell or shell_of(target)) and same_page(answer, shell):
            exam.note(f"{path} is the shell that every path gets, without data: its endpoints keep strangers out")
        elif not refuses(answer, smoke.login):
            exam.finding(
                f"{path} answered {told_redirect(answer)} without a login, wanted a redirect to the "
                f"login page, 401 or 403{_perhaps_misspelt(answer)}",
                url=url,
                key="open",
            )
        elif kept := may_be_cached(answer) or _permanent(answer):
            exam.finding(
                f"caches may keep the refusal of {path} ({kept}), so it will meet those who are logged in, too",
                url=url,
                key="cached-refusal",
            )
    _judge_as_user(target, exam, smoke, accounts, shell)
    if shell and not (smoke.protected_api or smoke.login):
        exam.without_answer(
            f"{', '.join(smoke.protected)} gets the shell that this single-page application gives for every path, so "
            "its endpoints must keep strangers out: list them in gonogo.yaml, as in smoke.protected_api: [/api/orders]"
        )


@declare(
    CheckSpec(
        id="smoke/protected-api",
        title="Protected endpoints answer 401 or 403 without a login",
        severity=Severity.CRITICAL,
        why="An endpoint that answers strangers gives everybody's data to anybody who knows its path.",
        remediation="Authenticate on the server before anything else is done, in one place for the whole API.",
        references=("OWASP API Security Top 10 API2:2023", "CWE-306", "RFC 9110, section 15.5.2"),
    )
)
def test_protected_api(target: Target, exam: Examination, smoke: Smoke) -> None:
    for path in protected_endpoints(exam, smoke):
        answer = target.get(path)
        if answer.status_code == 405:  # it takes something else; an empty body must be refused for its sender first
            answer = target.post(path, json={})
        if not refuses(answer, smoke.login):
            method = answer.request.method
            exam.finding(
                f"{method} {path} answered {told_redirect(answer)} without a login, wanted 401 or 403"
                f"{_perhaps_misspelt(answer)}",
                url=target.at(path),
                key=method,
                excerpt=text_of(answer) if answer.is_server_error else "",
            )


@declare(
    CheckSpec(
        id="smoke/webhook-signature",
        title="Webhooks refuse calls that are unsigned or wrongly signed",
        severity=Severity.CRITICAL,
        why="Whoever finds an open webhook can report payments that never happened.",
        remediation=(
            "Verify the sender's signature over the raw body before it is parsed, and answer 400 or 401 otherwise."
        ),
        references=(
            "CWE-345",
            "https://docs.stripe.com/webhooks/signature",
            "https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries",
        ),
    )
)
def test_webhooks_want_a_signature(target: Target, exam: Examination, smoke: Smoke) -> None:
    if not smoke.webhooks:
        exam.skip("no webhook is configured: list them in gonogo.yaml, as in smoke.webhooks: [/api/billing/webhook]")
    for path in smoke.webhooks:
        for how, headers in (("unsigned", {}), ("wrongly signed", FORGED_SIGNATURES)):
            _judge_caller(exam, f"a webhook call that was {how}", target.post(path, json=_EVENT, headers=headers), how)


@declare(
    CheckSpec(
        id="smoke/cron-secret",
        title="Scheduled jobs refuse callers without their secret",
        severity=Severity.HIGH,
        why="Anybody can start an open job again and again: it costs money, and may delete or send things.",
        remediation=(
            "Compare the Authorization header with `Bearer $CRON_SECRET` before the job begins, "
            "and answer 401 otherwise."
        ),
        references=("https://vercel.com/docs/cron-jobs/manage-cron-jobs#securing-cron-jobs", "CWE-306"),
    )
)
def test_cron_jobs_want_their_secret(target: Target, exam: Examination, smoke: Smoke) -> None:
    if not smoke.cron:
        exam.skip("no scheduled job is configured: list them in gonogo.yaml, as in smoke.cron: [/api/cron/backup]")
    for path in smoke.cron:
        for how, headers in (
            ("without a secret", {}),
            ("with a wrong secret", {"authorization": "Bearer gonogo-wrong"}),
        ):
            answer = target.get(path, headers=headers)
            if answer.status_code == 405:
                answer = target.post(path, headers=headers)
            _judge_caller(exam, f"a job's call {how}", answer, how)


def protected_endpoints(exam: Examination, smoke: Smoke) -> tuple[str, ...]:
    """The configured endpoints that need a login, and the one that says who is logged in."""
    whoami = (smoke.login.whoami,) if smoke.login else ()
    paths = tuple(dict.fromkeys((*whoami, *smoke.protected_api)))
    if not paths:
        exam.skip(
            "no protected endpoint is configured: list them in gonogo.yaml, as in smoke.protected_api: "
            "[/api/user/profile]"
        )
    return paths


def _perhaps_misspelt(answer: httpx.Response) -> str:
    return "; when there is no such path, correct it in gonogo.yaml" if answer.status_code == 404 else ""


def _judge_caller(exam: Examination, what: str, answer: httpx.Response, key: str) -> None:
    path, status = answer.request.url.path, answer.status_code
    if status in (404, 405):
        wrong = f"{path} answered {status} to {what}, so there is no such endpoint; correct its path in gonogo.yaml"
    elif answer.is_server_error:
        wrong = f"{path} failed with {status} at {what}, wanted a refusal (4xx)"
    elif not answer.is_client_error:
        wrong = f"{path} answered {told_redirect(answer)} to {what}, wanted a refusal (4xx)"
    else:
        return
    exam.finding(wrong, url=str(answer.url), key=key)


def _judge_as_user(
    target: Target, exam: Examination, smoke: Smoke, accounts: Accounts, shell: httpx.Response | None
) -> None:
    """What a logged-in user gets must not be kept by caches either."""
    user = _user(target, smoke.login, accounts)
    if user is None:
        return
    for path in smoke.protected:
        answer = target.get(path, by=user.by_cookie)
        if not answer.is_success:
            exam.note(f"{path} answered {told_redirect(answer)} to the test user, so its caching was not judged")
        elif shell and same_page(answer, shell):
            continue
        elif not {"no-store", "private", "no-cache"} & cache_directives(answer).keys():
            exam.finding(
                f"{path} came to a logged-in user without `Cache-Control: no-store` or `private`, so a "
                "shared cache may keep it",
                url=target.at(path),
                key="cached-page",
            )


def _user(target: Target, login: Login | None, accounts: Accounts) -> LoggedIn | None:
    if login is None:
        return None
    try:
        user = accounts.shared(target)
    except (CannotRun, httpx.TransportError) as reason:
        target.exam.note(f"not looked at as a logged-in user: {reason}")
        return None
    return user if user.cookies else None


def _permanent(answer: httpx.Response) -> str | None:
    """A permanent redirect is kept by browsers without being asked (RFC 9110, sections 15.4.2 and 15.4.9)."""
    explicit = {"no-store", "no-cache"} & cache_directives(answer).keys()
    return f"status {answer.status_code}" if answer.status_code in (301, 308) and not explicit else None
