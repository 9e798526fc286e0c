"""The rest of the API: health, errors, webhook, cron job, and the document that describes it all."""

import hmac
import json
import time
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx
import jsonschema
import pytest

from tests.demo.launching import ENVIRONMENT, PRODUCTION_HOST, bearer, client, login, running


def test_health_names_this_deployment_and_is_fresh(http: httpx.Client) -> None:
    first, second = (http.get("/api/health").json() for _ in range(2))
    assert first.keys() == {"status", "commit", "deployment_id", "timestamp"}
    assert first["status"] == "ok"
    assert first["commit"] == ENVIRONMENT["VERCEL_GIT_COMMIT_SHA"]
    assert first["deployment_id"] == ENVIRONMENT["VERCEL_DEPLOYMENT_ID"]
    assert datetime.fromisoformat(first["timestamp"]) < datetime.fromisoformat(second["timestamp"])


def test_detailed_health_leaves_out_what_is_not_configured(http: httpx.Client) -> None:
    response = http.get("/api/health/detailed")
    assert (response.status_code, response.json()["status"]) == (200, "healthy")
    statuses = {name: service["status"] for name, service in response.json()["services"].items()}
    vendors = dict.fromkeys(("vector_store", "openai", "stripe", "supabase"), "disabled")
    assert statuses == {"database": "up", **vendors}


def test_malformed_json_and_wrong_types_are_400_without_internals(http: httpx.Client) -> None:
    malformed = http.post("/api/auth/login", content="{", headers={"content-type": "application/json"})
    assert (malformed.status_code, malformed.json()["error"]) == (400, "malformed_json")
    invalid = http.post("/api/auth/login", json={"email": "s3cret-typo", "password": 7, "admin": True})
    assert (invalid.status_code, invalid.json()["error"]) == (400, "invalid_request")
    assert {problem["field"] for problem in invalid.json()["fields"]} == {"email", "password", "admin"}
    assert "s3cret-typo" not in invalid.text


@pytest.mark.parametrize("announced", [True, False])
def test_oversize_body_is_refused(http: httpx.Client, announced: bool) -> None:
    content = b"x" * 100_000
    response = http.post(
        "/api/errors/log",
        content=content if announced else iter([content]),
        headers={"content-type": "application/json"},
    )
    assert (response.status_code, response.json()["error"]) == (413, "body_too_large")
    assert http.get("/api/health").status_code == 200


def test_missing_is_404_as_json_for_programs_and_as_page_for_people(http: httpx.Client) -> None:
    api, page = http.get("/api/none"), http.get("/none")
    assert (api.status_code, api.json()["error"]) == (404, "not_found")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert http.delete("/api/health").status_code == 405
    for path in ("/docs", "/redoc", "/static/../settings.py", "/static/%2e%2e%2fsettings.py", "/.env", "/settings.py"):
        assert http.get(path).status_code == 404


@pytest.mark.parametrize("message", ["", "   ", "x" * 2001, 5, None])
def test_chat_validates(http: httpx.Client, message: object) -> None:
    token = bearer(login(http)["access_token"])
    assert http.post("/api/chat", json={"message": message}, headers=token).status_code == 400


def test_errors_of_browsers_are_stored_once_validated(http: httpx.Client) -> None:
    report = {"message": "boom", "stack": "at x", "source": "/app", "severity": "critical", "metadata": {"build": 7}}
    response = http.post("/api/errors/log", json=report)
    assert response.status_code == 201
    assert UUID(response.json()["id"])
    for wrong in (
        {},
        {"message": ""},
        {**report, "severity": "loud"},
        {**report, "id": "mine"},
        {**report, "metadata": {"deep": {"er": 1}}},
        {**report, "metadata": {"long": "x" * 5000}},
    ):
        assert http.post("/api/errors/log", json=wrong).status_code == 400


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "\\udfff x", "NaN", "9" * 5000, "[" * 30_000])
def test_what_no_database_can_hold_is_refused_and_not_an_error_of_ours(http: httpx.Client, text: str) -> None:
    value = f'"x{text}"' if text.startswith("\\") else text
    token = bearer(login(http)["access_token"])
    for path, body in (
        ("/api/auth/login", f'{{"email": {value}, "password": {value}}}'),
        ("/api/auth/refresh", f'{{"refresh_token": {value}}}'),
        ("/api/chat", f'{{"message": {value}}}'),
        ("/api/errors/log", f'{{"message": "boom", "metadata": {{"x": {value}}}}}'),
        ("/api/errors/log", f'{{"message": {value}}}'),
    ):
        # As another client than the other tests: reports of errors are limited.
        headers = {"content-type": "application/json", "x-forwarded-for": "192.0.2.20", **token}
        assert http.post(path, content=body, headers=headers).status_code == 400, path


def _signature(body: bytes, *, at: int | None = None, secret: str = ENVIRONMENT["STRIPE_WEBHOOK_SECRET"]) -> str:
    stamp = int(time.time()) if at is None else at
    return f"t={stamp},v1={hmac.new(secret.encode(), f'{stamp}.'.encode() + body, sha256).hexdigest()}"


def _webhook(http: httpx.Client, body: bytes, signature: str | None) -> httpx.Response:
    headers = {} if signature is None else {"stripe-signature": signature}
    return http.post("/api/billing/webhook", content=body, headers=headers)


