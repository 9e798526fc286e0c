"""Sign-in with Google and Microsoft, as far as it goes without them."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.demo.launching import HOST, PRODUCTION_HOST, client, running


def _start(http: httpx.Client, provider: str) -> tuple[str, dict[str, str], str]:
    """Where the browser is sent, with which query, and the cookie that it keeps."""
    response = http.get(f"/api/auth/{provider}")
    assert response.status_code == 303
    parts = urlsplit(response.headers["location"])
    query = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
    http.cookies.clear()
    return parts.netloc + parts.path, query, response.headers["set-cookie"]


@pytest.mark.parametrize(
    ("provider", "address"),
    [
        ("google", "accounts.google.com/o/oauth2/v2/auth"),
        ("microsoft", "login.microsoftonline.com/common/oauth2/v2.0/authorize"),
    ],
)
def test_start_sends_everything_the_provider_needs(http: httpx.Client, provider: str, address: str) -> None:
    found, query, cookie = _start(http, provider)
    assert found == address
    assert query["client_id"] == f"{provider}-client"
    assert query["redirect_uri"] == f"https://{HOST}/auth/callback/{provider}"
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert len(query["code_challenge"]) == 43
    assert len(query["state"]) >= 32
    assert "openid" in query["scope"].split()
    assert cookie.startswith("__Host-oauth=")
    assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert _start(http, provider)[1]["state"] != query["state"]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (PRODUCTION_HOST, f"https://{PRODUCTION_HOST}"),
        (HOST, f"https://{HOST}"),
        ("evil.example", f"https://{HOST}"),
        (f"{HOST}@evil.example", f"https://{HOST}"),
        (f"{HOST}:8443", f"https://{HOST}"),
    ],
)
def test_only_own_hosts_get_codes(healthy_url: str, host: str, origin: str) -> None:
    with client(healthy_url, host=host) as http:
        assert _start(http, "google")[1]["redirect_uri"] == f"{origin}/auth/callback/google"


def test_callback_goes_on_only_in_the_browser_that_began(http: httpx.Client) -> None:
    _, query, cookie = _start(http, "google")
    own = {"cookie": cookie.partition(";")[0]}
    good = {"code": "c", "state": query["state"]}

    assert http.get("/auth/callback/google", params=good).status_code == 400
    assert http.get("/auth/callback/google", params={"code": "c"}, headers=own).status_code == 400
    assert http.get("/auth/callback/google", params={**good, "state": "other"}, headers=own).status_code == 400
    assert http.get("/auth/callback/microsoft", params=good, headers=own).status_code == 400
    assert http.get("/auth/callback/google", params={"state": query["state"]}, headers=own).status_code == 400
    assert http.get("/auth/callback/other", params=good, headers=own).status_code == 404

    done = http.get("/auth/callback/google", params=good, headers=own)
    assert done.status_code == 501
    assert "not configured" in done.text
    assert done.headers["set-cookie"].startswith('__Host-oauth=""')


def test_provider_that_is_not_configured_says_so() -> None:
    with running(MICROSOFT_CLIENT_ID="") as url, client(url) as http:
        response = http.get("/api/auth/microsoft")
        assert (response.status_code, response.json()["error"]) == (503, "not_configured")
        assert "Google" in http.get("/login").text
        assert "Microsoft" not in http.get("/login").text


def test_at_home_the_loopback_address_is_the_origin() -> None:
    with running(VERCEL_URL="", VERCEL_PROJECT_PRODUCTION_URL="") as url, httpx.Client(base_url=url) as http:
        assert _start(http, "google")[1]["redirect_uri"] == f"{url}/auth/callback/google"
        assert http.get("/api/auth/google", headers={"host": "evil.example"}).status_code == 400
