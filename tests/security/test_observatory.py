"""Scores that MDN's published table gives for these pages."""

import httpx
import pytest

from ci.engine.runner import judge
from ci.model import ErrorKind, Outcome
from ci.security.answer import Answer
from ci.security.observatory import measures, observatory_grade, score_of
from ci.security.plain import PlainHttp
from ci.security.surface import FOREIGN_ORIGIN, Surface

SOUND = {
    "content-security-policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def surface(
    changed: dict[str, str | None] | None = None,
    *,
    body: str = "",
    url: str = "https://app.example.com/",
    **more: object,
) -> Surface:
    headers = {name: value for name, value in (SOUND | (changed or {})).items() if value is not None}
    answer = Answer(url, 200, httpx.Headers(headers), "text/html", body=body.encode())
    return Surface((answer,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "body", "score", "grade"),
    [
        ({}, "", 115, "A+"),  # +10 default-src 'none', +5 frame-ancestors
        ({"content-security-policy": "default-src 'self'; frame-ancestors 'none'"}, "", 110, "A+"),
        ({"content-security-policy": None}, "", 75, "B"),
        ({"content-security-policy": None, "x-frame-options": None}, "", 55, "C"),
        ({"content-security-policy": "default-src 'self' 'unsafe-inline'"}, "", 80, "B+"),
        ({"content-security-policy": "script-src 'self' 'unsafe-eval'; object-src 'none'"}, "", 90, "A"),
        ({"content-security-policy": "default-src 'self'; img-src http:"}, "", 90, "A"),
        ({"content-security-policy": "default-src 'self'; connect-src http://x.example"}, "", 80, "B+"),
        ({"content-security-policy": "default-src 'self'; style-src 'unsafe-inline'"}, "", 100, "A+"),
        ({"content-security-policy": "default-src 'self'; default-src 'none'"}, "", 75, "B"),
        ({"content-security-policy": "script-src 'strict-dynamic'"}, "", 75, "B"),
        ({"strict-transport-security": None}, "", 80, "B+"),
        ({"strict-transport-security": "max-age=3600"}, "", 105, "A+"),
        ({"strict-transport-security": "soon"}, "", 80, "B+"),
        ({"x-content-type-options": None}, "", 110, "A+"),
        ({"referrer-policy": "no-referrer"}, "", 120, "A+"),
        ({"referrer-policy": "unsafe-url"}, "", 110, "A+"),
        ({"cross-origin-resource-policy": "same-origin"}, "", 125, "A+"),
        ({"set-cookie": "sessionid=1; Secure; HttpOnly; SameSite=Lax"}, "", 120, "A+"),
        ({"set-cookie": "sessionid=1; HttpOnly"}, "", 105, "A+"),
        ({"set-cookie": "sessionid=1; HttpOnly", "strict-transport-security": None}, "", 40, "D+"),
        ({"set-cookie": "sessionid=1; Secure"}, "", 70, "B"),
        ({"set-cookie": "theme=dark"}, "", 110, "A+"),
        ({"set-cookie": "csrftoken=1; Secure"}, "", 80, "B+"),
        ({"set-cookie": "theme=dark; Secure; SameSite=Sometimes"}, "", 80, "B+"),
        ({}, "<script src='https://cdn.other.net/a.js'></script>", 110, "A+"),
        ({}, "<script src='//cdn.other.net/a.js'></script>", 50, "C"),
        ({}, "<script src='https://cdn.other.net/a.js' integrity='sha384-x'></script>", 120, "A+"),
        ({}, "<script src='https://www.example.com/a.js'></script>", 115, "A+"),
    ],
)
def test_scores(changed: dict[str, str | None], body: str, score: int, grade: str) -> None:
    scored = score_of(surface(changed, body=body))
    assert (scored.value, scored.grade) == (score, grade), [p for p in scored.parts if p.modifier]


def test_open_credentialed_cors_costs_fifty() -> None:
    headers = httpx.Headers({"access-control-allow-origin": FOREIGN_ORIGIN, "access-control-allow-credentials": "true"})
    assert score_of(surface(foreign=Answer("https://a/", 200, headers, "text/html"))).value == 50


@pytest.mark.parametrize(
    ("locations", "lost"),
    [
        ([], 0),
        ([None], -20),
        (["https://app.example.com/"], 0),
        (["https://www.example.com/"], -5),
        (["http://app.example.com/a", "https://app.example.com/"], -10),
    ],
)
def test_redirection(locations: list[str | None], lost: int) -> None:
    hops = tuple(
        Answer("http://app.example.com/", 301 if to else 200, httpx.Headers({"location": to} if to else {}), "")
        for to in locations
    )
    scored = score_of(surface(plain=PlainHttp("http://app.example.com/", hops)))
    assert {part.test: part.modifier for part in scored.parts}["redirection"] == lost


def test_the_wanted_grade_is_configurable() -> None:
    without = {"content-security-policy": None}
    assert judge(observatory_grade, surface(without)).outcome is Outcome.PASS
    result = judge(observatory_grade, surface(without, minimum_grade="B+"))
    assert result.outcome is Outcome.FAIL
    assert "-25 content-security-policy" in result.findings[0].message


def test_what_is_no_success_has_no_grade() -> None:
    made = Surface((Answer("https://a/", 404, httpx.Headers(), "text/html"),))
    result = judge(observatory_grade, made)
    assert result.error
    assert result.error.kind is ErrorKind.NO_DATA
    assert measures(made) == ()
