"""Where a login sends people on, and what it tells strangers."""

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
from ci.security.markup import markup_of
from ci.security.setcookie import cookies_of
from ci.security.visit import Visit, gather

ELSEWHERE = "gonogo.invalid"
MOST_PAGES = 3
PARAMETERS = ("next", "redirect", "redirect_to", "return_to", "returnTo", "returnUrl", "callbackUrl", "continue", "url")
TRICKS = (f"https://{ELSEWHERE}/", f"//{ELSEWHERE}/", f"/\\{ELSEWHERE}/", f"/\t/{ELSEWHERE}/")
"""Addresses of another site, as they get past careless looks at them (WHATWG URL, section 4.4)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A page that was asked to send its visitor to another site."""

    answer: Answer
    parameter: str
    trick: str


async def ask_to_be_sent(visit: Visit) -> tuple[Sent, ...]:
    """Ask the login and other pages that send people on, as a stranger and as the test user."""
    config = visit.run.config
    login = config.smoke.login
    known = [login.page] if login and login.page else []
    pages = tuple(dict.fromkeys((*known, *config.security.redirects)))[:MOST_PAGES]
    if not pages:
        raise NotApplicable("no page is known to send its visitors on: list them in security.redirects")
    stages: list[dict[str, str]] = [{}]
    if login:
        stages += [user.cookie] if (user := await visit.user()).cookie else []

    async def one(page: str, parameter: str, trick: str, who: dict[str, str]) -> Sent:
        query = f"{parameter}={quote(trick, safe='')}"
        return Sent(await visit.get(f"{page}{'&' if '?' in page else '?'}{query}", headers=who), parameter, trick)

    first = [one(page, name, TRICKS[0], who) for page in pages for name in PARAMETERS for who in stages]
    # The finer tricks are for the usual names, which are the ones that anybody has thought about.
    finer = [
        one(p, name, trick, who) for p in pages for name in PARAMETERS[:2] for trick in TRICKS[1:] for who in stages
    ]
    return await gather([*first, *finer])


@check(
    CheckSpec(
        id="security/open-redirect",
        title="The login sends nobody to another site",
        severity=Severity.MEDIUM,
        why="A link to the real login that ends at an attacker's copy of it is the best bait there is.",
        remediation="Send people on only to a path of your own: one slash, then no slash or backslash.",
        references=("CWE-601", "OWASP Unvalidated Redirects and Forwards Cheat Sheet", "OWASP WSTG-CLNT-04"),
    )
)
def open_redirect(sent: tuple[Sent, ...]) -> Judged:
    for item in sent:
        leads = item.answer.location
        if leads and urlsplit(leads).hostname == ELSEWHERE:
            how = f"redirects to {leads}"
        elif item.trick in markup_of(item.answer).values:
            how = f"puts the address {item.trick!r} into its markup as it came"
        else:
            yield seen(item.answer, f"`{item.parameter}` leads nowhere else")
            continue
        page = item.answer.url.partition("?")[0]
        key = f"{item.parameter} {'redirect' if leads else 'markup'}"
        yield wrong(open_redirect.spec, item.answer, f"{page}?{item.parameter}={item.trick!r} {how}", key=key)


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
    name = str(visit.known.account.body(login)[login.username_field])
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
