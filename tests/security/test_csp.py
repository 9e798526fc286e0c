import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.engine.check import Check
from ci.engine.runner import judge
from ci.model import Outcome
from ci.security import csp
from ci.security.answer import Answer
from ci.security.csp_policy import enforced, everybodys, policy_of, serves_anybody
from ci.security.surface import Surface

CHECKS = [csp.csp_inline, csp.csp_eval, csp.csp_sources, csp.csp_objects, csp.csp_base_uri, csp.csp_form_action]
NONCE = "'nonce-AAAAAAAAAAAAAAAAAAAAAA'"


def page(*policies: str, body: str = "") -> Surface:
    headers = httpx.Headers([("content-security-policy", policy) for policy in policies])
    return Surface((Answer("https://app.example.com/", 200, headers, "text/html", body=body.encode()),))


def outcome(check: Check[Surface], *policies: str, body: str = "") -> Outcome:
    return judge(check, page(*policies, body=body)).outcome


@pytest.mark.parametrize(
    ("check", "policy", "wanted"),
    [
        (csp.csp_inline, "script-src 'self'", Outcome.PASS),
        (csp.csp_inline, "script-src 'unsafe-inline'", Outcome.FAIL),
        (csp.csp_inline, "default-src 'UNSAFE-INLINE'", Outcome.FAIL),
        (csp.csp_inline, f"script-src 'unsafe-inline' {NONCE}", Outcome.PASS),
        (csp.csp_inline, "script-src 'unsafe-inline' 'sha256-AAAA='", Outcome.PASS),
        (csp.csp_inline, f"script-src 'unsafe-inline' 'strict-dynamic' {NONCE}", Outcome.PASS),
        (csp.csp_inline, "script-src 'self'; script-src-attr 'unsafe-inline'", Outcome.FAIL),
        (csp.csp_inline, "script-src 'unsafe-inline', script-src 'self'", Outcome.PASS),
        (csp.csp_inline, "script-src 'unsafe-inline', upgrade-insecure-requests", Outcome.FAIL),
        (csp.csp_eval, "script-src 'unsafe-eval'", Outcome.FAIL),
        (csp.csp_eval, "script-src 'wasm-unsafe-eval'", Outcome.PASS),
        (csp.csp_sources, "script-src 'self' https://cdn.example.com", Outcome.PASS),
        (csp.csp_sources, "script-src *", Outcome.FAIL),
        (csp.csp_sources, "script-src https:", Outcome.FAIL),
        (csp.csp_sources, "script-src 'self' data:", Outcome.FAIL),
        (csp.csp_sources, "script-src http://cdn.example.com", Outcome.FAIL),
        (csp.csp_sources, f"script-src https: 'strict-dynamic' {NONCE}", Outcome.PASS),
        (csp.csp_sources, "default-src *; script-src 'self'", Outcome.PASS),
        (csp.csp_objects, "script-src 'self'", Outcome.FAIL),
        (csp.csp_objects, "default-src 'self'", Outcome.PASS),
        (csp.csp_objects, "script-src 'self'; object-src *", Outcome.FAIL),
        (csp.csp_base_uri, "default-src 'none'", Outcome.FAIL),
        (csp.csp_base_uri, "default-src 'none'; base-uri 'self'", Outcome.PASS),
        (csp.csp_form_action, "default-src 'none'; form-action https:", Outcome.FAIL),
        (csp.csp_form_action, "default-src 'none'; form-action 'self'", Outcome.PASS),
        (csp.csp_eval, "img-src 'self'", Outcome.SKIP),
    ],
)
def test_policies(check: Check[Surface], policy: str, wanted: Outcome) -> None:
    assert outcome(check, policy) is wanted


def test_the_first_directive_of_a_name_counts() -> None:
    assert policy_of("script-src 'self'; SCRIPT-SRC *").directives == {"script-src": ("'self'",)}
    assert policy_of("script-src 'self'; SCRIPT-SRC *").duplicates == ("script-src",)


def test_a_meta_element_is_a_policy_but_cannot_frame() -> None:
    body = (
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'unsafe-eval'; frame-ancestors 'none'\">"
        "<script>document.write('<meta http-equiv=content-security-policy content=none>')</script>"
    )
    assert outcome(csp.csp_eval, body=body) is Outcome.FAIL
    (policy,) = enforced(page(body=body).answers[0])
    assert policy.own("frame-ancestors") is None


def test_nonces_are_compared_as_they_came() -> None:
    first, second = (
        Answer("https://a/", 200, httpx.Headers({"content-security-policy": p}), "text/html")
        for p in ("script-src 'nonce-AbAbAbAbAbAbAbAbAbAbAb'", "script-src 'nonce-aBaBaBaBaBaBaBaBaBaBaB'")
    )
    assert judge(csp.csp_nonce, Surface((first,), again=second)).outcome is Outcome.PASS
    assert judge(csp.csp_nonce, Surface((first,), again=first)).outcome is Outcome.FAIL
    short = Answer("https://a/", 200, httpx.Headers({"content-security-policy": "script-src 'nonce-1'"}), "text/html")
    assert judge(csp.csp_nonce, Surface((short,))).outcome is Outcome.FAIL


@given(policy=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_no_policy_breaks_a_check(policy: str) -> None:
    for check in (*CHECKS, csp.csp_nonce):
        assert outcome(check, policy) is not Outcome.ERROR


@pytest.mark.parametrize("source", ["https://*.com", "*.co.uk", "https://*.vercel.app:443", "*.github.io/app/"])
def test_a_wildcard_over_hosts_that_anybody_may_have(source: str) -> None:
    assert everybodys(source)


@pytest.mark.parametrize("source", ["https://*.example.com", "https://shop.vercel.app", "'self'", "https:", "com"])
def test_a_source_of_ones_own(source: str) -> None:
    assert not everybodys(source)


def test_a_host_of_everybodys_scripts_is_one_only_as_a_whole() -> None:
    assert serves_anybody("https://cdn.jsdelivr.net")
    assert serves_anybody("unpkg.com/")
    assert not serves_anybody("https://cdn.jsdelivr.net/npm/vue@3.5.0/")
    assert not serves_anybody("https://cdn.example.com")
