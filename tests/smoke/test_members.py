"""Logging in and out by forms, and what tokens and answers to a login may be like."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from ci.model import CheckResult, Outcome, Severity
from ci.smoke.suite import test_login, test_logout, test_openapi, test_protection, test_tokens
from tests.members import PASSWORD, USER, Members
from tests.servers import Handler, serving
from tests.smoke.conftest import Prepare
from tests.smoke.examining import Examiner, Results, told

CONFIG = """
target: {{production: {url}}}
smoke:
  browser: false
  protected: [/members]
  login: {{path: /enter, page: /enter, form: true, after: /members, username: SHOP_USER, password: SHOP_PASSWORD,
    username_field: name, token: null, whoami: /members, logout: /leave}}
"""
TOKENS = """
target: {{production: {url}}}
smoke:
  browser: false
  openapi: /openapi.json
  login: {{path: /login, username: SHOP_USER, password: SHOP_PASSWORD, whoami: /me}}
security: {{rate_limit: {{path: /limited, burst: 3}}}}
"""


class Look:
    """Examines a server of the test's own, behind TLS, as the test user of the members' area."""

    def __init__(self, examine: Examiner, prepare: Prepare, folder: Path) -> None:
        self._examine, self._prepare = examine, prepare
        authority = trustme.CA()
        self._authority = folder / "own-ca.pem"
        authority.cert_pem.write_to_path(str(self._authority))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._tls)

    async def __call__(self, handler: Handler, text: str, *modules: Any) -> Results:
        environ = {"SHOP_USER": USER, "SHOP_PASSWORD": PASSWORD, "SSL_CERT_FILE": str(self._authority)}
        async with serving({"*": handler}, tls=self._tls) as url:
            run = self._prepare(text, at=url, **environ)
            return await asyncio.to_thread(self._examine, modules, run=run)


@pytest.fixture
def look(examine: Examiner, prepare: Prepare, tmp_path: Path) -> Look:
    return Look(examine, prepare, tmp_path)


def worst(result: CheckResult) -> Severity | None:
    return max((finding.severity for finding in result.findings), key=lambda severity: severity.rank, default=None)


async def test_a_sound_application_with_forms(look: Look) -> None:
    results = await look(Members().handle, CONFIG, test_login, test_protection, test_logout)
    assert not {result.outcome for result in results.values()} & {Outcome.FAIL, Outcome.ERROR}, told(results)
    passed = {name for name, result in results.items() if result.outcome is Outcome.PASS}
    assert passed >= {"smoke/login", "smoke/login-refuses", "smoke/session", "smoke/protected-pages", "smoke/logout"}


@pytest.mark.parametrize(
    ("fault", "check", "severity", "words"),
    [
        ("any-password", "smoke/login-refuses", Severity.CRITICAL, "let them in"),
        ("unknown-user-told", "smoke/login-refuses", Severity.MEDIUM, "who has an account"),
        ("session-not-ended", "smoke/logout", Severity.HIGH, "to the old cookie"),
        ("session-in-the-cookie", "smoke/logout", Severity.LOW, "in the cookie itself"),
    ],
)
async def test_a_fault_of_the_form_is_noticed(
    fault: str, check: str, severity: Severity, words: str, look: Look
) -> None:
    results = await look(Members(fault).handle, CONFIG, test_login, test_logout)
    assert worst(results[check]) is severity, told(results)
    assert any(words in finding.message for finding in results[check].findings), told(results)


async def test_a_wrong_password_for_the_form_is_no_login(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.members.PASSWORD", "another")
    results = await look(Members().handle, CONFIG, test_login)
    assert worst(results["smoke/login"]) is Severity.CRITICAL, told(results)


class Tokens:
    """An API that signs its tokens with this key, or reads the key from where the token says."""

    def __init__(self, key: str = "k" * 40, *, fault: str = "") -> None:
        self.key, self.fault = key, fault

    def sign(self, head: dict[str, str], claims: dict[str, Any], key: str) -> str:
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
        signed = b".".join(parts)
        signature = hmac.new(key.encode(), signed, hashlib.sha256).digest()
        return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()

    def believes(self, token: str) -> bool:
        try:
            head, claims, _ = (part + "=" * (-len(part) % 4) for part in token.split("."))
            kid = json.loads(base64.urlsafe_b64decode(head))["kid"]
            given = json.loads(base64.urlsafe_b64decode(claims))
        except (ValueError, KeyError):
            return False
        trusting = self.fault == "kid-is-a-path" and kid.endswith("/dev/null")
        return token == self.sign({"alg": "HS256", "typ": "JWT", "kid": kid}, given, "" if trusting else self.key)

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/login":
            body = await request.json()
            if body != {"email": USER, "password": PASSWORD}:
                return web.json_response({"error": "wrong"}, status=200 if self.fault == "error-with-200" else 401)
            now = int(time.time())
            head = {"alg": "HS256", "typ": "JWT", "kid": "main"}
            return web.json_response({"access_token": self.sign(head, {"sub": "1", "exp": now + 600}, self.key)})
        if request.path == "/me":
            known = self.believes(request.headers.get("authorization", "").removeprefix("Bearer "))
            return web.json_response({"me": 1} if known else {"error": "who?"}, status=200 if known else 401)
        if request.path == "/openapi.json":
            promised = {"get": {"responses": {"200": {"description": "yes"}}}}
            return web.json_response({"openapi": "3.1.0", "paths": {"/limited": promised, "/free": promised}})
        return web.json_response({}, status=429 if request.path == "/limited" else 200)


async def test_sound_tokens(look: Look) -> None:
    results = await look(Tokens().handle, TOKENS, test_tokens, test_login, test_openapi)
    assert not {result.outcome for result in results.values()} & {Outcome.FAIL, Outcome.ERROR}, told(results)
    assert results["smoke/openapi"].outcome is Outcome.PASS, "the path of the rate limit is left to its own check"


async def test_a_key_of_the_tutorials_is_noticed(look: Look) -> None:
    results = await look(Tokens("your-256-bit-secret").handle, TOKENS, test_tokens)
    assert "well-known key" in told(results)
    assert worst(results["smoke/forged-token"]) is Severity.CRITICAL


async def test_a_key_that_the_token_chooses_is_noticed(look: Look) -> None:
    results = await look(Tokens(fault="kid-is-a-path").handle, TOKENS, test_tokens)
    assert "out of the folder of keys" in told(results)


async def test_an_error_with_200_is_told_for_what_it_is(look: Look) -> None:
    results = await look(Tokens(fault="error-with-200").handle, TOKENS, test_login)
    assert worst(results["smoke/login-refuses"]) is Severity.MEDIUM, told(results)
    assert "opens nothing" in told(results)
