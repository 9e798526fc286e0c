"""Does the way in work, and for whom it should?"""

from __future__ import annotations

import secrets

from ci.config.shape.smoke import Login, Smoke
from ci.engine.check import declare
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import REFUSED, Accounts, LoggedIn
from ci.smoke.answers import is_page, message, text_of, told_redirect
from ci.smoke.examination import Examination
from ci.smoke.target import Target


@declare(
    CheckSpec(
        id="smoke/login",
        title="The test user can log in, and is then known",
        severity=Severity.CRITICAL,
        why="When nobody can log in, the application is down for everybody who uses it.",
        remediation=(
            "Look at the application's logs for this login; check the test user's credentials and the session store."
        ),
        references=("OWASP ASVS 6.3", "RFC 6750, section 2.1"),
    )
)
def test_login(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    user = accounts.first(target)
    login, url = user.login, target.at(user.login.path)
    if not user.worked:
        exam.finding(
            f"{login.path} answered {user.response.status_code} to the test user's own password, wanted 200"
            f"{_hint(user)}",
            url=url,
            key="status",
            excerpt=text_of(user.response),
        )
        return
    wants_token = login.token and (not user.cookies or "token" in login.model_fields_set)
    if wants_token and not user.token:
        exam.finding(
            f"{login.path} answered {user.response.status_code} without a token at `{login.token}`; "
            "correct smoke.login.token, or write `token: null` when the session is a cookie alone",
            url=url,
            key="token",
        )
        return
    credentials = user.by_token if user.token else user.by_cookie
    answer = target.get(login.whoami, by=credentials)
    if answer.status_code != 200:
        misspelt = "; name the endpoint that answers logged-in users alone as smoke.login.whoami"
        exam.finding(
            f"the login worked, but {login.whoami} answered {told_redirect(answer)} to the logged-in user, wanted 200"
            f"{misspelt if answer.status_code == 404 else ''}",
            url=target.at(login.whoami),
            key="whoami",
        )


@declare(
    CheckSpec(
        id="smoke/login-refuses",
        title="A wrong password is refused, with the same answer as an unknown user",
        severity=Severity.CRITICAL,
        why="A login that any password opens protects nothing; one that tells users from strangers helps to guess.",
        remediation="Compare the password's hash, and give one and the same answer for both cases.",
        references=("CWE-287", "CWE-204", "OWASP ASVS 6.3.8"),
    )
)
def test_login_refuses(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    login = _configured(exam, smoke)
    username, _ = accounts.credentials(target)
    wrong = secrets.token_urlsafe(12) + "aA1!"
    stranger = f"gonogo-{secrets.token_hex(6)}@example.com" if "@" in username else f"gonogo-{secrets.token_hex(6)}"
    attempts = {
        "a wrong password": accounts.attempt(target, username, wrong),
        "an unknown user": accounts.attempt(target, stranger, wrong),
    }
    url = target.at(login.path)
    for who, attempt in attempts.items():
        told = told_redirect(attempt.response)
        if attempt.response.status_code in REFUSED or (login.form and not attempt.worked):
            continue
        if _opens(target, attempt):
            exam.finding(f"{login.path} answered {told} to {who} and let them in, wanted 401", url=url, key=who)
        elif not is_page(attempt.response):  # a page tells people in words
            exam.finding(
                f"{login.path} answered {told} to {who}, wanted 401: what it gave opens nothing, but clients and "
                "monitors take it for a login",
                url=url,
                key=f"{who}: status",
                severity=Severity.MEDIUM,
            )
    known, unknown = (attempt.response for attempt in attempts.values())
    names = {username, stranger}
    same = known.status_code == unknown.status_code and message(known, names) == message(unknown, names)
    if not exam.findings and not same:
        exam.finding(
            f"{login.path} answers a wrong password ({known.status_code}) otherwise than an unknown user "
            f"({unknown.status_code}), "
            "so it tells who has an account; give one answer for both",
            url=url,
            key="enumeration",
            severity=Severity.MEDIUM,
        )


@declare(
    CheckSpec(
        id="smoke/session",
        title="The session persists over requests and new connections",
        severity=Severity.HIGH,
        why="A session that only one server process knows is lost at the next request that another one answers.",
        remediation=(
            "Keep sessions where every instance sees them, in a database or a signed cookie, "
            "never in a process's memory."
        ),
        references=("https://vercel.com/docs/functions", "RFC 6265, section 3.1"),
    )
)
def test_session(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    login = _configured(exam, smoke)
    user = accounts.shared(target)
    if not user.cookies:
        exam.skip("the login sets no cookie, so there is no cookie session; tokens are looked at by smoke/login")
    for attempt in range(1, 4):
        answer = target.get(login.whoami, by=user.by_cookie, fresh=True)
        if answer.status_code != 200:
            exam.finding(
                f"request {attempt} with the session's cookie ({', '.join(user.cookies)}) to {login.whoami} "
                f"answered {told_redirect(answer)}, wanted 200",
                url=target.at(login.whoami),
                key="lost",
            )
            return


def _configured(exam: Examination, smoke: Smoke) -> Login:
    if smoke.login is None:
        exam.skip("no login is configured: describe it in gonogo.yaml under smoke.login")
    return smoke.login


def _hint(user: LoggedIn) -> str:
    """What may be wrong with the configuration, where the answer is one to a request that was not understood."""
    status, login = user.response.status_code, user.login
    if not login.form and status in (400, 403, 415, 422):
        return "; if it takes an HTML form instead of JSON, write smoke.login.form: true"
    if login.form and not login.page and status in (400, 403, 419, 422):
        return "; if its form has hidden fields, name the page that holds it in smoke.login.page"
    if login.form and login.page and not user.found_form:
        return f"; {login.page} holds no form with a field for a password, so nothing hidden went along"
    return ""


def _opens(target: Target, attempt: LoggedIn) -> bool:
    """Whether what a login gave opens what only the logged-in user may see, which is closed to strangers."""
    if not (attempt.cookies or attempt.token) or target.get(attempt.login.whoami).status_code == 200:
        return bool(attempt.cookies or attempt.token)
    return any(
        target.get(attempt.login.whoami, by=by).status_code == 200 for by in (attempt.by_cookie, attempt.by_token)
    )
