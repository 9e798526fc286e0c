"""How each flaw shows from outside: one small function a flaw, true when the flaw is there."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

import httpx
import jwt

from tests.demo.launching import EMAIL, ENVIRONMENT, HOST, PASSWORD, bearer, by_cookie, login

Sign = Callable[[httpx.Client], bool]
SIGNS: dict[str, Sign] = {}
_ACCOUNTS: WeakKeyDictionary[httpx.Client, dict[str, Any]] = WeakKeyDictionary()


def sign(flaw: str) -> Callable[[Sign], Sign]:
    """Declare how ``flaw`` shows."""

    def declare(function: Sign) -> Sign:
        SIGNS[flaw] = function
        return function

    return declare


@sign("health-unhealthy")
def _(http: httpx.Client) -> bool:
    response = http.get("/api/health")
    assert response.json()["commit"]
    return response.status_code == 503 and response.json()["status"] == "unhealthy"


@sign("health-cached")
def _(http: httpx.Client) -> bool:
    first, second = http.get("/api/health"), http.get("/api/health")
    return "public" in first.headers["cache-control"] and first.json()["timestamp"] == second.json()["timestamp"]


@sign("identity-flickers")
def _(http: httpx.Client) -> bool:
    return len({http.get("/api/health").json()["commit"] for _ in range(4)}) > 1


@sign("database-down")
def _(http: httpx.Client) -> bool:
    response = http.get("/api/health/detailed")
    return (response.status_code, response.json()["status"]) == (503, "degraded")


@sign("health-lies")
def _(http: httpx.Client) -> bool:
    response = http.get("/api/health/detailed")
    body = response.json()
    return (response.status_code, body["status"], body["services"]["database"]["status"]) == (200, "healthy", "down")


@sign("tiers-shape")
def _(http: httpx.Client) -> bool:
    response = http.get("/api/auth/tiers")
    required = http.get("/openapi.json").json()["components"]["schemas"]["Tier"]["required"]
    return response.is_success and not all(set(required) <= tier.keys() for tier in response.json()["tiers"])


@sign("tiers-500")
def _(http: httpx.Client) -> bool:
    return http.get("/api/auth/tiers").status_code == 500


@sign("soft-404")
def _(http: httpx.Client) -> bool:
    return all(http.get(path).status_code == 200 for path in ("/no-such-page", "/api/no-such-endpoint"))


@sign("stack-trace")
def _(http: httpx.Client) -> bool:
    response = http.post("/api/auth/login", content="{", headers={"content-type": "application/json"})
    return response.status_code == 500 and "Traceback" in response.text


@sign("open-app")
def _(http: httpx.Client) -> bool:
    return http.get("/app").status_code == 200


@sign("open-profile")
def _(http: httpx.Client) -> bool:
    return http.get("/api/user/profile").status_code == 200


@sign("unverified-jwt")
def _(http: httpx.Client) -> bool:
    genuine = account(http)["access_token"]
    claims = jwt.decode(genuine, options={"verify_signature": False})
    forgeries = [
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, "some other key, long enough for the algorithm", algorithm="HS256"),
        jwt.encode({"sub": "admin"}, None, algorithm="none"),
        genuine.rpartition(".")[0] + ".",
    ]
    statuses = {http.get("/api/user/profile", headers=bearer(token)).status_code for token in forgeries}
    assert len(statuses) == 1
    return statuses == {200}


def account(http: httpx.Client) -> dict[str, Any]:
    """One login a client, for the signs that do not end its session."""
    if http not in _ACCOUNTS:
        _ACCOUNTS[http] = login(http)
    return _ACCOUNTS[http]


def expired_token() -> str:
    """A token that the application has signed for the tests, and that has expired."""
    command = [sys.executable, "-m", "demo", "expired-token"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=root, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


_EXPIRED: list[str] = []


@sign("expiry-ignored")
def _(http: httpx.Client) -> bool:
    if not _EXPIRED:
        _EXPIRED.append(expired_token())
    return http.get("/api/user/profile", headers=bearer(_EXPIRED[0])).status_code == 200


@sign("immortal-jwt")
def _(http: httpx.Client) -> bool:
    claims = jwt.decode(account(http)["access_token"], options={"verify_signature": False})
    return claims["exp"] - claims["iat"] > 24 * 60 * 60


@sign("login-broken")
def _(http: httpx.Client) -> bool:
    return http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD}).status_code == 500


@sign("any-password")
def _(http: httpx.Client) -> bool:
    return http.post("/api/auth/login", json={"email": EMAIL, "password": "wrong"}).status_code == 200


@sign("session-lost")
def _(http: httpx.Client) -> bool:
    return http.get("/api/user/profile", headers=by_cookie(account(http)["cookie"])).status_code == 401


@sign("refresh-broken")
def _(http: httpx.Client) -> bool:
    return http.post("/api/auth/refresh", json={"refresh_token": account(http)["refresh_token"]}).status_code == 500


@sign("refresh-reusable")
def _(http: httpx.Client) -> bool:
    old = {"refresh_token": login(http)["refresh_token"]}
    first, second = (http.post("/api/auth/refresh", json=old) for _ in range(2))
    return first.status_code == second.status_code == 200


@sign("logout-keeps-session")
def _(http: httpx.Client) -> bool:
    token = bearer(login(http)["access_token"])
    assert http.post("/api/auth/logout", headers=token).status_code == 200
    return http.get("/api/user/profile", headers=token).status_code == 200


def _oauth_query(http: httpx.Client) -> dict[str, str]:
    response = http.get("/api/auth/google")
    assert response.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


@sign("oauth-no-state")
def _(http: httpx.Client) -> bool:
    return "state" not in _oauth_query(http)


@sign("oauth-no-pkce")
def _(http: httpx.Client) -> bool:
    return "code_challenge" not in _oauth_query(http)


@sign("oauth-wrong-redirect")
def _(http: httpx.Client) -> bool:
    return _oauth_query(http)["redirect_uri"] != f"https://{HOST}/auth/callback/google"


@sign("oauth-no-client-id")
def _(http: httpx.Client) -> bool:
    return "client_id" not in _oauth_query(http)


@sign("webhook-unsigned")
def _(http: httpx.Client) -> bool:
    return http.post("/api/billing/webhook", json={}).status_code == 200


@sign("cron-open")
def _(http: httpx.Client) -> bool:
    return http.get("/api/cron/backup").status_code == 200


@sign("chat-broken")
def _(http: httpx.Client) -> bool:
    token = bearer(account(http)["access_token"])
    return http.post("/api/chat", json={"message": "Hello"}, headers=token).status_code == 500


@sign("blank-page")
def _(http: httpx.Client) -> bool:
    response = http.get("/")
    return response.status_code == 200 and not response.text.strip()


@sign("console-error")
def _(http: httpx.Client) -> bool:
    return "throw new Error" in http.get("/login").text


@sign("missing-asset")
def _(http: httpx.Client) -> bool:
    scripts = re.findall(r'<script src="(/[^"]+)"', http.get("/login").text)
    return any(http.get(script).status_code == 404 for script in scripts)


@sign("mixed-content")
def _(http: httpx.Client) -> bool:
    response = http.get("/login")
    policy = response.headers.get("content-security-policy", "")
    return 'src="http://' in response.text and "upgrade-insecure-requests" not in policy and "http:" in policy


@sign("login-button-dead")
def _(http: httpx.Client) -> bool:
    return '<button type="button">Sign in' in http.get("/login").text


@sign("phone-overflow")
def _(http: httpx.Client) -> bool:
    return "width: 2000px" in http.get("/login").text


def missing(name: str) -> Sign:
    return lambda http: all(name not in http.get(path).headers for path in ("/login", "/api/health", "/no-such-page"))


sign("no-hsts")(missing("strict-transport-security"))
sign("no-nosniff")(missing("x-content-type-options"))
sign("no-referrer-policy")(missing("referrer-policy"))


@sign("no-csp")
def _(http: httpx.Client) -> bool:
    headers = http.get("/login").headers
    return "content-security-policy" not in headers and headers.get("x-frame-options") == "DENY"


@sign("frameable")
def _(http: httpx.Client) -> bool:
    headers = http.get("/login").headers
    return "x-frame-options" not in headers and "frame-ancestors" not in headers.get("content-security-policy", "")
