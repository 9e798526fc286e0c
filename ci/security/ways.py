"""Ways in beside the login: returns from providers, and forgotten passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from ci.engine.check import check
from ci.engine.http import origin
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.likeness import alike
from ci.security.setcookie import cookies_of
from ci.security.visit import Visit


@dataclass(frozen=True, slots=True)
class Callback:
    """What came of returning from an OAuth provider to an application that had not sent one there."""

    how: str
    answer: Answer


async def return_uninvited(visit: Visit) -> tuple[Callback, ...]:
    """Call every configured provider's redirect URI with states that are not this browser's."""
    ways = visit.run.config.smoke.oauth
    if not ways:
        raise NotApplicable("no OAuth provider is configured: list them under smoke.oauth")
    found: list[Callback] = []
    for way in ways:
        sent = (await visit.get(way.start)).location
        query = parse_qs(urlsplit(sent or "").query)
        returns_to, state = query.get("redirect_uri", [""])[0], query.get("state", [""])[0]
        path = urlsplit(returns_to).path
        if origin(returns_to) not in {origin(visit.url), origin(visit.run.config.target.production)} or not path:
            continue
        states = {"without a state": "", "with a made-up state": f"&state={secrets.token_urlsafe(24)}"}
        if state:
            states["with a state that was given to another browser"] = f"&state={quote(state, safe='')}"
        for how, text in states.items():
            found.append(Callback(how, await visit.get(f"{path}?code=gonogo-{secrets.token_hex(8)}{text}")))
    if not found:
        raise NotApplicable("no provider returns to the target, so no state can be tried; see smoke/oauth-redirect")
    return tuple(found)


@check(
    CheckSpec(
        id="security/oauth-state",
        title="A return from the OAuth provider counts only in the browser that was sent there",
        severity=Severity.HIGH,
        why="Otherwise an attacker's own code, in a link, logs a victim in as the attacker, or joins the two accounts.",
        remediation="Keep the state in a `__Host-` cookie of the browser, compare it at the return, and use it once.",
        references=("RFC 6749, section 10.12", "RFC 9700, section 4.7", "CWE-352"),
    )
)
def oauth_state(callbacks: tuple[Callback, ...]) -> Judged:
    for callback in callbacks:
        answer = callback.answer
        session = [cookie.name for cookie in cookies_of(answer) if cookie.opens_session and not cookie.removes]
        if 400 <= answer.status < 500 or (answer.location and not session):
            yield seen(answer, f"a return {callback.how} opens nothing")
        else:
            path = urlsplit(answer.url).path
            told = f"{path} went on {callback.how}: it answered {answer.status}"
            told += f" and set {', '.join(session)}" if session else "; wanted 400"
            yield wrong(oauth_state.spec, answer, told, key=callback.how, shows=answer.excerpt)


@dataclass(frozen=True, slots=True)
class Lookups:
    """The same question about the test user and about somebody who does not exist."""

    known: Answer
    unknown: Answer


async def look_up(visit: Visit) -> Lookups:
    """Ask the configured endpoint about both."""
    config = visit.run.config
    lookup, login = config.security.lookup, config.smoke.login
    if lookup is None:
        raise NotApplicable(
            "no endpoint that is given a user's name is configured: write the one for forgotten passwords "
            "as security.lookup"
        )
    if login is None:
        raise NotApplicable("security.lookup needs the test user's name: describe the login under smoke.login")
    name, _ = visit.known.account.names(login)
    _, at, domain = name.rpartition("@")
    stranger = f"gonogo-{secrets.token_hex(6)}{at}{domain}" if at else f"gonogo-{secrets.token_hex(6)}"

    async def about(who: str) -> Answer:
        return await visit.ask("POST", lookup.path, json={**lookup.body, lookup.field: who})

    return Lookups(await about(name), await about(stranger))


@check(
    CheckSpec(
        id="security/user-enumeration",
        title="Asking for a forgotten password does not tell who has an account",
        severity=Severity.MEDIUM,
        why="A list of who has an account is where guessing passwords and aimed bait begin.",
        remediation="Answer the same status and words for known and unknown names, and send the mail afterwards.",
        references=("CWE-204", "OWASP Forgot Password Cheat Sheet", "OWASP WSTG-IDNT-04"),
    )
)
def user_enumeration(lookups: Lookups) -> Judged:
    known, unknown = lookups.known, lookups.unknown
    if known.status != unknown.status:
        told = f"{known.url} answers {known.status} for a known name, {unknown.status} for an unknown one"
        yield wrong(user_enumeration.spec, known, told, key="status")
    elif not alike(known, unknown):
        told = f"{known.url} answers a known name with other words than an unknown one"
        yield wrong(user_enumeration.spec, known, told, key="body")
    else:
        yield seen(known, "the same answer for a known and an unknown name")
