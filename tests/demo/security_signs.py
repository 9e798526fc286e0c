"""How the flaws that the security checks are to catch show from outside."""

import json
import re
import time
from collections.abc import Callable

import httpx

from tests.demo.launching import EMAIL, PASSWORD, bearer, by_cookie
from tests.demo.signs import Sign, account, missing, sign

EVIL = "https://evil.example"
REPORTS = "/api/errors/log"
BURST = 20


def policy(http: httpx.Client) -> str:
    return http.get("/login").headers.get("content-security-policy", "")


sign("no-permissions-policy")(missing("permissions-policy"))
sign("no-opener-policy")(missing("cross-origin-opener-policy"))
sign("no-resource-policy")(missing("cross-origin-resource-policy"))
sign("no-embedder-policy")(missing("cross-origin-embedder-policy"))


@sign("hsts-narrow")
def _(http: httpx.Client) -> bool:
    return http.get("/").headers.get("strict-transport-security") == "max-age=31536000"


@sign("server-banner")
def _(http: httpx.Client) -> bool:
    return "x-powered-by" in http.get("/").headers


@sign("internal-address")
def _(http: httpx.Client) -> bool:
    return http.get("/").headers.get("x-backend", "").startswith("10.")


@sign("headers-forgotten")
def _(http: httpx.Client) -> bool:
    names = {"strict-transport-security", "x-content-type-options", "x-frame-options", "content-security-policy"}
    return not names & http.get("/").headers.keys()


@sign("csp-only-reports")
def _(http: httpx.Client) -> bool:
    return "content-security-policy-report-only" in http.get("/").headers


def _policy_has(text: str) -> Sign:
    return lambda http: text in policy(http)


def _policy_lacks(text: str) -> Sign:
    return lambda http: (sent := policy(http)) != "" and text not in sent


sign("csp-unsafe-inline")(_policy_has("script-src 'self' 'unsafe-inline'"))
sign("csp-unsafe-eval")(_policy_has("'unsafe-eval'"))
sign("csp-any-host")(_policy_has("script-src https:"))
sign("csp-open-objects")(_policy_lacks("object-src"))
sign("csp-no-base-uri")(_policy_lacks("base-uri"))
sign("csp-no-form-action")(_policy_lacks("form-action"))


@sign("nonce-repeated")
def _(http: httpx.Client) -> bool:
    nonces = [re.findall(r'nonce="([^"]+)"', http.get("/").text)[:1] for _ in range(2)]
    return nonces[0] == nonces[1] != []


@sign("foreign-script")
def _(http: httpx.Client) -> bool:
    return 'src="https://cdn.example.com/' in http.get("/login").text


@sign("insecure-form")
def _(http: httpx.Client) -> bool:
    return 'action="http://' in http.get("/login").text


@sign("session-in-url")
def _(http: httpx.Client) -> bool:
    return "session_id=" in http.get("/app").headers.get("location", "")


def _login_cookie(bad: Callable[[str], bool]) -> Sign:
    """The session cookie's attributes at a login, in lower case."""

    def shows(http: httpx.Client) -> bool:
        response = http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
        http.cookies.clear()
        lines = [line for line in response.headers.get_list("set-cookie") if line.startswith("__Host-session=")]
        return bool(lines) and bad(lines[0].partition(";")[2].lower())

    return shows


sign("cookie-insecure")(_login_cookie(lambda line: "secure" not in line))
sign("cookie-readable")(_login_cookie(lambda line: "httponly" not in line))
sign("cookie-cross-site")(_login_cookie(lambda line: "samesite" not in line))
sign("cookie-wrong-path")(_login_cookie(lambda line: "path=/api" in line))
sign("cookie-immortal")(_login_cookie(lambda line: int(re.findall(r"max-age=(\d+)", line)[0]) > 86400))


@sign("session-fixed")
def _(http: httpx.Client) -> bool:
    planted = "planted" + str(id(http))
    body = {"email": EMAIL, "password": PASSWORD}
    response = http.post("/api/auth/login", json=body, headers=by_cookie(planted))
    http.cookies.clear()
    return any(planted in line for line in response.headers.get_list("set-cookie"))


def _shared_with(origin: str, method: str = "GET") -> dict[str, str]:
    return {"origin": origin, "access-control-request-method": "DELETE"} if method == "OPTIONS" else {"origin": origin}


@sign("cors-reflects")
def _(http: httpx.Client) -> bool:
    headers = http.get("/api/health", headers=_shared_with(EVIL)).headers
    return headers.get("access-control-allow-origin") == EVIL and "access-control-allow-credentials" in headers


@sign("cors-null")
def _(http: httpx.Client) -> bool:
    return http.get("/api/health", headers=_shared_with("null")).headers.get("access-control-allow-origin") == "null"


@sign("cors-wildcard")
def _(http: httpx.Client) -> bool:
    return http.get("/api/health", headers=_shared_with(EVIL)).headers.get("access-control-allow-origin") == "*"


@sign("cors-preflight")
def _(http: httpx.Client) -> bool:
    response = http.request("OPTIONS", "/api/health", headers=_shared_with(EVIL, "OPTIONS"))
    return response.is_success and response.headers.get("access-control-allow-origin") == EVIL


def _chat(http: httpx.Client, **headers: str) -> int:
    user = account(http)
    sent = http.post("/api/chat", json={"message": "Hello"}, headers=by_cookie(user["cookie"], **headers))
    return sent.status_code


