"""Does a session renew itself, and does each refresh token work only once?"""

from __future__ import annotations

from ci.config.shape.smoke import Refresh, Smoke
from ci.engine.check import declare
from ci.engine.identity import dotted
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import REFUSED, Accounts, renew
from ci.smoke.answers import json_of, told_redirect
from ci.smoke.examination import Examination
from ci.smoke.target import Credentials, Target


@declare(
    CheckSpec(
        id="smoke/refresh",
        title="A refresh token gives a new access token that works",
        severity=Severity.HIGH,
        why="Without it every user is thrown out when the first access token expires.",
        remediation="Look at the application's logs for this refresh, and at the field names in smoke.login.refresh.",
        references=("RFC 6749, section 6",),
    )
)
def test_refresh(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    refresh = _configured(exam, smoke)
    user = accounts.renewable(target)
    if user.refresh_token is None:
        exam.finding(
            f"the login gives no refresh token at `{refresh.field}`; correct smoke.login.refresh.field",
            url=target.at(user.login.path),
            key="field",
        )
        return
    answer = renew(target, refresh, user.refresh_token)
    if not answer.is_success:
        exam.finding(
            f"{refresh.path} answered {told_redirect(answer)} to a new refresh token, wanted 200",
            url=target.at(refresh.path),
            key="status",
        )
        return
    accounts.renewed = True
    token = dotted(json_of(answer), user.login.token) if user.login.token else None
    if not isinstance(token, str):
        exam.finding(
            f"{refresh.path} answered {answer.status_code} without a new token at `{user.login.token}`",
            url=target.at(refresh.path),
            key="token",
        )
        return
    whoami = target.get(user.login.whoami, by=Credentials(bearer=token))
    if whoami.status_code != 200:
        exam.finding(
            f"{user.login.whoami} answered {told_redirect(whoami)} to the renewed token, wanted 200",
            url=target.at(user.login.whoami),
            key="whoami",
        )


@declare(
    CheckSpec(
        id="smoke/refresh-rotation",
        title="A refresh token dies when it is used",
        severity=Severity.HIGH,
        why="A refresh token that works for ever lets its thief renew a stolen session again and again, unnoticed.",
        remediation=(
            "Give a new refresh token at each use, refuse the old one, and end the session when it comes again."
        ),
        references=("RFC 9700, section 4.14.2", "CWE-613"),
    )
)
def test_refresh_rotation(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    refresh = _configured(exam, smoke)
    user = accounts.renewable(target)
    if user.refresh_token is None:
        exam.without_answer("the login gives no refresh token; see smoke/refresh")
    if not accounts.renewed:
        first = renew(target, refresh, user.refresh_token)
        if not first.is_success:
            exam.without_answer(
                f"{refresh.path} answered {first.status_code} at the first use already; see smoke/refresh"
            )
    again = renew(target, refresh, user.refresh_token)
    if again.status_code not in REFUSED:
        exam.finding(
            f"{refresh.path} answered {told_redirect(again)} to a refresh token that was used before, wanted 401",
            url=target.at(refresh.path),
            key="reused",
        )


def _configured(exam: Examination, smoke: Smoke) -> Refresh:
    if smoke.login is None or smoke.login.refresh is None:
        exam.skip(
            "no refresh is configured: describe it in gonogo.yaml, as in smoke.login.refresh: {path: /api/auth/refresh}"
        )
    return smoke.login.refresh
