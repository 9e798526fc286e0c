"""Does a logout end the session for good?"""

from __future__ import annotations

import re
from dataclasses import replace

import httpx

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.engine.signing_in import form_to
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import Accounts, LoggedIn, kept, renew
from ci.smoke.answers import refuses, text_of, told_redirect
from ci.smoke.examination import Examination
from ci.smoke.target import Credentials, Target

SELF_CONTAINED = re.compile(
    r"^(?:\.?[\w-]{4,}\.[\w-]{5,8}\.[\w-]{20,}|eyJ[\w-]+\.[\w-]*\.[\w-]+(?:\.[\w-]+){0,2}|Fe26\.2\*.+|.{20,}--[\w%=]{20,})$"
)
"""Sessions that are in the cookie itself: itsdangerous, JSON Web Tokens (RFC 7515, RFC 7516), iron, Rails."""


@declare(
    CheckSpec(
        id="smoke/logout",
        title="Logging out ends the session: its cookie and its tokens are dead",
        severity=Severity.HIGH,
        why="Who logs out on a shared machine trusts that nobody can go on in their name.",
        remediation="Delete the session on the server and check it at every request, also for tokens that name it.",
        references=("CWE-613", "OWASP ASVS 7.4.1"),
    )
)
def test_logout(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    login = smoke.login
    if login is None or login.logout is None:
        exam.skip("no logout is configured: write its path in gonogo.yaml, as in smoke.login.logout: /api/auth/logout")
    user = accounts.shared(target)
    alive = {
        how: credentials
        for how, credentials in _ways(user).items()
        if target.get(login.whoami, by=credentials).status_code == 200
    }
    if not alive:
        exam.without_answer(
            f"{login.whoami} does not know the logged-in user, so a logout cannot be told; see smoke/login"
        )
    if not refuses(target.get(login.whoami), login):
        exam.without_answer(f"{login.whoami} answers everybody, so a logout cannot be told; see smoke/protected-api")
    both, fields = _by_form(target, user, Credentials(user.cookies, bearer=user.token, csrf=user.by_cookie.csrf))
    answer = target.post(login.logout, by=both, data=fields)
    if answer.is_error:
        exam.finding(
            f"{login.logout} answered {answer.status_code}, wanted 200 or 204",
            url=target.at(login.logout),
            key="status",
            excerpt=text_of(answer),
        )
        return
    for how, credentials in alive.items():
        after = target.get(login.whoami, by=credentials, fresh=True)
        if refuses(after, login):
            continue
        told = f"after the logout {login.whoami} answered {told_redirect(after)} to the old {how}, wanted 401"
        lives_on = how == "cookie" and _is_gone_and_self_contained(target, user, answer)
        if lives_on:
            told += (
                "; the browser gave it up, but the session is in the cookie itself and lives on for who has copied it"
            )
        severity = Severity.LOW if lives_on else None
        exam.finding(told, url=target.at(login.whoami), key=how, severity=severity)
    if login.refresh and user.refresh_token:
        answer = renew(target, login.refresh, user.refresh_token)
        if answer.is_success:
            exam.finding(
                f"after the logout {login.refresh.path} still renewed the session",
                url=target.at(login.refresh.path),
                key="refresh",
            )


def _by_form(target: Target, user: LoggedIn, by: Credentials) -> tuple[Credentials, dict[str, str] | None]:
    """What a browser sends from the form that logs out, where a page of the user's has one: its CSRF token, mostly.

    The page may set cookies that belong to that token.
    """
    login = user.login
    if not login.form or login.logout is None:
        return by, None
    for path in dict.fromkeys((login.after or login.whoami, login.whoami)):
        page = target.get(path, by=by)
        if form := form_to(text_of(page), str(page.url), target.at(login.logout)):
            return replace(by, cookies=kept(by.cookies, page)), form.hidden
    return by, None


def _is_gone_and_self_contained(target: Target, user: LoggedIn, answer: httpx.Response) -> bool:
    """Whether the logout took the session from the browser, and no server could know that a copy of it is dead.

    Frameworks that sign or encrypt the whole session into a cookie choose this; what is copied lives until it expires.
    """
    left = kept(user.cookies, answer)
    changed = [value for name, value in user.cookies.items() if left.get(name) != value]
    stays_open = target.get(user.login.whoami, by=Credentials(cookies=left)).status_code == 200
    return not stays_open and any(SELF_CONTAINED.search(value) for value in changed)


def _ways(user: LoggedIn) -> dict[str, Credentials]:
    """The ways in which the logged-in user can be known, each alone."""
    ways = {}
    if user.cookies:
        ways["cookie"] = user.by_cookie
    if user.token:
        ways["token"] = user.by_token
    return ways
