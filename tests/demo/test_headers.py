"""What every answer carries, whatever it answers."""

import re

import httpx
import pytest

from tests.demo.launching import PRODUCTION_HOST, client, running

EVERYWHERE = {
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
PATHS = [
    "/",
    "/login",
    "/app",
    "/no-such-page",
    "/api/health",
    "/api/none",
    "/openapi.json",
    "/favicon.ico",
    "/robots.txt",
]


@pytest.mark.parametrize("path", PATHS)
def test_security_headers_are_on_every_answer(http: httpx.Client, path: str) -> None:
    response = http.get(path)
    assert {name: response.headers.get(name) for name in EVERYWHERE} == EVERYWHERE
    assert "camera=()" in response.headers["permissions-policy"]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
    assert not {"server", "x-powered-by"} & response.headers.keys()


def test_pages_run_scripts_and_styles_by_nonce_only(http: httpx.Client) -> None:
    policies = set()
    for path in ("/", "/login", "/no-such-page"):
        response = http.get(path)
        policy = response.headers["content-security-policy"]
        [nonce] = set(re.findall(r"'nonce-([^']+)'", policy))
        tags = re.findall(r"<(?:script|style)[^>]*>|<link rel=\"stylesheet\"[^>]*>", response.text)
        assert tags
        assert all(f'nonce="{nonce}"' in tag for tag in tags)
        for directive in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"):
            assert directive in policy.split("; ")
        assert "unsafe" not in policy
        assert not re.search(r"\son\w+=|\sstyle=|javascript:", response.text)
        policies.add(policy)
    assert len(policies) == 3


def test_hsts_is_not_sent_over_plain_http(healthy_url: str) -> None:
    assert "strict-transport-security" not in httpx.get(f"{healthy_url}/").headers


def test_request_id_of_the_edge_is_kept_and_nonsense_is_not(http: httpx.Client) -> None:
    assert (
        http.get("/api/health", headers={"x-request-id": "edge-1234567890"}).headers["x-request-id"]
        == "edge-1234567890"
    )
    assert "<" not in http.get("/api/health", headers={"x-request-id": "<script>alert(1)"}).headers["x-request-id"]


def test_pages_and_api_are_not_cached_and_assets_are_for_ever(http: httpx.Client) -> None:
    for path in ("/", "/login", "/api/health", "/api/auth/tiers"):
        assert http.get(path).headers["cache-control"] == "no-store"
    assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', http.get("/login").text)
    assert len(set(assets)) >= 4
    for asset in assets:
        response = http.get(asset)
        assert response.status_code == 200
        assert re.search(r"\.[0-9a-f]{12}\.(css|js|svg)$", asset)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["content-type"].split(";")[0] in ("text/css", "text/javascript", "image/svg+xml")


def test_cors_lets_one_origin_in(http: httpx.Client) -> None:
    def preflight(origin: str) -> httpx.Response:
        return http.options("/api/chat", headers={"origin": origin, "access-control-request-method": "POST"})

    own = preflight(f"https://{PRODUCTION_HOST}")
    assert own.status_code == 200
    assert own.headers["access-control-allow-origin"] == f"https://{PRODUCTION_HOST}"
    assert own.headers["access-control-allow-methods"] == "GET, POST, PUT, DELETE, OPTIONS"
    assert own.headers["access-control-max-age"] == "86400"
    for stranger in (
        "https://evil.example",
        "null",
        f"https://{PRODUCTION_HOST}.evil.example",
        f"http://{PRODUCTION_HOST}",
    ):
        assert "access-control-allow-origin" not in preflight(stranger).headers
        assert "access-control-allow-origin" not in http.get("/api/health", headers={"origin": stranger}).headers


def test_head_answers_as_get_without_content(http: httpx.Client) -> None:
    for path in ("/", "/api/health", "/no-such-page"):
        head, get = http.head(path), http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]


def test_unexpected_error_gives_nothing_away() -> None:
    with running(DEMO_FLAWS="chat-broken,login-broken") as url, client(url) as http:
        body = {"email": "demo@example.com", "password": "correct horse battery staple"}
        response = http.post("/api/auth/login", json=body)
    assert response.status_code == 500
    assert response.json().keys() == {"error", "message", "request_id"}
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"Traceback|File|demo/|RuntimeError|flaw", response.text)
