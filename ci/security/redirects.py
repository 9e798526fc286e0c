"""Where the application sends people who ask to be sent on: to its own pages, or to anybody's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.markup import markup_of
from ci.security.surface import FOREIGN_HOST, FOREIGN_ORIGIN
from ci.security.visit import Visit, gather

MOST_PAGES = 3
WITHIN = "/gonogo-within/{}/"
"""A path of the application's own for each parameter: one that is followed is worth the finer tricks."""
PARAMETERS = (
    *("next", "redirect", "redirect_to", "return_to", "returnTo", "returnUrl", "callbackUrl", "continue", "url"),
    *("return", "goto", "dest", "destination", "to", "rd"),
)
TRICKS = (
    f"{FOREIGN_ORIGIN}/",
    f"//{FOREIGN_HOST}/",
    f"/\\{FOREIGN_HOST}/",
    f"/\t/{FOREIGN_HOST}/",
    "javascript:/*gonogo*/",
)
"""Addresses of another site, as they get past careless looks at them (WHATWG URL, section 4.4)."""
TRIED_AT_LOGIN = 3
"""Tricks that are tried with a login each; logins are few."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A page that was asked to send its visitor to another site."""

    answer: Answer
    parameter: str
    trick: str

    @property
    def leads_away(self) -> str | None:
        """How the answer does as it was asked, or None."""
        leads = self.answer.location
        if leads:
            # What a redirect's own page links to nobody sees.
            host = urlsplit(leads).hostname or ""
            return f"redirects to {leads}" if host == FOREIGN_HOST or host.endswith(f".{FOREIGN_HOST}") else None
        leading = [address.strip() for address in markup_of(self.answer).leading]
        if any(address == self.trick.strip() for address in leading):
            return f"puts the address {self.trick!r} into its markup as it came"
        return None


async def ask_to_be_sent(visit: Visit) -> tuple[Sent, ...]:
    """Ask the login and other pages that send people on, as a stranger, as the test user, and by a login."""
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
        return Sent(await visit.get(_asking(page, parameter, trick), headers=who), parameter, trick)

    followed = {page: await _followed(visit, page, stages) for page in pages}
    first = await gather(one(page, name, TRICKS[0], who) for page in pages for name in PARAMETERS for who in stages)
    # The finer tricks are for parameters that are followed, and for the name that everybody uses.
    worth = [(page, name) for page in pages for name in dict.fromkeys((PARAMETERS[0], *followed[page]))]
    finer = await gather(
        one(page, name, trick, who) for page, name in worth for trick in _finer(visit.url) for who in stages
    )
    return (*first, *finer, *[sent async for sent in _by_login(visit, followed)])


async def _followed(visit: Visit, page: str, stages: list[dict[str, str]]) -> tuple[str, ...]:
    """The parameters that the page follows, or shows: all are asked at once, each with a path of its own."""
    asked = page
    for name in PARAMETERS:
        asked = _asking(asked, name, WITHIN.format(name))
    answers = await gather(visit.get(asked, headers=who) for who in stages)
    told = "\n".join(f"{answer.location}\n{answer.text}" for answer in answers)
    return tuple(name for name in PARAMETERS if WITHIN.format(name) in told)


async def _by_login(visit: Visit, followed: dict[str, tuple[str, ...]]) -> AsyncIterator[Sent]:
    """Log in at a form that was asked to send on: most frameworks redirect nobody before."""
    login = visit.run.config.smoke.login
    if not (login and login.form and login.page):
        return
    for name in followed.get(login.page, ())[:1]:
        for trick in TRICKS[:TRIED_AT_LOGIN]:
            yield Sent(await visit.known.account.log_in_at(visit, _asking(login.page, name, trick)), name, trick)


def _asking(page: str, parameter: str, where: str) -> str:
    return f"{page}{'&' if '?' in page else '?'}{parameter}={quote(where, safe='')}"


def _finer(url: str) -> tuple[str, ...]:
    """The tricks beyond a plain address, those among them that begin like the target's own."""
    parts = urlsplit(url)
    own = f"{parts.scheme}://{parts.hostname}"
    return (*TRICKS[1:], f"{own}.{FOREIGN_HOST}/", f"{own}@{FOREIGN_HOST}/")


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
        how = item.leads_away
        if how is None:
            yield seen(item.answer, f"`{item.parameter}` leads nowhere else")
            continue
        page = item.answer.url.partition("?")[0]
        by = "a login at " if item.answer.method == "POST" else ""
        key = f"{item.parameter} {'redirect' if item.answer.location else 'markup'}"
        yield wrong(open_redirect.spec, item.answer, f"{by}{page}?{item.parameter}={item.trick!r} {how}", key=key)
