"""Cookies, as pages and the login set them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Evidence, Severity
from ci.security.account import NO_LOGIN, User
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.setcookie import SetCookie, cookies_of
from ci.security.surface import fetch_surface
from ci.security.visit import Visit, gather

MOST_COOKIES = 6
"""Cookies of a login that are tried for opening the session."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A login whose request carried a session cookie that somebody else had chosen."""

    name: str
    value: str
    answer: Answer
    opened: bool
    """Whether the chosen value opens the session afterwards."""


@dataclass(frozen=True, slots=True)
class Jar:
    """Every answer that may set a cookie."""

    answers: tuple[Answer, ...]
    session_names: frozenset[str]
    """Cookies that open a session, by their configured name."""
    proven: frozenset[str]
    """Cookies without which the login's session does not open, whatever their names are."""
    max_session_age_s: float
    user: User | None
    planted: Planted | None

    @property
    def cookies(self) -> tuple[tuple[Answer, SetCookie], ...]:
        """Each cookie once, where it was first set."""
        found: dict[tuple[str, str], tuple[Answer, SetCookie]] = {}
        for answer in self.answers:
            for cookie in cookies_of(answer):
                if not cookie.removes:
                    found.setdefault((cookie.name, str(sorted(cookie.attributes))), (answer, cookie))
        return tuple(found.values())

    def opens_session(self, cookie: SetCookie) -> bool:
        if self.session_names:
            return cookie.name in self.session_names
        return cookie.name in self.proven or cookie.opens_session

    @property
    def sessions(self) -> tuple[tuple[Answer, SetCookie], ...]:
        return tuple((answer, cookie) for answer, cookie in self.cookies if self.opens_session(cookie))


async def collect_cookies(visit: Visit) -> Jar:
    """The cookies of the surface and, where a login is configured, of the test user's login."""
    config = visit.run.config
    surface = await fetch_surface(visit)
    user = await visit.user() if config.smoke.login else None
    jar = Jar(
        answers=(*surface.everything, *([user.answer] if user else [])),
        session_names=frozenset(config.security.session_cookies),
        proven=await _prove(visit, user) if user else frozenset(),
        max_session_age_s=config.security.max_session_age.total_seconds(),
        user=user,
        planted=None,
    )
    planted = await _plant(visit, user, jar) if user else None
    return replace(jar, planted=planted)


async def _prove(visit: Visit, user: User) -> frozenset[str]:
    """Leave out one cookie after the other: without the one that opens the session the user is a stranger."""
    held = user.jar
    if not held or not (await visit.get(user.login.whoami, headers=user.cookie)).succeeded:
        return frozenset()

    async def closes(name: str) -> bool:
        rest = "; ".join(f"{other}={value}" for other, value in held.items() if other != name)
        return not (await visit.get(user.login.whoami, headers={"cookie": rest} if rest else {})).succeeded

    names = tuple(held)[:MOST_COOKIES]
    found = await gather(closes(name) for name in names)
    return frozenset(name for name, needed in zip(names, found, strict=True) if needed)


async def _plant(visit: Visit, user: User, jar: Jar) -> Planted | None:
    """Log in once more, with a session cookie from before the login: the server's own, or else a made-up one."""
    names = [cookie.name for cookie in user.set_cookies if not cookie.removes and jar.opens_session(cookie)]
    if not names:
        return None
    name = names[0]
    before = [cookie.value for answer, cookie in jar.cookies if answer is not user.answer and cookie.name == name]
    value = before[0] if before else secrets.token_urlsafe(32)
    answer = await visit.known.account.log_in_with(visit, name, value)
    after = await visit.get(user.login.whoami, headers={"cookie": f"{name}={value}"})
    return Planted(name, value, answer, after.succeeded)


