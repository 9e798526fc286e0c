"""How much a page's Content-Security-Policy really stops, judged as MDN's HTTP Observatory does.

Several policies are all enforced, so a weakness stands only where every one of them has it.
"""

from __future__ import annotations

from collections.abc import Callable

from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.csp_policy import (
    BROAD,
    Policy,
    enforced,
    everybodys,
    is_open,
    serves_anybody,
    trusts_nonce_or_hash,
    without_ignored,
)
from ci.security.judging import Judged, seen, wrong
from ci.security.surface import Surface

SHORTEST_NONCE = 22
"""Characters of base64 that hold 128 bits (CSP Level 3, section 7.1)."""

NO_POLICY = "no page sends a policy that governs scripts; see security/csp"
_OBSERVATORY = "MDN HTTP Observatory: Content Security Policy"


@check(
    CheckSpec(
        id="security/csp-inline",
        title="Injected inline scripts do not run",
        severity=Severity.MEDIUM,
        why="With 'unsafe-inline' a policy lets exactly those scripts run that an attacker injects.",
        remediation="Replace 'unsafe-inline' in script-src by a nonce that is new in every answer, or by hashes.",
        references=("W3C CSP Level 3, section 6.7.3.2", "CWE-79", "CWE-1021", _OBSERVATORY),
    )
)
def csp_inline(surface: Surface) -> Judged:
    def weakness(policy: Policy) -> str | None:
        attributes = policy.own("script-src-attr")
        if "'unsafe-inline'" in without_ignored(policy.scripts or ()):
            return "'unsafe-inline' without a nonce or hash"
        if attributes and "'unsafe-inline'" in attributes and not trusts_nonce_or_hash(attributes):
            return "'unsafe-inline' in script-src-attr"
        return None

    yield from _judge(surface, csp_inline.spec, weakness, "no inline script runs unasked", scripts=True)


@check(
    CheckSpec(
        id="security/csp-eval",
        title="Text is not run as a script",
        severity=Severity.MEDIUM,
        why="With 'unsafe-eval' any text that reaches eval(), setTimeout() or Function() runs as a script.",
        remediation="Remove 'unsafe-eval' from script-src; WebAssembly needs only 'wasm-unsafe-eval'.",
        references=("W3C CSP Level 3, section 4.4", "CWE-95", _OBSERVATORY),
    )
)
def csp_eval(surface: Surface) -> Judged:
    def weakness(policy: Policy) -> str | None:
        return "'unsafe-eval'" if "'unsafe-eval'" in (policy.scripts or ()) else None

    yield from _judge(surface, csp_eval.spec, weakness, "no 'unsafe-eval'", scripts=True)


@check(
    CheckSpec(
        id="security/csp-sources",
        title="Scripts come only from sources that the policy names",
        severity=Severity.MEDIUM,
        why="A wildcard, a bare scheme or `data:` lets a script come from anywhere, the attacker's host included; "
        "so does, with more effort, a host of everybody's packages.",
        remediation="Name the hosts in script-src, all by https and public ones with a path, or use a nonce with "
        "'strict-dynamic'.",
        references=("W3C CSP Level 3, section 6.7.2", "CWE-79", "CWE-183", _OBSERVATORY),
    )
)
def csp_sources(surface: Surface) -> Judged:
    def weakness(policy: Policy) -> str | None:
        counted = without_ignored(policy.scripts or ())
        wide = sorted(source for source in counted if source in BROAD or source == "data:" or everybodys(source))
        insecure = sorted(source for source in counted if source.startswith(("http://", "ftp://")))
        return f"`{' '.join([*wide, *insecure])}`" if wide or insecure else None

    yield from _judge(surface, csp_sources.spec, weakness, "scripts come from named sources alone", scripts=True)
    for page in surface.pages:
        governing = [without_ignored(policy.scripts) for policy in enforced(page) if policy.scripts is not None]
        shared = sorted(frozenset.intersection(*governing)) if governing else []
        for source in filter(serves_anybody, shared):
            told = (
                f"{page.url} lets in every script of {source}, which has everybody's; name the path of the one in use"
            )
            yield wrong(csp_sources.spec, page, told, key=f"shared {source}", severity=Severity.LOW)


