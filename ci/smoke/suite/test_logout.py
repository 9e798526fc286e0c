"""Does a logout end the session for good?"""

from __future__ import annotations

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import Accounts, LoggedIn, renew
from ci.smoke.answers import refuses, text_of, told_redirect
from ci.smoke.examination import Examination
from ci.smoke.target import Credentials, Target


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
    both = Credentials(cookies=user.cookies, bearer=user.token, csrf=user.by_cookie.csrf)
    answer = target.post(login.logout, by=both)
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
        if not refuses(after, login):
            exam.finding(
                f"after the logout {login.whoami} answered {told_redirect(after)} to the old {how}, wanted 401",
                url=target.at(login.whoami),
                key=how,
            )
    if login.refresh and user.refresh_token:
        answer = renew(target, login.refresh, user.refresh_token)
        if answer.is_success:
            exam.finding(
                f"after the logout {login.refresh.path} still renewed the session",
                url=target.at(login.refresh.path),
                key="refresh",
            )


def _ways(user: LoggedIn) -> dict[str, Credentials]:
    """The ways in which the logged-in user can be known, each alone."""
    ways = {}
    if user.cookies:
        ways["cookie"] = user.by_cookie
    if user.token:
        ways["token"] = user.by_token
    return ways
