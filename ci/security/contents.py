"""What pages load, link to and give away in addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from ci.engine.check import check
from ci.engine.http import origin
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.judging import Judged, seen, wrong
from ci.security.markup import markup_of
from ci.security.surface import Surface

_TELLING_NAME = re.compile(
    r"(?i)^(?:(?:access|refresh|id|auth|session|bearer)[-_]?token|jwt|session[-_]?id|sid|sess|phpsessid|jsessionid"
    r"|password|passwd|api[-_]?key|secret)$"
)
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*")
_PATH_SESSION = re.compile(r"(?i);(?:jsessionid|sid)=[\w.-]{8,}")
_SHORTEST_TOKEN = 8


@check(
    CheckSpec(
        id="security/subresource-integrity",
        title="Scripts of other sites carry the hash of what was reviewed",
        severity=Severity.LOW,
        why="Whoever takes over the other site's server puts a script into every page that loads from it.",
        remediation='Serve the script yourself, or add `integrity="sha384-…" crossorigin="anonymous"` to its element.',
        references=("W3C Subresource Integrity", "CWE-353", "CWE-829"),
    )
)
def subresource_integrity(surface: Surface) -> Judged:
    spec = subresource_integrity.spec
    for page in surface.pages:
        foreign = [script for script in markup_of(page).scripts if origin(script.url) != origin(page.url)]
        for script in foreign:
            if not script.integrity:
                shown = script.url[:120]
                yield wrong(spec, page, f"{page.url} loads {shown} without an integrity hash", key=_place(script.url))
        if all(script.integrity for script in foreign):
            yield seen(
                page, f"{len(foreign)} scripts of other sites, all with their hash" if foreign else "own scripts"
            )


@check(
    CheckSpec(
        id="security/mixed-content",
        title="No page of HTTPS loads or sends anything over plain HTTP",
        severity=Severity.MEDIUM,
        why="What is loaded over plain HTTP can be replaced on the way; what a form sends so can be read.",
        remediation="Write the addresses with https, and add `upgrade-insecure-requests` to the policy.",
        references=("W3C Mixed Content", "CWE-319", "CWE-311"),
    )
)
def mixed_content(surface: Surface) -> Judged:
    spec = mixed_content.spec
    secure = [page for page in surface.pages if page.is_https]
    if surface.pages and not secure:
        raise NotApplicable("no page comes over HTTPS, so nothing can be mixed into it; see security/hsts")
    for page in secure:
        markup = markup_of(page)
        addresses = [*markup.loads, *(("form", action) for action in markup.forms)]
        insecure = [(element, url) for element, url in addresses if url.lower().startswith("http://")]
        for element, url in insecure:
            what = "sends a form to" if element == "form" else f"loads <{element}> from"
            yield wrong(spec, page, f"{page.url} {what} {url[:120]}", key=f"{element} {_place(url)}")
        if not insecure:
            yield seen(page, f"{len(addresses)} addresses, none over plain HTTP")


@check(
    CheckSpec(
        id="security/token-in-url",
        title="No redirect or link carries a token, session id or password",
        severity=Severity.MEDIUM,
        why="Addresses end up in histories, logs, proxies and Referer headers, and with them whatever they carry.",
        remediation="Send tokens in a cookie, a header or the body; after OAuth exchange a one-time code.",
        references=("RFC 9700, section 4.3.2", "RFC 6750, section 2.3", "CWE-598"),
    )
)
def token_in_url(surface: Surface) -> Judged:
    spec = token_in_url.spec
    answers = surface.everything
    leading = [[*([answer.location] if answer.location else []), *markup_of(answer).links] for answer in answers]
    if answers and not any(leading):
        raise NotApplicable(
            f"none of {len(answers)} answers links or redirects anywhere: name pages with links in security.pages, "
            "and protected pages, which lead to the login, in smoke.protected"
        )
    for answer, addresses in zip(answers, leading, strict=True):
        found = sorted({what for address in addresses for what in _secrets_in(address)})
        for what in found:
            yield wrong(spec, answer, f"{answer.url} leads to an address that carries {what}", key=what, shows=what)
        if not found:
            yield seen(answer, f"{len(addresses)} addresses without tokens")


def _secrets_in(address: str) -> Iterator[str]:
    """The names of what should not be there; the values are left where they are."""
    parts = urlsplit(address)
    for place, text in (("the query", parts.query), ("the fragment", parts.fragment)):
        for name, value in parse_qsl(text, max_num_fields=200) if text.count("&") < 200 else ():
            if _TOKEN.search(value) or (_TELLING_NAME.search(name) and len(value) >= _SHORTEST_TOKEN):
                yield f"`{name}` in {place}"
    if _PATH_SESSION.search(parts.path):
        yield "a session id in the path"


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"
