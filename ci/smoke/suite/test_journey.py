"""Can a person log in with a browser?"""

from __future__ import annotations

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.model import CheckSpec, Severity
from ci.smoke.accounts import Accounts
from ci.smoke.browsing import Browsing
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.journey import log_in


@declare(
    CheckSpec(
        id="smoke/login-journey",
        title="A person can log in by the form, arrives where they should, and stays logged in",
        severity=Severity.CRITICAL,
        why="The API may work and still nobody gets in, when the form, its script or its cookie is broken.",
        remediation="Log in by hand with the console open, and look at the screenshot in the evidence folder.",
        references=(
            "https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#form-submission-algorithm",
            "RFC 6265",
        ),
        timeout_s=120,
    )
)
def test_login_journey(exam: Examination, browser: Browsing, smoke: Smoke, accounts: Accounts, job: Job) -> None:
    login = smoke.login
    if login is None or login.page is None:
        exam.skip("no login page is configured: write it in gonogo.yaml, as in smoke.login.page: /login")
    username, password = accounts.value_of(login.username), accounts.value_of(login.password)
    log_in(
        exam, browser, login, username, password, width=max(smoke.widths.values(), default=1280), evidence=job.evidence
    )