def test_webhook_takes_signed_events_once(http: httpx.Client) -> None:
    body = json.dumps({"id": f"evt_{uuid4().hex}", "type": "invoice.paid"}).encode()
    rolled = _signature(body, secret="the former secret") + ",v1=" + _signature(body).partition("v1=")[2]
    assert _webhook(http, body, _signature(body)).json() == {"received": True, "duplicate": False}
    assert _webhook(http, body, rolled).json() == {"received": True, "duplicate": True}


def test_webhook_refuses_everything_else(http: httpx.Client) -> None:
    body = b'{"id": "evt_1"}'
    good = _signature(body)
    for signature in (
        None,
        "",
        "nonsense",
        "t=,v1=",
        "t=²,v1=ü",
        good.partition(",")[0],
        good.replace("v1", "v0"),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        _signature(body, secret="other"),
        _signature(body, at=int(time.time()) - 301),
        _signature(body, at=int(time.time()) + 360),
        _signature(b"another body"),
    ):
        encoded = None if signature is None else signature.encode()
        assert _webhook(http, body, encoded).status_code == 400, signature  # type: ignore[arg-type]


def test_cron_job_runs_for_the_scheduler_only(http: httpx.Client) -> None:
    for headers in ({}, bearer("wrong"), {"authorization": ENVIRONMENT["CRON_SECRET"]}, {"authorization": "Bearer"}):
        assert http.get("/api/cron/backup", headers=headers).status_code == 401
    http.post("/api/errors/log", json={"message": "to be saved"})
    for _ in range(6):
        response = http.get("/api/cron/backup", headers=bearer(ENVIRONMENT["CRON_SECRET"]))
        assert response.status_code == 200
    assert response.json()["rows"]["users"] == 1
    assert response.json()["rows"]["error_logs"] >= 1


def test_without_their_secrets_webhook_and_cron_job_are_closed() -> None:
    with running(STRIPE_WEBHOOK_SECRET="", CRON_SECRET="") as url, client(url) as http:
        body = b"{}"
        assert _webhook(http, body, _signature(body, secret="")).status_code == 400
        assert http.get("/api/cron/backup", headers={"authorization": "Bearer"}).status_code == 401


def _exchanges(http: httpx.Client) -> list[httpx.Response]:
    """Answers of every kind that the API gives, got in the ways that clients get them."""
    account = login(http)
    token = bearer(account["access_token"])
    refresh = {"refresh_token": account["refresh_token"]}
    return [
        http.get("/api/health"),
        http.get("/api/health/detailed"),
        http.get("/api/auth/tiers"),
        http.get("/api/auth/google"),
        http.get("/api/auth/microsoft"),
        http.post("/api/auth/login", json={"email": ENVIRONMENT["DEMO_USER_EMAIL"], "password": "wrong"}),
        http.post("/api/auth/login", json={}),
        http.post("/api/auth/login", content=b"x" * 70_000, headers={"content-type": "application/json"}),
        http.get("/api/user/profile"),
        http.get("/api/user/profile", headers=token),
        http.put("/api/user/profile", json={"name": "Ana"}),
        http.put("/api/user/profile", json={"name": "Ana"}, headers=token),
        http.put("/api/user/profile", json={}, headers=token),
        http.put("/api/user/profile", json={"tier": "team"}, headers=token),
        http.post("/api/chat", json={"message": "Hello"}),
        http.post("/api/chat", json={"message": "Hello"}, headers=token),
        http.post("/api/chat", json={}, headers=token),
        http.post("/api/errors/log", json={"message": "boom"}),
        http.post("/api/errors/log", json={}),
        http.post("/api/billing/webhook", json={}),
        http.post("/api/billing/webhook", json={}, headers={"stripe-signature": _signature(b"{}")}),
        http.post("/api/billing/webhook", json={}, headers={"stripe-signature": "x" * 2000}),
        http.get("/api/cron/backup"),
        http.get("/api/cron/backup", headers=bearer(ENVIRONMENT["CRON_SECRET"])),
        http.post("/api/auth/forgot", json={"email": ENVIRONMENT["DEMO_USER_EMAIL"]}),
        http.post("/api/auth/forgot", json={"email": "nobody"}),
        http.post("/api/auth/refresh", json=refresh),
        http.post("/api/auth/refresh", json={}),
        http.post("/api/auth/refresh", json={"refresh_token": "wrong"}),
        http.post("/api/auth/logout", headers=token),
        http.post("/api/auth/logout"),
    ]


def test_document_is_valid_and_says_what_really_happens(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    answered = set()
    for response in _exchanges(http):
        path, method = response.request.url.path, response.request.method.lower()
        declared = document["paths"][path][method]["responses"]
        assert str(response.status_code) in declared, (method, path, response.status_code, response.text)
        answered.add((path, method))
        schema = declared[str(response.status_code)].get("content", {}).get("application/json", {}).get("schema")
        if schema:
            jsonschema.validate(response.json(), {**_rebased(schema), "components": document["components"]})
    assert answered == {(path, method) for path, item in document["paths"].items() for method in item}
    assert "422" not in json.dumps(document)


def _rebased(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a document of its own, beside which the components stand under the same address."""
    return {"allOf": [schema]}


def test_document_tells_which_operations_need_whom(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["components"]["securitySchemes"].keys() == {"accessToken", "sessionCookie"}
    secured = {
        path for path, item in document["paths"].items() for operation in item.values() if "security" in operation
    }
    assert secured == {"/api/auth/logout", "/api/user/profile", "/api/chat"}


def test_production_host_is_the_same_application(healthy_url: str) -> None:
    with client(healthy_url, host=PRODUCTION_HOST) as http:
        assert http.get("/api/health").json()["commit"] == ENVIRONMENT["VERCEL_GIT_COMMIT_SHA"]
