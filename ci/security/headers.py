"""Response headers that browsers need to protect the application's users."""

from __future__ import annotations

from collections.abc import Callable

from ci.engine.check import check
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.csp_policy import enforced, is_open, reported
from ci.security.hsts import parsed
from ci.security.judging import Judged, said, seen, wrong
from ci.security.surface import Surface

HSTS_MIN_AGE_S = 15_552_000
"""180 days, the least that MDN's HTTP Observatory accepts."""

SAFE_REFERRER_POLICIES = frozenset(
    {
        "no-referrer",
        "same-origin",
        "origin",
        "origin-when-cross-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
    }
)


@check(
    CheckSpec(
        id="security/hsts",
        title="Every answer tells the browser to use HTTPS only",
        severity=Severity.HIGH,
        why="Without HSTS somebody between a user and the site can keep the first request on plain HTTP and read it.",
        remediation="Send `Strict-Transport-Security: max-age=31536000; includeSubDomains` with every HTTPS answer.",
        references=("RFC 6797", "CWE-319", "OWASP Secure Headers: Strict-Transport-Security"),
    )
)
def hsts(surface: Surface) -> Judged:
    spec = hsts.spec
    for answer in surface.answers:
        if not answer.is_https:
            # A browser ignores the header over plain HTTP (RFC 6797, 8.1).
            yield wrong(spec, answer, f"{answer.url} is served over plain HTTP; wanted HTTPS with HSTS")
            continue
        value = answer.headers.get("strict-transport-security")
        age = parsed(value or "").max_age
        if value is None:
            yield wrong(spec, answer, f"{answer.url} sends no Strict-Transport-Security header")
        elif age is None:
            yield wrong(spec, answer, f"{answer.url} sends an HSTS header without a usable max-age: `{value}`")
        elif age < HSTS_MIN_AGE_S:
            yield wrong(spec, answer, f"{answer.url} limits HSTS to {age} s; wanted at least {HSTS_MIN_AGE_S} s")
        else:
            yield seen(answer, f"Strict-Transport-Security: {value}")


@check(
    CheckSpec(
        id="security/nosniff",
        title="No answer lets the browser guess its type",
        severity=Severity.MEDIUM,
        why="A browser that guesses may run an uploaded file or a JSON answer as a script.",
        remediation="Send `X-Content-Type-Options: nosniff` with every answer, errors included.",
        references=("WHATWG Fetch: X-Content-Type-Options", "CWE-430", "OWASP Secure Headers: X-Content-Type-Options"),
    )
)
def nosniff(surface: Surface) -> Judged:
    yield from _each(
        surface.answers,
        lambda a: (a.headers.get("x-content-type-options") or "").split(",")[0].strip().lower() == "nosniff",
        nosniff.spec,
        "x-content-type-options",
        "`X-Content-Type-Options: nosniff`",
    )


@check(
    CheckSpec(
        id="security/framing",
        title="No page can be framed by another site",
        severity=Severity.MEDIUM,
        why="A framed page can be laid invisibly under another one, so that users click what they do not see.",
        remediation="Send `Content-Security-Policy: frame-ancestors 'none'` (or 'self') and `X-Frame-Options: DENY`.",
        references=("W3C CSP Level 3: frame-ancestors", "RFC 7034", "CWE-1021"),
    )
)
def framing(surface: Surface) -> Judged:
    spec = framing.spec
    for answer in surface.pages:
        ancestors = [sources for policy in enforced(answer) if (sources := policy.own("frame-ancestors")) is not None]
        options = (answer.headers.get("x-frame-options") or "").strip().lower()
        # A browser that knows frame-ancestors ignores X-Frame-Options; of several policies the strictest wins.
        if ancestors:
            told = " and ".join(" ".join(sources) or "nobody" for sources in ancestors)
            if all(is_open(sources) for sources in ancestors):
                yield wrong(spec, answer, f"{answer.url} may be framed by anybody: frame-ancestors {told}")
            else:
                yield seen(answer, f"frame-ancestors {told}")
        elif options in {"deny", "sameorigin"}:
            yield seen(answer, f"X-Frame-Options: {options}")
        else:
            spoken = f"X-Frame-Options: {options}" if options else "neither frame-ancestors nor X-Frame-Options"
            yield wrong(spec, answer, f"{answer.url} may be framed by any site: it sends {spoken}")


@check(
    CheckSpec(
        id="security/referrer-policy",
        title="No page sends its full address to other sites",
        severity=Severity.MEDIUM,
        why="Addresses hold identifiers and sometimes tokens; the Referer header gives them to every site linked to.",
        remediation="Send `Referrer-Policy: strict-origin-when-cross-origin` with every page.",
        references=("W3C Referrer Policy", "CWE-200", "OWASP Secure Headers: Referrer-Policy"),
    )
)
def referrer_policy(surface: Surface) -> Judged:
    spec = referrer_policy.spec
    for answer in surface.pages:
        value = answer.headers.get("referrer-policy")
        # The last policy that a browser knows decides (W3C Referrer Policy, 8.1).
        known = [p for p in (value or "").lower().replace(" ", "").split(",") if p in _REFERRER_POLICIES]
        if not known:
            yield wrong(spec, answer, f"{answer.url} sends {said('Referrer-Policy', value)}")
        elif known[-1] not in SAFE_REFERRER_POLICIES:
            yield wrong(spec, answer, f"{answer.url} sends its full address: Referrer-Policy: {value}")
        else:
            yield seen(answer, f"Referrer-Policy: {value}")


@check(
    CheckSpec(
        id="security/csp",
        title="Every page says which scripts may run in it",
        severity=Severity.HIGH,
        why="Without a Content-Security-Policy any injected markup may run as a script with the user's rights.",
        remediation="Send a Content-Security-Policy with every page; begin with "
        "`default-src 'self'; object-src 'none'; base-uri 'none'` and give inline scripts a nonce.",
        references=("W3C CSP Level 3", "CWE-79", "CWE-693", "OWASP Secure Headers: Content-Security-Policy"),
    )
)
def csp(surface: Surface) -> Judged:
    spec = csp.spec
    for answer in surface.pages:
        policies = enforced(answer)
        governing = [name for policy in policies if (name := policy.governs_scripts)]
        if governing:
            yield seen(answer, f"Content-Security-Policy with {governing[0]}")
        elif any(policy.directives for policy in policies):
            yield wrong(
                spec, answer, f"{answer.url} leaves scripts free: its policy has neither script-src nor default-src"
            )
        elif reported(answer):
            yield wrong(spec, answer, f"{answer.url} only reports: Content-Security-Policy-Report-Only stops nothing")
        else:
            yield wrong(spec, answer, f"{answer.url} sends no Content-Security-Policy")


_REFERRER_POLICIES = SAFE_REFERRER_POLICIES | {"no-referrer-when-downgrade", "unsafe-url"}


def _each(
    answers: tuple[Answer, ...], good: Callable[[Answer], bool], spec: CheckSpec, header: str, wanted: str
) -> Judged:
    for answer in answers:
        value = answer.headers.get(header)
        if good(answer):
            yield seen(answer, f"{header}: {value}")
        else:
            yield wrong(spec, answer, f"{answer.url} sends {said(header, value)}; wanted {wanted}")
