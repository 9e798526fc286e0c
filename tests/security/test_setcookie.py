import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config.shape.smoke import Login
from ci.engine.check import Check
from ci.engine.runner import judge
from ci.model import Outcome, Severity
from ci.security import cookies
from ci.security.account import User
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


SESSION_CHECKS = [cookies.cookie_httponly, cookies.cookie_samesite, cookies.cookie_lifetime]


def answer(*lines: str, body: bytes = b"") -> Answer:
    headers = httpx.Headers([("set-cookie", line) for line in lines])
    return Answer("https://a.example/", 200, headers, "text/html", body=body)


def jar(*lines: str, names: tuple[str, ...] = (), login: Answer | None = None) -> Jar:
    """What a page sets and, perhaps, a login."""
    described = Login(path="/login", username="USER", password="PASSWORD", token="token", whoami="/me")
    user = User(described, login, "https://a.example") if login else None
    seen = (answer(*lines), *([login] if login else []))
    return Jar(seen, frozenset(names), frozenset(), 30 * 86_400.0, user, None)


@pytest.mark.parametrize(
    ("check", "line", "wanted"),
    [
        (cookies.cookie_secure, "theme=dark; secure", Outcome.PASS),
        (cookies.cookie_secure, "theme=dark", Outcome.FAIL),
        (cookies.cookie_secure, "theme=; Max-Age=0", Outcome.SKIP),
        (cookies.cookie_secure, "gone=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Outcome.SKIP),
        (cookies.cookie_httponly, "sessionid=1; HTTPONLY", Outcome.PASS),
        (cookies.cookie_httponly, "sessionid=1", Outcome.FAIL),
        (cookies.cookie_httponly, "theme=dark", Outcome.SKIP),
        (cookies.cookie_httponly, "XSRF-TOKEN=1", Outcome.SKIP),
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
        (cookies.cookie_lifetime, "theme=1; Max-Age=99999999", Outcome.SKIP),
    ],
)
def test_cookies(check: Check[Jar], line: str, wanted: Outcome) -> None:
    assert judge(check, jar(line)).outcome is wanted


def test_a_session_cookie_without_prefix_earns_advice_alone() -> None:
    result = judge(cookies.cookie_prefix, jar("sid=1; Secure; HttpOnly"))
    assert [finding.severity for finding in result.findings] == [Severity.LOW]


def test_session_cookies_may_be_named() -> None:
    assert judge(cookies.cookie_httponly, jar("x7=1")).outcome is Outcome.SKIP
    assert judge(cookies.cookie_httponly, jar("x7=1", names=("x7",))).outcome is Outcome.FAIL


@pytest.mark.parametrize("check", CHECKS)
def test_where_no_cookie_is_set_the_reason_says_what_to_configure(check: Check[Jar]) -> None:
    reason = judge(check, jar()).skip_reason
    assert reason
    assert "1 answers" in reason and "smoke.login" in reason and "security.pages" in reason
    assert judge(check, Jar((), frozenset(), frozenset(), 1.0, None, None)).outcome is Outcome.ERROR, (
        "nothing was asked"
    )


@pytest.mark.parametrize("check", CHECKS)
def test_a_login_that_sets_no_cookie_is_evidence(check: Check[Jar]) -> None:
    result = judge(check, jar(login=answer(body=b'{"token": "abc"}')))
    assert result.outcome is Outcome.PASS
    assert "the login among them" in result.evidence[0].summary


@pytest.mark.parametrize("check", SESSION_CHECKS)
def test_cookies_that_open_no_session_by_their_name(check: Check[Jar]) -> None:
    in_body = jar("theme=dark; Secure", login=answer(body=b'{"token": "abc"}'))
    assert judge(check, in_body).outcome is Outcome.PASS
    by_cookie = judge(check, jar("theme=dark; Secure", login=answer("x7=1; Secure")))
    assert by_cookie.skip_reason
    assert "(theme, x7)" in by_cookie.skip_reason and "security.session_cookies" in by_cookie.skip_reason
    stranger = judge(check, jar("theme=dark; Secure")).skip_reason
    assert stranger
    assert "smoke.login" in stranger


def test_values_are_never_told() -> None:
    result = judge(cookies.cookie_secure, jar("sessionid=very-secret-value"))
    assert "very-secret-value" not in result.findings[0].message


@given(line=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_no_line_breaks_the_reading(line: str) -> None:
    made = jar(line)
    cookies_of(made.answers[0])
    for check in CHECKS:
        assert judge(check, made).outcome in {Outcome.PASS, Outcome.FAIL, Outcome.SKIP}
