import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.engine.redaction import MASK, MIN_SECRET_LENGTH, Redactor, in_a_header
from ci.model import EXCERPT_LIMIT, Evidence
from tests.runs import failed, report

SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=6, max_size=40)


@given(secret=SECRETS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_known_secret_never_passes(secret: str, before: str, after: str) -> None:
    redact = Redactor([secret])
    for form in (secret, quote(secret, safe=""), json.dumps(secret, ensure_ascii=False)[1:-1]):
        assert form not in redact(before + form + after) or form in MASK


@given(secret=SECRETS.filter(lambda secret: "…" not in secret), before=st.text(max_size=20), data=st.data())
def test_no_begin_of_a_secret_is_left_where_an_excerpt_was_cut(secret: str, before: str, data: st.DataObject) -> None:
    torn = secret[: data.draw(st.integers(MIN_SECRET_LENGTH, len(secret)))]
    for mark in ("", "…"):
        assert torn not in Redactor([secret])(before + torn + mark) or torn in MASK


def test_an_excerpt_is_cut_before_it_is_redacted() -> None:
    seen = Evidence(summary="seen", excerpt="." * (EXCERPT_LIMIT - 10) + "hunter-22-and-more")
    assert "hunter" not in Redactor(["hunter-22-and-more"]).model(seen).excerpt


def test_a_secret_inside_another_leaves_nothing_behind() -> None:
    assert Redactor(["abcdef", "abcdefghijkl"])("abcdefghijkl") == MASK


def test_what_looks_like_a_secret_is_masked() -> None:
    redact = Redactor()
    for text, secret in [
        ("Authorization: Bearer abc.def", "abc.def"),
        ('"cookie": "session=42"', "session=42"),
        ("set-cookie: __Host-session=opaque; Secure", "opaque"),
        ("x-vercel-protection-bypass: 0123456789", "0123456789"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig here", "eyJzdWIiOiIxIn0"),
        ("https://x/cb?code=4/abc&state=1", "4/abc"),
        ("postgres://user:hunter22@db/app", "hunter22"),
        ("ghp_" + "a" * 36, "a" * 36),
        ("sk_live_" + "b" * 24, "b" * 24),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
    ]:
        assert secret not in redact(text), text


def test_innocent_words_stay() -> None:
    redact = Redactor(["short"])
    assert Redactor(["hunter-22"])("the hunter-23") == "the hunter-23"
    for text in ("shortbread", "GET /api/health → 200", "x-request-id: 1234", "https://app.example.com/?page=2"):
        assert redact(text) == text


def test_a_fact_is_redacted_whole_and_stays_the_same_fact_otherwise() -> None:
    redact = Redactor(["hunter-22"])
    made = report(failed(message="the answer held hunter-22"))
    cleaned = redact.model(made)
    assert "hunter-22" not in cleaned.model_dump_json()
    assert cleaned.results[0].findings[0].fingerprint == made.results[0].findings[0].fingerprint
    assert Redactor().model(made) == made


def test_named_variables_are_secret() -> None:
    environ = {"VERCEL_TOKEN": "tok-123456", "SMOKE_PASSWORD": "pass-123456", "HOME": "/home/ana"}
    assert Redactor.of_environment(environ, ["SMOKE_PASSWORD"])("tok-123456 pass-123456 /home/ana") == (
        f"{MASK} {MASK} /home/ana"
    )


@pytest.mark.parametrize("secret", ["abc-def\nghi-jkl", "s\xe9cret-1234", "plain-secret", "with space and\ttab"])
def test_a_secret_that_cannot_be_one_leaks_into_no_error(secret):
    """A client that refuses a header repeats its bytes, as Python writes them."""
    redact = Redactor([secret])
    for form in (repr(f"Bearer {secret}"), repr(f"Bearer {secret}".encode("latin-1")), f"Bearer {in_a_header(secret)}"):
        assert MASK in redact(form)
        assert secret[-4:] not in redact(form)
    httpx.Headers({"authorization": f"Bearer {in_a_header(secret)}"})
    assert in_a_header("ghs_Ab+/=.-~1") == "ghs_Ab+/=.-~1"
    assert in_a_header("token\n") == "token"
