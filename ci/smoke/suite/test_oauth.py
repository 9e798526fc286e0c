"""Do the ways in by other providers begin as they must?"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from ci.config.shape.smoke import OAuth, Smoke
from ci.engine.check import declare
from ci.engine.http import origin
from ci.model import CheckSpec, Severity
from ci.smoke.answers import told_redirect
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.target import Target

SHORTEST_STATE = 16
"""Characters of `state`, below which it can be guessed."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # a SHA-256 in base64url (RFC 7636, section 4.2)


@declare(
    CheckSpec(
        id="smoke/oauth-redirect",
        title="The way to an OAuth provider carries client id, exact redirect URI, a fresh state and PKCE",
        severity=Severity.HIGH,
        why=(
            "Without state or PKCE a login can be hijacked; with a wrong client id or redirect URI "
            "nobody can log in at all."
        ),
        remediation=(
            "Build the authorisation URL with a maintained OAuth library, and register the exact "
            "redirect URI with the provider."
        ),
        references=("RFC 6749, section 4.1.1", "RFC 7636, section 4.3", "RFC 9700, section 2.1"),
    )
)
def test_oauth_redirects(target: Target, exam: Examination, smoke: Smoke, job: Job) -> None:
    if not smoke.oauth:
        exam.skip(
            "no OAuth provider is configured: list them in gonogo.yaml under smoke.oauth, each with "
            "`start` and `authorize`"
        )
    for way in smoke.oauth:
        _examine(target, exam, way, production=job.config.target.production)


def _examine(target: Target, exam: Examination, way: OAuth, *, production: str) -> None:
    asked = [_parameters(target, exam, way) for _ in range(2)]
    first, second = asked
    if first is None or second is None:
        return

    def wrong(key: str, message: str) -> None:
        exam.finding(f"{way.start}: {message}", url=target.at(way.start), key=key)

    client = first.get("client_id", "")
    if not client or (way.client_id and client != way.client_id):
        wrong(
            "client_id",
            f"`client_id` is {client or 'missing'}, wanted {way.client_id or 'the id that the provider gave'}",
        )
    returns_to = first.get("redirect_uri", "")
    if problem := _wrong_return(returns_to, way, target.url, production):
        wrong("redirect_uri", problem)
    if first.get("response_type") != "code":
        wrong("response_type", f"`response_type` is {first.get('response_type', 'missing')}, wanted `code`")
    states = first.get("state", ""), second.get("state", "")
    if min(map(len, states)) < SHORTEST_STATE:
        wrong(
            "state",
            f"`state` is {'too short to be secret' if all(states) else 'missing'}; send a random one "
            "each time (CWE-352)",
        )
    elif states[0] == states[1]:
        wrong("state", "`state` was the same twice, wanted a new random one each time (CWE-352)")
    if way.pkce:
        _judge_pkce(wrong, first, second)


def _judge_pkce(wrong: Callable[[str, str], None], first: dict[str, str], second: dict[str, str]) -> None:
    challenges = first.get("code_challenge", ""), second.get("code_challenge", "")
    if not all(_CHALLENGE.fullmatch(challenge) for challenge in challenges):
        wrong(
            "code_challenge", "`code_challenge` is missing or no SHA-256 in base64url; use PKCE (or set `pkce: false`)"
        )
    elif challenges[0] == challenges[1]:
        wrong("code_challenge", "`code_challenge` was the same twice, wanted a new one each time")
    if (method := first.get("code_challenge_method")) != "S256":
        wrong("code_challenge_method", f"`code_challenge_method` is {method or 'missing'}, wanted S256")


def _parameters(target: Target, exam: Examination, way: OAuth) -> dict[str, str] | None:
    """What the redirect to the provider carries, or None when there is no such redirect."""
    answer = target.get(way.start)
    location = answer.headers.get("location", "") if answer.is_redirect else ""
    there, wanted = urlsplit(location), urlsplit(way.authorize)
    if (origin(location), there.path.rstrip("/")) != (origin(way.authorize), wanted.path.rstrip("/")):
        exam.finding(
            f"{way.start} answered {told_redirect(answer)}, wanted a redirect to {way.authorize}",
            url=target.at(way.start),
            key="authorize",
        )
        return None
    return {name: values[0] for name, values in parse_qs(there.query).items()}


def _wrong_return(returns_to: str, way: OAuth, target: str, production: str) -> str | None:
    """How the redirect URI is wrong: it must be exact where it is configured, and of this application elsewhere."""
    if way.redirect_uri:
        wanted = way.redirect_uri.replace("{target}", target)
        return None if returns_to == wanted else f"`redirect_uri` is {returns_to or 'missing'}, wanted exactly {wanted}"
    if origin(returns_to) in (origin(target), origin(production)):
        return None
    return f"`redirect_uri` is {returns_to or 'missing'}, wanted one on {target}"
