"""Fingerprints of findings in bundles: the same in every build, and those of ordinary files left alone."""

from __future__ import annotations

import hashlib
import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.address import lasting, path_of
from ci.model import Finding, Location, Severity

BUNDLED = {
    "/assets/index-3f2a9c.js": "/assets/index-*.js",
    "/assets/index-B1x9_kQz.js": "/assets/index-*.js",
    "/assets/vendor-react-D4-x9kQz.js": "/assets/vendor-react-*.js",
    "/assets/index-DkXgHjKl.css": "/assets/index-*.css",
    "/chunks/chunk-5WZQKX3B.js": "/chunks/chunk-*.js",
    "/static/js/main.8a7b6c5d.chunk.js": "/static/js/main.*.chunk.js",
    "/static/js/main.8a7b6c5d.js.map": "/static/js/main.*.js.map",
    "/_next/static/chunks/framework-64ad27b21261a9ce.js": "/_next/static/chunks/framework-*.js",
    "/_next/static/chunks/0a1b2c3d4e5f6071.js": "/_next/static/chunks/*.js",
    "/_next/static/chunks/0gy1dczh8t-w0.js": "/_next/static/chunks/*.js",
    "/_next/static/chunks/turbopack-2u1d16houkiyo.js": "/_next/static/chunks/turbopack-*.js",
    "/_next/static/chunks/0e_6vn77g3f-6.css": "/_next/static/chunks/*.css",
    "/_next/static/css/1f3b5d7a9c.css": "/_next/static/css/*.css",
    "/_next/static/Xk2_90dQw-1aBcDeFgHiJ/_buildManifest.js": "/_next/static/*/_buildManifest.js",
    "/application-" + "9f8e7d6c" * 8 + ".js": "/application-*.js",
    "/logo.5f4dcc3b5aa7.svg": "/logo.*.svg",
}
ORDINARY = [
    "/",
    "/api/health",
    "/.env",
    "/.git/config",
    "/backup.sql",
    "/users/3f2a9c1d77e0b6a2",
    "/orders/3f2b8c1e-7d4a-4b6f-9e21-5a8c7d6e4f10",
    "/assets/index.js",
    "/jquery-3.7.1.min.js",
    "/login-callback.js",
    "/LoginPage.js",
    "/my-UserCard.js",
    "/report-20240101.js",
    "/static/facade.js",
    "/static/cafe24.js",
    "/oauth2-callback1.js",
    "/icons/apple-touch-icon-180x180.png",
    "/favicon-32x32.png",
    "/es2015-polyfills.js",
    "/robots.txt",
]


@pytest.mark.parametrize("path", BUNDLED)
def test_the_hash_of_a_bundle_does_not_count(path: str) -> None:
    assert lasting(path) == BUNDLED[path]


@pytest.mark.parametrize("path", ORDINARY)
def test_an_ordinary_path_is_untouched(path: str) -> None:
    assert lasting(path) == path


WORDS = st.one_of(
    st.from_regex(re.compile(r"[a-z]{1,14}"), fullmatch=True),
    st.from_regex(re.compile(r"(?:[A-Z][a-z]{2,7}){1,3}"), fullmatch=True),
    st.from_regex(re.compile(r"[0-9]{1,8}"), fullmatch=True),
    st.from_regex(re.compile(r"[g-z]{2,9}[0-9]{1,2}"), fullmatch=True),
)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map("-".join)
ENDINGS = st.sampled_from(["", ".js", ".css", ".min.js", ".html", ".png", ".json", ".js.map"])


@given(folders=st.lists(NAMES, max_size=3), name=NAMES, ending=ENDINGS)
def test_names_that_people_give_are_untouched(folders: list[str], name: str, ending: str) -> None:
    path = "/" + "/".join([*folders, name + ending])
    assert lasting(path) == path


@given(
    name=NAMES,
    separator=st.sampled_from(["-", "."]),
    content=st.binary(max_size=9),
    length=st.sampled_from([8, 10, 16, 20, 64]),
    ending=st.sampled_from([".js", ".css", ".chunk.js", ".js.map"]),
)
def test_two_builds_differ_in_nothing(name: str, separator: str, content: bytes, length: int, ending: str) -> None:
    """Hashes in hexadecimal, but for the rare one that is a word or a number."""
    hashes = [hashlib.sha256(content + salt).hexdigest()[:length] for salt in (b"1", b"2")]
    told = {lasting(f"/assets/{name}{separator}{h}{ending}") for h in hashes if not (h.isdigit() or h.isalpha())}
    assert told <= {f"/assets/{name}{separator}*{ending}"}


@given(st.text(max_size=60))
def test_any_text_is_borne_and_done_once(text: str) -> None:
    assert lasting(lasting(text)) == lasting(text)


@pytest.mark.parametrize("url", ["https://a.example/x?y=1", "https://a.example/x#z", "a.example/x"])
def test_host_query_and_fragment_are_no_part_of_a_path(url: str) -> None:
    assert path_of(url) == "/x"


def test_a_finding_in_a_bundle_is_the_same_after_the_next_build() -> None:
    def made(url: str = "", path: str | None = None, key: str = "Stripe") -> str:
        place = Location(path=path) if path else Location(url=url)
        return Finding(
            check_id="security/bundle-secrets", message="m", severity=Severity.HIGH, location=place, key=key
        ).fingerprint

    old, new = (f"https://{host}.vercel.app/assets/index-{secrets.token_hex(5)}a1.js" for host in "ab")
    assert made(old) == made(new)
    assert made(old) != made(old.replace("index", "vendor"))
    assert made(old) != made(new, key="GitHub")
    assert made(path="assets/index-3f2a9c1d.js") != made(path="assets/index-4f2a9c1d.js"), "a file in the repository"