@sign("csrf-ignored")
def _(http: httpx.Client) -> bool:
    return _chat(http) == 200


@sign("csrf-any-token")
def _(http: httpx.Client) -> bool:
    return (_chat(http), _chat(http, **{"x-csrf-token": "anything"})) == (403, 200)


@sign("csrf-refuses")
def _(http: httpx.Client) -> bool:
    return _chat(http, **{"x-csrf-token": account(http)["csrf_token"]}) == 403


@sign("open-profile-update")
def _(http: httpx.Client) -> bool:
    return http.put("/api/user/profile", json={}).status_code == 200


@sign("open-with-slash")
def _(http: httpx.Client) -> bool:
    return http.get("/app/").status_code == 200 and "Sign out" in http.get("/app/").text


@sign("guard-bypass")
def _(http: httpx.Client) -> bool:
    closed = http.get("/app").status_code != 200
    return closed and http.get("/app", headers={"x-middleware-subrequest": "middleware"}).status_code == 200


@sign("open-redirect")
def _(http: httpx.Client) -> bool:
    return EVIL in http.get("/login", params={"next": EVIL}).text


@sign("oauth-state-unbound")
def _(http: httpx.Client) -> bool:
    return http.get("/auth/callback/google?code=made-up&state=made-up").status_code == 501


@sign("forgot-tells")
def _(http: httpx.Client) -> bool:
    asked = [http.post("/api/auth/forgot", json={"email": who}) for who in (EMAIL, "nobody@example.com")]
    return asked[0].status_code != asked[1].status_code


def _pressed(http: httpx.Client, address: str) -> httpx.Response | None:
    """The first refusal for too many requests, from an address that no other test uses."""
    for _ in range(BURST + 1):
        response = http.post(REPORTS, json={"message": "again"}, headers={"x-forwarded-for": address})
        if response.status_code == 429:
            return response
    return None


@sign("limit-off")
def _(http: httpx.Client) -> bool:
    return _pressed(http, "198.51.100.1") is None


@sign("no-retry-after")
def _(http: httpx.Client) -> bool:
    refusal = _pressed(http, "198.51.100.2")
    return refusal is not None and "retry-after" not in refusal.headers


@sign("limit-spoofable")
def _(http: httpx.Client) -> bool:
    if _pressed(http, "198.51.100.3") is None:
        return False
    claimed = {"x-forwarded-for": "198.51.100.3", "x-client-ip": "198.51.100.4"}
    return http.post(REPORTS, json={"message": "again"}, headers=claimed).status_code == 201


@sign("limit-forever")
def _(http: httpx.Client) -> bool:
    refusal = _pressed(http, "198.51.100.6")
    if refusal is None:
        return False
    time.sleep(int(refusal.headers["retry-after"]))
    return http.post(REPORTS, json={"message": "back"}, headers={"x-forwarded-for": "198.51.100.6"}).status_code == 429


@sign("webhook-limited")
def _(http: httpx.Client) -> bool:
    asked = (http.get("/api/billing/webhook", headers={"x-forwarded-for": "198.51.100.5"}) for _ in range(BURST + 1))
    return any(response.status_code == 429 for response in asked)


def _served(path: str, text: str) -> Sign:
    return lambda http: (response := http.get(path)).status_code == 200 and text in response.text


sign("exposed-env")(_served("/.env", "SECRET_KEY="))
sign("exposed-git")(_served("/.git/HEAD", "ref: refs/"))
sign("exposed-dump")(_served("/backup.sql", "CREATE TABLE"))
sign("debug-page")(_served("/debug", "SECRET_KEY="))
sign("listing")(_served("/static/", "Index of"))
sign("image-proxy")(_served("/_next/image?url=http://127.0.0.1:9/a.png", "<svg"))
sign("docs-open")(_served("/docs", "swagger-ui"))


@sign("method-trace")
def _(http: httpx.Client) -> bool:
    return "Traceback" in http.put("/").text


def _first_script(http: httpx.Client) -> str:
    return re.findall(r'<script src="(/static/[^"]+)"', http.get("/login").text)[0]


@sign("bundle-secret")
def _(http: httpx.Client) -> bool:
    return "sk_" + "live_" in http.get(_first_script(http)).text


@sign("bundle-server-key")
def _(http: httpx.Client) -> bool:
    return "SESSION_SECRET" in http.get(_first_script(http)).text


@sign("source-maps")
def _(http: httpx.Client) -> bool:
    response = http.get(_first_script(http) + ".map")
    return response.status_code == 200 and "sourcesContent" in response.text


@sign("wrong-types-500")
def _(http: httpx.Client) -> bool:
    return http.post("/api/auth/login", json={"email": 7, "password": []}).status_code == 500


@sign("oversize-500")
def _(http: httpx.Client) -> bool:
    return http.post("/api/auth/login", content=json.dumps(["a" * 70_000])).status_code == 500


@sign("unknown-fields")
def _(http: httpx.Client) -> bool:
    body = {"message": "Hello", "surprise": True}
    return http.post("/api/chat", json=body, headers=bearer(account(http)["access_token"])).status_code == 200


@sign("reflected-markup")
def _(http: httpx.Client) -> bool:
    return "<b>bold</b>" in http.get("/%3Cb%3Ebold%3C/b%3E").text


@sign("health-leaks")
def _(http: httpx.Client) -> bool:
    return any(name.endswith(".internal") for name in http.get("/api/health/detailed").json()["services"])
