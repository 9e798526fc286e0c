"""The life of a session, from login to logout, by bearer token and by cookie."""

import statistics
import time

import httpx
import jwt
import pytest

from tests.demo.launching import (
    EMAIL,
    ENVIRONMENT,
    PASSWORD,
    bearer,
    by_cookie,
    client,
    login,
    running,
    session_cookie,
)
from tests.demo.signs import expired_token


def test_login_gives_tokens_cookie_and_user(http: httpx.Client) -> None:
    response = http.post("/api/auth/login", json={"email": EMAIL.upper(), "password": PASSWORD})
    body = response.json()
    assert response.status_code == 200
    assert (body["token_type"], body["expires_in"], body["user"]["email"]) == ("bearer", 900, EMAIL)
    assert response.headers["cache-control"] == "no-store"
    [cookie] = response.headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert cookie.startswith("__Host-session=")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(attribute.startswith("domain") for attribute in attributes)


def test_unknown_user_and_wrong_password_cannot_be_told_apart(http: httpx.Client) -> None:
    answers = []
    for email in (EMAIL, "nobody@example.com"):
        response = http.post("/api/auth/login", json={"email": email, "password": "wrong"})
        body = {name: value for name, value in response.json().items() if name != "request_id"}
        answers.append((response.status_code, body, "set-cookie" in response.headers))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


def test_unknown_user_costs_a_password_hash_too() -> None:
    from demo.accounts import _HASHER, _matches, _unmatchable_hash

    def seconds(password_hash: str) -> float:
        started = time.thread_time()
        assert not _matches(password_hash, "wrong")
        return time.thread_time() - started

    real, nobodys = _HASHER.hash("right"), _unmatchable_hash()
    assert len(real) == len(nobodys)
    ratio = statistics.median(seconds(nobodys) for _ in range(5)) / statistics.median(seconds(real) for _ in range(5))
    assert 0.2 < ratio < 5  # without the hash it would be a thousandth


