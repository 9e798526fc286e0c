"""Are access tokens believed only when they are genuine and alive?"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.errors import CannotRun
from ci.model import CheckSpec, ErrorKind, Severity
from ci.smoke.accounts import Accounts
from ci.smoke.answers import json_of, refuses, told_redirect
from ci.smoke.examination import Examination
from ci.smoke.forgeries import claims_of, confusions, forgeries, head_of, well_known_key
from ci.smoke.suite.test_protection import protected_endpoints
from ci.smoke.target import ANONYMOUS, Credentials, Target

KEY_SETS = ("/.well-known/jwks.json", "/api/auth/jwks", "/jwks.json")
"""Where applications publish the keys that their tokens are verified with (RFC 7517)."""

NO_LOGIN = "no login is configured: describe it in gonogo.yaml under smoke.login"


@declare(
    CheckSpec(
        id="smoke/forged-token",
        title="Tokens that are unsigned, signed by another key or tampered with are refused",
        severity=Severity.CRITICAL,
        why="Whoever can write their own token is any user they like, administrators included.",
        remediation=(
            "Verify the signature with one fixed algorithm and your own key before any claim is "
            "read; never accept `alg: none`."
        ),
        references=("RFC 8725, sections 2.1 and 3.1", "CWE-347", "OWASP API Security Top 10 API2:2023"),
    )
)
def test_forged_tokens(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    paths = _closed(target, protected_endpoints(exam, smoke), smoke)
    genuine = _genuine_token(target, accounts)
    if genuine and (key := well_known_key(genuine)):
        exam.finding(
            f"the access token is signed with the well-known key `{key}`, so anybody can write one; make a key of 256 "
            "random bits, and end every session",
            url=target.at(smoke.login.path if smoke.login else "/"),
            key="well-known key",
        )
    for what, token in (*forgeries(genuine), *(_confusions(target, genuine) if genuine else ())):
        for path in paths:
            _judge(target, exam, path, what, token, smoke)


@declare(
    CheckSpec(
        id="smoke/expired-token",
        title="An expired token is refused",
        severity=Severity.HIGH,
        why="A token that never dies is a password that nobody can change.",
        remediation="Verify the claim `exp` of every token, with a leeway of at most a minute.",
        references=("RFC 7519, section 4.1.4", "CWE-613"),
    )
)
def test_expired_token(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    if smoke.login is None:
        exam.skip(NO_LOGIN)
    variable = smoke.login.expired_token
    if variable is None:
        exam.skip(
            "no expired token is at hand: keep a genuine, expired one in a secret, "
            "and name its environment variable in smoke.login.expired_token"
        )
    token = accounts.value_of(variable)
    expires = (claims_of(token) or {}).get("exp")
    if isinstance(expires, int | float) and expires > time.time():
        raise CannotRun(ErrorKind.MISCONFIGURED, f"the token in {variable} has not expired yet; put an older one there")
    (path,) = _closed(target, (smoke.login.whoami,), smoke)
    _judge(target, exam, path, "an expired token", token, smoke)


@declare(
    CheckSpec(
        id="smoke/token-lifetime",
        title="Access tokens are short-lived",
        severity=Severity.MEDIUM,
        why="A stolen access token works until it expires: the shorter it lives, the less it is worth.",
        remediation=(
            "Give access tokens a lifetime of minutes and renew them by a refresh token; see smoke.login.max_token_age."
        ),
        references=("RFC 9700, section 2.2", "RFC 7519, section 4.1.4", "CWE-613"),
    )
)
def test_token_lifetime(target: Target, exam: Examination, smoke: Smoke, accounts: Accounts) -> None:
    if smoke.login is None:
        exam.skip(NO_LOGIN)
    token = accounts.shared(target).token
    exam.saw("the test user is logged in")
    claims = claims_of(token or "")
    if claims is None:
        exam.skip(
            "the login gives no JSON Web Token, so its lifetime cannot be read; nothing is to be done for opaque tokens"
        )
    url = target.at(smoke.login.path)
    expires, longest = claims.get("exp"), smoke.login.max_token_age.total_seconds()
    if not isinstance(expires, int | float):
        exam.finding(
            "the access token has no claim `exp`, so it lives for ever; give it a lifetime of minutes",
            url=url,
            key="exp",
        )
        return
    begins = claims.get("iat")
    lifetime = expires - (begins if isinstance(begins, int | float) else time.time())
    exam.note(f"the access token lives for {lifetime:.0f} s; at most {longest:.0f} s are allowed")
    if lifetime > longest:
        exam.finding(
            f"the access token lives for {lifetime:.0f} s, wanted at most {longest:.0f} s (smoke.login.max_token_age)",
            url=url,
            key="age",
        )


def _closed(target: Target, paths: tuple[str, ...], smoke: Smoke) -> tuple[str, ...]:
    """Those endpoints that refuse strangers: an open one would believe any token, and so tell nothing."""
    answers = {path: _ask(target, path, ANONYMOUS) for path in paths}
    closed = tuple(path for path, answer in answers.items() if refuses(answer, smoke.login))
    if not closed:
        told = ", ".join(f"{path} answered {told_redirect(answer)}" for path, answer in answers.items())
        target.exam.without_answer(f"{told} to a stranger, so no token is asked for; see smoke/protected-api")
    return closed


def _ask(target: Target, path: str, by: Credentials) -> httpx.Response:
    """GET it, or POST nothing when it does not take GET."""
    answer = target.get(path, by=by)
    return target.post(path, by=by, json={}) if answer.status_code == 405 else answer


def _genuine_token(target: Target, accounts: Accounts) -> str | None:
    """The test user's token as a pattern for forgeries. Without one they are made up, and prove less."""
    if accounts.login is None:
        return None
    try:
        token = accounts.shared(target).token
    except (CannotRun, httpx.TransportError) as reason:
        target.exam.note(f"no genuine token to forge after: {reason}")
        return None
    return token if claims_of(token or "") is not None else None


def _confusions(target: Target, genuine: str) -> Iterator[tuple[str, str]]:
    """Forgeries with the application's public key, where its tokens are verified with one that it publishes."""
    if head_of(genuine).get("alg", "HS256").startswith("HS"):
        return
    for path in KEY_SETS:
        if (published := json_of(target.get(path))) is not None:
            yield from confusions(genuine, published)
            return


def _judge(target: Target, exam: Examination, path: str, what: str, token: str, smoke: Smoke) -> None:
    answer = _ask(target, path, Credentials(bearer=token))
    if not refuses(answer, smoke.login):
        exam.finding(
            f"{path} answered {told_redirect(answer)} to {what}, wanted 401 or 403", url=target.at(path), key=what
        )
