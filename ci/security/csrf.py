"""Requests that change something, sent as another site would make a user's browser send them."""

from __future__ import annotations

from dataclasses import dataclass

from ci.config.shape.smoke import Request
from ci.engine.check import check
from ci.engine.signing_in import of_own_site
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.visit import Visit

_ABOUT_THE_TOKEN = frozenset({401, 403, 419})


@dataclass(frozen=True, slots=True)
class Attempts:
    """The same request with the right token, with none, and with wrong ones."""

    right: Answer
    without: Answer
    wrong: tuple[Answer, ...]


async def try_forging(visit: Visit) -> Attempts:
    """Raises NotApplicable where no token is to be expected, and CannotRun when nothing can be learnt."""
    config = visit.run.config
    user = await visit.user()
    if user.login.csrf is None:
        raise NotApplicable("no CSRF token is configured: say in smoke.login.csrf which header and field carry it")
    if not user.cookie:
        raise NotApplicable("the login sets no cookie, so another site cannot send requests in the user's name")
    request = config.security.csrf or _changing(config.smoke.api)
    if request is None:
        raise NotApplicable("no request that changes something is configured: write one as security.csrf")
    if not user.csrf:
        raise CannotRun(
            ErrorKind.NO_DATA,
            f"the login sets no cookie `{user.login.csrf.cookie}` that would hold the CSRF token (smoke.login.csrf)"
            if user.login.csrf.cookie
            else f"the login's answer has no CSRF token at `{user.login.csrf.field}` (smoke.login.csrf)",
        )
    ((header, token),) = user.csrf.items()

    async def send(forged: dict[str, str]) -> Answer:
        # All come from the site's own page, so that the token alone makes the difference.
        headers = {**user.cookie, **of_own_site(visit.url), **forged}
        return await visit.ask(request.method, request.path, json=request.body or {}, headers=headers)

    return Attempts(
        without=await send({}),
        wrong=tuple([await send({header: value}) for value in ("gonogo" * 8, _altered(token))]),
        right=await send({header: token}),
    )


@check(
    CheckSpec(
        id="security/csrf-missing",
        title="A changing request without a CSRF token is refused",
        severity=Severity.HIGH,
        why="Any site can make a logged-in user's browser send requests; only the token shows that they were meant.",
        remediation="Demand the token on POST, PUT, PATCH and DELETE wherever a cookie opens the session; answer 403.",
        references=("CWE-352", "OWASP Cross-Site Request Forgery Prevention Cheat Sheet", "OWASP ASVS 3.5.1"),
    )
)
def csrf_missing(attempts: Attempts) -> Judged:
    _demand_conclusive(attempts)
    yield from _judge(csrf_missing.spec, attempts.without, "without a CSRF token")


@check(
    CheckSpec(
        id="security/csrf-wrong",
        title="A changing request with a wrong CSRF token is refused",
        severity=Severity.HIGH,
        why="A token that is only looked for, and not compared, is one that every attacker has.",
        remediation="Compare the token with the session's own, in constant time.",
        references=("CWE-352", "CWE-1254", "OWASP Cross-Site Request Forgery Prevention Cheat Sheet"),
    )
)
def csrf_wrong(attempts: Attempts) -> Judged:
    _demand_conclusive(attempts)
    for answer in attempts.wrong:
        yield from _judge(csrf_wrong.spec, answer, "with a wrong CSRF token")


@check(
    CheckSpec(
        id="security/csrf-accepts",
        title="A changing request with the right CSRF token is accepted",
        severity=Severity.MEDIUM,
        why="A check that refuses everybody gets switched off by the first who needs the button to work.",
        remediation="Compare with the token of the same session, and renew it only when the session is renewed.",
        references=("CWE-352", "OWASP Cross-Site Request Forgery Prevention Cheat Sheet"),
    )
)
def csrf_accepts(attempts: Attempts) -> Judged:
    answer = attempts.right
    if answer.status in _ABOUT_THE_TOKEN:
        told = f"{answer.method} {answer.url} answered {answer.status} with the session's own CSRF token"
        yield wrong(csrf_accepts.spec, answer, told, shows=answer.excerpt)
        return
    _demand_conclusive(attempts)
    yield seen(answer, "accepted with the right token")


def _demand_conclusive(attempts: Attempts) -> None:
    """When the right token does not help either, a refusal says nothing about tokens."""
    if not attempts.right.succeeded:
        answer = attempts.right
        raise CannotRun(
            ErrorKind.BAD_OUTPUT,
            f"{answer.method} {answer.url} answered {answer.status} even with the right CSRF token, so a refusal "
            "proves nothing; write a request that succeeds as security.csrf",
        )


def _judge(spec: CheckSpec, answer: Answer, how: str) -> Judged:
    if 400 <= answer.status < 500:
        yield seen(answer, f"refused {how}")
    else:
        told = f"{answer.method} {answer.url} answered {answer.status} {how}; wanted 403"
        yield wrong(spec, answer, told, key=answer.method)


def _changing(api: tuple[Request, ...]) -> Request | None:
    safe = {"GET", "HEAD", "OPTIONS"}
    return next((request for request in api if request.login and request.method not in safe), None)


def _altered(token: str) -> str:
    """The token with another first character: of the last one base64 may ignore some bits."""
    return ("A" if token[0] != "A" else "B") + token[1:]