@check(
    CheckSpec(
        id="security/cookie-secure",
        title="Every cookie stays off plain HTTP",
        severity=Severity.HIGH,
        why="A cookie without Secure goes out with any plain request, where whoever listens takes the session.",
        remediation="Set the attribute `Secure` on every cookie.",
        references=("RFC 6265bis, section 5.7", "CWE-614", "OWASP Session Management Cheat Sheet"),
    )
)
def cookie_secure(jar: Jar) -> Judged:
    for answer, cookie in jar.cookies:
        if not cookie.secure:
            told = f"{answer.url} sets the cookie {cookie.name} without Secure"
            severity = Severity.HIGH if jar.opens_session(cookie) else Severity.MEDIUM
            yield wrong(cookie_secure.spec, answer, told, key=cookie.name, severity=severity)
        else:
            yield seen(answer, f"cookie {cookie.name} is Secure")
    if not jar.cookies:
        yield from _no_cookie(jar)


@check(
    CheckSpec(
        id="security/cookie-httponly",
        title="Scripts cannot read session cookies",
        severity=Severity.HIGH,
        why="One injected script reads a cookie without HttpOnly and sends the session away.",
        remediation="Set the attribute `HttpOnly` on every cookie that opens a session.",
        references=("RFC 6265bis, section 5.7", "CWE-1004", "OWASP Session Management Cheat Sheet"),
    )
)
def cookie_httponly(jar: Jar) -> Judged:
    for answer, cookie in jar.sessions:
        if not cookie.http_only:
            told = f"{answer.url} sets the session cookie {cookie.name} without HttpOnly"
            yield wrong(cookie_httponly.spec, answer, told, key=cookie.name)
        else:
            yield seen(answer, f"session cookie {cookie.name} is HttpOnly")
    if not jar.sessions:
        yield from _no_session(jar)


@check(
    CheckSpec(
        id="security/cookie-samesite",
        title="Other sites' requests do not carry session cookies",
        severity=Severity.MEDIUM,
        why="A session cookie that goes along with other sites' requests lets them act in the user's name.",
        remediation="Set `SameSite=Lax` (or Strict) on session cookies; `None` only where another site embeds you, "
        "and then with Secure.",
        references=("RFC 6265bis, section 5.7.7", "CWE-1275", "CWE-352"),
    )
)
def cookie_samesite(jar: Jar) -> Judged:
    for answer, cookie in jar.sessions:
        if cookie.same_site in {"lax", "strict"}:
            yield seen(answer, f"session cookie {cookie.name} has SameSite={cookie.same_site}")
        else:
            given = f"SameSite={cookie.same_site}" if cookie.same_site else "no SameSite"
            told = f"{answer.url} sets the session cookie {cookie.name} with {given}; wanted Lax or Strict"
            yield wrong(cookie_samesite.spec, answer, told, key=cookie.name)
    if not jar.sessions:
        yield from _no_session(jar)


@check(
    CheckSpec(
        id="security/cookie-prefix",
        title="Cookies keep what their names promise",
        severity=Severity.MEDIUM,
        why="A browser drops a `__Host-` or `__Secure-` cookie that breaks its rules: then nobody stays logged in; "
        "without a prefix a subdomain can set the session cookie.",
        remediation="Name the session cookie `__Host-…` and send it with Secure, Path=/ and without Domain.",
        references=("RFC 6265bis, section 4.1.3", "CWE-784", "CWE-565"),
    )
)
def cookie_prefix(jar: Jar) -> Judged:
    for answer, cookie in jar.cookies:
        name = cookie.name.lower()
        broken = [] if cookie.secure else ["no Secure"]
        if name.startswith("__host-"):
            broken += ["a Domain"] if cookie.attributes.get("domain") else []
            broken += [] if cookie.attributes.get("path") == "/" else ["no Path=/"]
        if name.startswith(("__host-", "__secure-")) and broken:
            told = f"{answer.url} sets {cookie.name} with {' and '.join(broken)}, so browsers drop it"
            yield wrong(cookie_prefix.spec, answer, told, key=cookie.name)
        elif jar.opens_session(cookie) and not name.startswith(("__host-", "__secure-")):
            told = (
                f"{answer.url} sets the session cookie {cookie.name}, which subdomains may set too; name it `__Host-`"
            )
            yield wrong(cookie_prefix.spec, answer, told, key=cookie.name, severity=Severity.LOW)
        else:
            yield seen(answer, f"cookie {cookie.name} keeps what its name promises")
    if not jar.cookies:
        yield from _no_cookie(jar)