def test_bearer_and_cookie_open_the_profile_and_the_chat(http: httpx.Client) -> None:
    account = login(http)
    for headers in (
        bearer(account["access_token"]),
        by_cookie(account["cookie"], **{"x-csrf-token": account["csrf_token"]}),
    ):
        assert http.get("/api/user/profile", headers=headers).json()["email"] == EMAIL
        answer = http.post("/api/chat", json={"message": "What is new today?"}, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["words"] == 4


@pytest.mark.parametrize("token", [None, "", "wrong", "ü"])
def test_cookie_needs_the_csrf_token_to_change_something(http: httpx.Client, token: str | None) -> None:
    account = login(http)
    headers: dict[str, str | bytes] = {**by_cookie(account["cookie"])}
    if token is not None:
        headers["x-csrf-token"] = token.encode()
    for path, body in (("/api/chat", {"message": "Hello"}), ("/api/auth/logout", None)):
        response = http.post(path, json=body, headers=headers)
        assert (response.status_code, response.json()["error"]) == (403, "csrf_failed")
    assert http.get("/api/user/profile", headers=by_cookie(account["cookie"])).status_code == 200


def test_csrf_token_of_another_session_is_refused(http: httpx.Client) -> None:
    mine, other = login(http), login(http)
    headers = by_cookie(mine["cookie"], **{"x-csrf-token": other["csrf_token"]})
    assert http.post("/api/chat", json={"message": "Hello"}, headers=headers).status_code == 403


def test_refresh_rotates_and_reuse_ends_the_whole_session(http: httpx.Client) -> None:
    account = login(http)
    first = http.post("/api/auth/refresh", json={"refresh_token": account["refresh_token"]}).json()
    second = http.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
    assert http.get("/api/user/profile", headers=bearer(second["access_token"])).status_code == 200

    reuse = http.post("/api/auth/refresh", json={"refresh_token": account["refresh_token"]})
    assert (reuse.status_code, reuse.json()["error"]) == (401, "invalid_refresh_token")
    latest = http.post("/api/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert latest.status_code == 401
    assert http.get("/api/user/profile", headers=bearer(second["access_token"])).status_code == 401
    assert http.get("/api/user/profile", headers=by_cookie(account["cookie"])).status_code == 401


@pytest.mark.parametrize("way", ["bearer", "cookie"])
def test_logout_ends_cookie_access_and_refresh_tokens_of_this_session_only(http: httpx.Client, way: str) -> None:
    account, other = login(http), login(http)
    headers = (
        bearer(account["access_token"])
        if way == "bearer"
        else by_cookie(account["cookie"], **{"x-csrf-token": account["csrf_token"]})
    )
    response = http.post("/api/auth/logout", headers=headers)
    assert response.status_code == 200
    assert session_cookie(response) == '""'

    assert http.get("/api/user/profile", headers=bearer(account["access_token"])).status_code == 401
    assert http.get("/api/user/profile", headers=by_cookie(account["cookie"])).status_code == 401
    assert http.get("/app", headers=by_cookie(account["cookie"])).status_code == 303
    assert http.post("/api/auth/refresh", json={"refresh_token": account["refresh_token"]}).status_code == 401
    assert http.post("/api/auth/logout", headers=headers).status_code == 401
    assert http.get("/api/user/profile", headers=bearer(other["access_token"])).status_code == 200


def test_anonymous_is_asked_to_sign_in(http: httpx.Client) -> None:
    for response in (http.get("/api/user/profile"), http.post("/api/chat", json={"message": "Hello"})):
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


def _claims(http: httpx.Client) -> dict[str, object]:
    return jwt.decode(login(http)["access_token"], options={"verify_signature": False})


@pytest.mark.parametrize(
    "change", ["none", "key", "audience", "issuer", "no-expiry", "expired", "session", "algorithm"]
)
def test_forged_tokens_are_refused(http: httpx.Client, change: str) -> None:
    key, algorithm, claims = ENVIRONMENT["SECRET_KEY"], "HS256", _claims(http)
    assert http.get("/api/user/profile", headers=bearer(jwt.encode(claims, key))).status_code == 200
    match change:
        case "none":
            key, algorithm = "", "none"
        case "key":
            key = "x" * 40
        case "audience":
            claims["aud"] = "other"
        case "issuer":
            claims["iss"] = "https://other.example"
        case "no-expiry":
            del claims["exp"]
        case "expired":
            claims["exp"] = int(time.time()) - 1
        case "session":
            claims["sid"] = ["not", "an", "id"]
        case "algorithm":
            key, algorithm = key.ljust(64, "x"), "HS512"
    token = jwt.encode(claims, key, algorithm=algorithm)
    assert http.get("/api/user/profile", headers=bearer(token)).status_code == 401


def test_invalid_bearer_is_not_rescued_by_a_good_cookie(http: httpx.Client) -> None:
    headers = by_cookie(login(http)["cookie"], **bearer("nonsense"))
    assert http.get("/api/user/profile", headers=headers).status_code == 401


def test_expired_token_command_gives_a_token_that_lacks_nothing_but_time(http: httpx.Client) -> None:
    token = expired_token()
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, ENVIRONMENT["SECRET_KEY"], algorithms=["HS256"], audience="harbour-api")
    assert http.get("/api/user/profile", headers=bearer(token)).status_code == 401


def test_login_takes_json_alone(http: httpx.Client) -> None:
    form = http.post("/api/auth/login", data={"email": EMAIL, "password": PASSWORD})
    text = http.post(
        "/api/auth/login",
        content=f'{{"email":"{EMAIL}","password":"{PASSWORD}"}}',
        headers={"content-type": "text/plain"},
    )
    assert (form.status_code, text.status_code) == (400, 400)


def test_without_a_user_nobody_can_sign_in() -> None:
    with running(DEMO_USER_EMAIL="", DEMO_USER_PASSWORD="") as url, client(url) as http:
        assert http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD}).status_code == 401