@check(
    CheckSpec(
        id="security/csp-objects",
        title="Plug-in content is not left open",
        severity=Severity.MEDIUM,
        why="An injected <object> or <embed> runs what script-src would have stopped.",
        remediation="Add `object-src 'none'` to the policy.",
        references=("W3C CSP Level 3, section 6.1.8", "CWE-79", _OBSERVATORY),
    )
)
def csp_objects(surface: Surface) -> Judged:
    def weakness(policy: Policy) -> str | None:
        sources = policy.effective("object-src")
        if sources is None:
            return "neither object-src nor default-src"
        return f"object-src `{' '.join(sources)}`" if is_open(sources) else None

    yield from _judge(surface, csp_objects.spec, weakness, "object-src is closed")


@check(
    CheckSpec(
        id="security/csp-base-uri",
        title="An injected <base> cannot redirect a page's scripts",
        severity=Severity.LOW,
        why="default-src does not cover <base>: one injected element makes every relative script come from elsewhere.",
        remediation="Add `base-uri 'none'` (or 'self') to the policy.",
        references=("W3C CSP Level 3, section 6.3.1", "CWE-79", _OBSERVATORY),
    )
)
def csp_base_uri(surface: Surface) -> Judged:
    yield from _judge(surface, csp_base_uri.spec, _unnamed("base-uri"), "base-uri is closed")


@check(
    CheckSpec(
        id="security/csp-form-action",
        title="An injected form cannot send its fields elsewhere",
        severity=Severity.LOW,
        why="default-src does not cover forms: an injected one sends what users type, passwords too, to any host.",
        remediation="Add `form-action 'self'` to the policy.",
        references=("W3C CSP Level 3, section 6.4.1", "CWE-79", _OBSERVATORY),
    )
)
def csp_form_action(surface: Surface) -> Judged:
    yield from _judge(surface, csp_form_action.spec, _unnamed("form-action"), "form-action is closed")


@check(
    CheckSpec(
        id="security/csp-nonce",
        title="Every answer has a nonce of its own that nobody can guess",
        severity=Severity.MEDIUM,
        why="A nonce that stays the same, as in a cached page, can be read once and put on any injected script.",
        remediation="Make at least 16 random bytes for each answer, and keep pages with nonces out of shared caches.",
        references=("W3C CSP Level 3, section 7.1", "CWE-330", "CWE-323"),
    )
)
def csp_nonce(surface: Surface) -> Judged:
    spec = csp_nonce.spec
    used = [(page, nonce) for page in surface.pages for policy in enforced(page) for nonce in sorted(policy.nonces)]
    if not used:
        raise NotApplicable("no page's policy uses a nonce, so none can be wrong; nothing is to be configured")
    again = {nonce for policy in enforced(surface.again) for nonce in policy.nonces} if surface.again else set()
    met: set[str] = set()
    for page, nonce in used:
        if nonce in again or nonce in met:
            yield wrong(spec, page, f"{page.url} uses a nonce that another answer has used too", key="repeated")
        elif len(nonce) < SHORTEST_NONCE:
            yield wrong(
                spec,
                page,
                f"{page.url} uses a nonce of {len(nonce)} characters; wanted at least {SHORTEST_NONCE}",
                key="short",
            )
        else:
            yield seen(page, f"a nonce of {len(nonce)} characters, used once")
        met.add(nonce)


def _unnamed(directive: str) -> Callable[[Policy], str | None]:
    def weakness(policy: Policy) -> str | None:
        sources = policy.own(directive)
        if sources is None:
            return f"no {directive}"
        return f"{directive} `{' '.join(sources)}`" if is_open(sources) else None

    return weakness


def _judge(
    surface: Surface, spec: CheckSpec, weakness: Callable[[Policy], str | None], good: str, *, scripts: bool = False
) -> Judged:
    """`scripts`: only policies that govern scripts can help; the others let every script through."""
    governed = [(page, policies) for page in surface.pages if (policies := _governing(page))]
    if surface.pages and not governed:
        raise NotApplicable(NO_POLICY)
    for page, policies in governed:
        weaknesses = [weakness(policy) for policy in policies if policy.scripts is not None or not scripts]
        if all(weaknesses):
            yield wrong(spec, page, f"{page.url} has a policy with {weaknesses[0]}")
        else:
            yield seen(page, good)


def _governing(page: Answer) -> tuple[Policy, ...]:
    """All policies of a page, when at least one of them governs scripts."""
    policies = enforced(page)
    return policies if any(policy.scripts is not None for policy in policies) else ()