@check(
    CheckSpec(
        id="security/cookie-lifetime",
        title="Session cookies do not live for ever",
        severity=Severity.MEDIUM,
        why="A session that nobody ends stays open on every lost or shared device.",
        remediation="Give session cookies a Max-Age of hours or days, renewed on use; see security.max_session_age.",
        references=("CWE-613", "OWASP ASVS 7.3.2", "NIST SP 800-63B, section 5.2"),
    )
)
def cookie_lifetime(jar: Jar) -> Judged:
    limit = jar.max_session_age_s
    for answer, cookie in jar.sessions:
        age = cookie.lifetime_s
        if age is not None and age > limit:
            told = f"{answer.url} lets {cookie.name} live for {age / 86400:.0f} days; wanted at most {limit / 86400:g}"
            yield wrong(cookie_lifetime.spec, answer, told, key=cookie.name)
        else:
            lives = "until the browser is closed" if age is None else f"for {age / 3600:.1f} h"
            yield seen(answer, f"session cookie {cookie.name} lives {lives}")
    if not jar.sessions:
        yield from _no_session(jar)


@check(
    CheckSpec(
        id="security/session-fixation",
        title="The login replaces the session cookie that was there before",
        severity=Severity.HIGH,
        why="Whoever plants a session id in a victim's browser shares the victim's session once they log in.",
        remediation="Make a new session id at every login, and drop the one that the request carried.",
        references=("CWE-384", "OWASP Session Management Cheat Sheet: Renew the session ID", "OWASP ASVS 7.2.4"),
    )
)
def session_fixation(jar: Jar) -> Judged:
    if jar.user is None:
        raise NotApplicable(NO_LOGIN)
    if jar.planted is None:
        raise NotApplicable(
            "the login sets no session cookie that is known by its name: "
            "name it in security.session_cookies when there is one"
        )
    planted, answer = jar.planted, jar.planted.answer
    given = [cookie.value for cookie in cookies_of(answer) if cookie.name == planted.name and not cookie.removes]
    if planted.opened or planted.value in given:
        told = f"POST {answer.url} keeps the value of {planted.name} that the request brought along"
        yield wrong(session_fixation.spec, answer, told, key=planted.name)
    elif given:
        yield seen(answer, f"{planted.name} got a new value at the login")
    else:
        yield seen(answer, f"the value of {planted.name} from before the login opens nothing")


def _no_cookie(jar: Jar) -> Judged:
    """Without a cookie there is nothing to judge, unless a login that sets none was among what was seen.

    Raises NotApplicable.
    """
    count = len(jar.answers)
    if jar.user:
        yield Evidence(summary=f"no cookie is set by {count} answers, the login among them")
    elif count:
        raise NotApplicable(
            f"no cookie was set by {count} answers, and no login was among them: describe it under smoke.login, "
            "or name pages that set cookies in security.pages"
        )


def _no_session(jar: Jar) -> Judged:
    """As `_no_cookie`, for cookies that open a session."""
    if not jar.cookies:
        yield from _no_cookie(jar)
    elif jar.user and not jar.user.cookie:
        told = f"{len(jar.cookies)} cookies, but the login gives its session in the body"
        yield Evidence(summary=told)
    else:
        names = ", ".join(sorted({cookie.name for _, cookie in jar.cookies})[:5])
        more = "" if jar.user else ", or describe the login under smoke.login"
        raise NotApplicable(
            f"none of the cookies ({names}) opens a session by its name: "
            f"name the one that does in security.session_cookies{more}"
        )
