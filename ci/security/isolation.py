"""Headers that keep pages apart from other sites, and headers that tell too much."""

from __future__ import annotations

import re
from collections.abc import Callable

from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.hsts import parsed
from ci.security.judging import Judged, said, seen, wrong
from ci.security.surface import Surface

PRELOAD_AGE_S = 31_536_000
"""One year, the least that the preload list accepts."""

_BANNERS = ("x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "x-drupal-cache", "x-php-version")
_VERSION = re.compile(r"/\d|\d+\.\d")


@check(
    CheckSpec(
        id="security/hsts-scope",
        title="HSTS covers subdomains, and browsers may know it beforehand",
        severity=Severity.LOW,
        why="Without includeSubDomains a plain-HTTP subdomain can set cookies for the site; without preload the very "
        "first visit may go over plain HTTP.",
        remediation="Send `Strict-Transport-Security: max-age=31536000; includeSubDomains; preload` when every "
        "subdomain has HTTPS, and submit the domain to the preload list.",
        references=("RFC 6797, section 6.1.2", "https://hstspreload.org/", "CWE-319"),
    )
)
def hsts_scope(surface: Surface) -> Judged:
    spec = hsts_scope.spec
    bearing = [(page, value) for page in surface.pages if (value := page.headers.get("strict-transport-security"))]
    if surface.pages and not bearing:
        raise NotApplicable("no page sends Strict-Transport-Security; see security/hsts")
    for page, value in bearing:
        hsts = parsed(value)
        lacking = [] if hsts.subdomains else ["includeSubDomains"]
        lacking += [] if hsts.preload else ["preload"]
        if lacking:
            yield wrong(spec, page, f"{page.url} sends HSTS without {' and '.join(lacking)}: `{value[:100]}`")
        elif (hsts.max_age or 0) < PRELOAD_AGE_S:
            yield wrong(
                spec,
                page,
                f"{page.url} asks to be preloaded with max-age={hsts.max_age}; wanted {PRELOAD_AGE_S} or more",
            )
        else:
            yield seen(page, f"Strict-Transport-Security: {value}")


@check(
    CheckSpec(
        id="security/permissions-policy",
        title="Pages give up the browser's powers that they do not use",
        severity=Severity.LOW,
        why="An injected or framed script may otherwise ask for camera, microphone or position in the site's name.",
        remediation="Send `Permissions-Policy: camera=(), microphone=(), geolocation=()` with every page.",
        references=("W3C Permissions Policy", "OWASP Secure Headers: Permissions-Policy", "CWE-250"),
    )
)
def permissions_policy(surface: Surface) -> Judged:
    yield from _pages(surface, permissions_policy.spec, "permissions-policy", lambda value: "=" in value)


@check(
    CheckSpec(
        id="security/opener-policy",
        title="Pages do not share a window group with other sites",
        severity=Severity.LOW,
        why="A site that opens the page, or is opened by it, can otherwise navigate its window and watch its frames.",
        remediation="Send `Cross-Origin-Opener-Policy: same-origin` (or same-origin-allow-popups) with every page.",
        references=("WHATWG HTML: Cross-origin opener policies", "CWE-1022", "XS-Leaks Wiki"),
    )
)
def opener_policy(surface: Surface) -> Judged:
    good = {"same-origin", "same-origin-allow-popups", "noopener-allow-popups", "same-origin-plus-coep"}
    yield from _pages(surface, opener_policy.spec, "cross-origin-opener-policy", lambda value: _word(value) in good)


@check(
    CheckSpec(
        id="security/resource-policy",
        title="Other sites cannot embed the pages' data",
        severity=Severity.LOW,
        why="What another site can load as an image or script comes into its process, where side channels read it.",
        remediation="Send `Cross-Origin-Resource-Policy: same-origin` (or same-site) with what is not meant for all.",
        references=("WHATWG Fetch: Cross-Origin-Resource-Policy", "CWE-346", "MDN HTTP Observatory"),
    )
)
def resource_policy(surface: Surface) -> Judged:
    good = {"same-origin", "same-site"}
    yield from _pages(surface, resource_policy.spec, "cross-origin-resource-policy", lambda value: _word(value) in good)


@check(
    CheckSpec(
        id="security/embedder-policy",
        title="Pages embed only what agrees to be embedded",
        severity=Severity.INFO,
        why="Only with it, and an opener policy, does the browser give the page a process of its own.",
        remediation="Send `Cross-Origin-Embedder-Policy: require-corp` (or credentialless) with every page.",
        references=("WHATWG HTML: Cross-Origin-Embedder-Policy", "CWE-693"),
    )
)
def embedder_policy(surface: Surface) -> Judged:
    good = {"require-corp", "credentialless"}
    yield from _pages(surface, embedder_policy.spec, "cross-origin-embedder-policy", lambda value: _word(value) in good)


@check(
    CheckSpec(
        id="security/server-banner",
        title="No answer names the software behind it",
        severity=Severity.LOW,
        why="A product and its version tell an attacker which known holes to try first.",
        remediation="Remove X-Powered-By and its kin (Next.js: `poweredByHeader: false`; Express: "
        "`app.disable('x-powered-by')`), and the version from Server.",
        references=("CWE-200", "CWE-497", "OWASP WSTG-INFO-02"),
    )
)
def server_banner(surface: Surface) -> Judged:
    spec = server_banner.spec
    for answer in surface.everything:
        told = [f"{name}: {answer.headers[name]}" for name in _BANNERS if name in answer.headers]
        server = answer.headers.get("server", "")
        told += [f"server: {server}"] if _VERSION.search(server) else []
        if told:
            yield wrong(spec, answer, f"{answer.url} names its software: `{'`, `'.join(told)[:160]}`")
        else:
            yield seen(answer, f"no banner{f', server: {server}' if server else ''}")


def _pages(surface: Surface, spec: CheckSpec, header: str, good: Callable[[str], bool]) -> Judged:
    for page in surface.pages:
        value = page.headers.get(header)
        if value is not None and good(value):
            yield seen(page, f"{header}: {value}")
        else:
            yield wrong(spec, page, f"{page.url} sends {said(header, value)}")


def _word(value: str) -> str:
    return value.partition(";")[0].strip().lower()
