import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.engine.check import Check
from ci.engine.runner import judge
from ci.model import Outcome, Severity
from ci.security import cookies
from ci.security.answer import Answer
from ci.security.cookies import Jar
from ci.security.setcookie import cookies_of

FAR = "Fri, 01-Jan-2100 00:00:00 GMT"
CHECKS = [
    cookies.cookie_secure,
    cookies.cookie_httponly,
    cookies.cookie_samesite,
    cookies.cookie_prefix,
    cookies.cookie_lifetime,
]


def jar(*lines: str, names: tuple[str, ...] = ()) -> Jar:
    headers = httpx.Headers([("set-cookie", line) for line in lines])
    return Jar((Answer("https://a.example/", 200, headers, "text/html"),), frozenset(names), 30 * 86_400.0, None, None)


@pytest.mark.parametrize(
    ("check", "line", "wanted"),
    [
        (cookies.cookie_secure, "theme=dark; secure", Outcome.PASS),
        (cookies.cookie_secure, "theme=dark", Outcome.FAIL),
        (cookies.cookie_secure, "theme=; Max-Age=0", Outcome.PASS),
        (cookies.cookie_secure, "gone=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Outcome.PASS),
        (cookies.cookie_httponly, "sessionid=1; HTTPONLY", Outcome.PASS),
        (cookies.cookie_httponly, "sessionid=1", Outcome.FAIL),
        (cookies.cookie_httponly, "theme=dark", Outcome.PASS),
        (cookies.cookie_httponly, "XSRF-TOKEN=1", Outcome.PASS),
        (cookies.cookie_httponly, "connect.sid=1", Outcome.FAIL),
        (cookies.cookie_httponly, "__Secure-next-auth.session-token=1", Outcome.FAIL),
        (cookies.cookie_samesite, "sid=1; SameSite=Lax", Outcome.PASS),
        (cookies.cookie_samesite, "sid=1; samesite=STRICT", Outcome.PASS),
        (cookies.cookie_samesite, "sid=1; SameSite=None; Secure", Outcome.FAIL),
        (cookies.cookie_samesite, "sid=1; SameSite=Laxx", Outcome.FAIL),
        (cookies.cookie_samesite, "sid=1; SameSite=None; SameSite=Lax", Outcome.PASS),
        (cookies.cookie_prefix, "__Host-sid=1; Secure; Path=/", Outcome.PASS),
        (cookies.cookie_prefix, "__Host-sid=1; Secure", Outcome.FAIL),
        (cookies.cookie_prefix, "__Host-sid=1; Secure; Path=/; Domain=a.example", Outcome.FAIL),
        (cookies.cookie_prefix, "__HOST-sid=1; Path=/", Outcome.FAIL),
        (cookies.cookie_prefix, "__Secure-sid=1; Secure; Domain=a.example", Outcome.PASS),
        (cookies.cookie_prefix, "__Secure-theme=1", Outcome.FAIL),
        (cookies.cookie_prefix, "theme=1", Outcome.PASS),
        (cookies.cookie_lifetime, "sid=1", Outcome.PASS),
        (cookies.cookie_lifetime, "sid=1; Max-Age=3600", Outcome.PASS),
        (cookies.cookie_lifetime, "sid=1; Max-Age=99999999", Outcome.FAIL),
        (cookies.cookie_lifetime, f"sid=1; Expires={FAR}", Outcome.FAIL),
        (cookies.cookie_lifetime, f"sid=1; Expires={FAR}; Max-Age=60", Outcome.PASS),
        (cookies.cookie_lifetime, "sid=1; Expires=soon", Outcome.PASS),
        (cookies.cookie_lifetime, "theme=1; Max-Age=99999999", Outcome.PASS),
    ],
)
def test_cookies(check: Check[Jar], line: str, wanted: Outcome) -> None:
    assert judge(check, jar(line)).outcome is wanted


def test_a_session_cookie_without_prefix_earns_advice_alone() -> None:
    result = judge(cookies.cookie_prefix, jar("sid=1; Secure; HttpOnly"))
    assert [finding.severity for finding in result.findings] == [Severity.LOW]


def test_session_cookies_may_be_named() -> None:
    assert judge(cookies.cookie_httponly, jar("x7=1")).outcome is Outcome.PASS
    assert judge(cookies.cookie_httponly, jar("x7=1", names=("x7",))).outcome is Outcome.FAIL


def test_answers_without_cookies_are_evidence_enough_but_no_answers_are_none() -> None:
    assert all(judge(check, jar()).outcome is Outcome.PASS for check in CHECKS)
    empty = Jar((), frozenset(), 1.0, None, None)
    assert all(judge(check, empty).outcome is Outcome.ERROR for check in CHECKS)


def test_values_are_never_told() -> None:
    result = judge(cookies.cookie_secure, jar("sessionid=very-secret-value"))
    assert "very-secret-value" not in result.findings[0].message


@given(line=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_no_line_breaks_the_reading(line: str) -> None:
    made = jar(line)
    cookies_of(made.answers[0])
    for check in CHECKS:
        assert judge(check, made).outcome in {Outcome.PASS, Outcome.FAIL}
