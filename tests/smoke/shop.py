"""A small application that the smoke checks are tried on, with one switch per fault."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

COMMIT = "c0ffee" + "0" * 34
DEPLOYMENT = "dpl_shop"
USER, PASSWORD = "ada@example.com", "correct horse battery staple"
KEY = "a key that signs tokens, long enough for HMAC"
WEBHOOK_KEY = b"shared with the sender"

FAULTS = {
    "unhealthy": "smoke/health",
    "health-says-down": "smoke/health",
    "health-without-json": "smoke/health",
    "health-cacheable": "smoke/health-fresh",
    "health-from-cache": "smoke/health-fresh",
    "health-frozen": "smoke/health-fresh",
    "health-stale-time": "smoke/health-fresh",
    "identity-flickers": "smoke/identity",
    "identity-other": "smoke/identity",
    "identity-other-deployment": "smoke/identity",
    "identity-silent": "smoke/identity",
    "service-down": "smoke/health-detailed",
    "services-hidden": "smoke/health-detailed",
    "services-lie": "smoke/health-detailed",
    "degraded-for-nothing": "smoke/health-detailed",
    "tiers-shape": "smoke/openapi",
    "tiers-500": "smoke/openapi",
    "tiers-type": "smoke/openapi",
    "tiers-nullable": "smoke/openapi",
    "document-broken": "smoke/openapi",
    "document-missing": "smoke/openapi",
    "orders-open": "smoke/openapi",
    "soft-404": "smoke/not-found",
    "soft-404-api": "smoke/not-found",
    "stack-trace": "smoke/error-body",
    "error-html": "smoke/error-body",
    "error-path": "smoke/error-body",
    "malformed-accepted": "smoke/error-body",
    "app-open": "smoke/protected-pages",
    "app-refusal-cached": "smoke/protected-pages",
    "app-cached": "smoke/protected-pages",
    "me-open": "smoke/protected-api",
    "alg-none": "smoke/forged-token",
    "unverified": "smoke/forged-token",
    "expiry-ignored": "smoke/expired-token",
    "immortal": "smoke/token-lifetime",
    "without-exp": "smoke/token-lifetime",
    "login-broken": "smoke/login",
    "any-password": "smoke/login-refuses",
    "tells-users": "smoke/login-refuses",
    "session-lost": "smoke/session",
    "refresh-broken": "smoke/refresh",
    "refresh-dud": "smoke/refresh",
    "refresh-reusable": "smoke/refresh-rotation",
    "logout-keeps-cookie": "smoke/logout",
    "logout-keeps-token": "smoke/logout",
    "logout-keeps-refresh": "smoke/logout",
    "logout-broken": "smoke/logout",
    "oauth-elsewhere": "smoke/oauth-redirect",
    "oauth-client": "smoke/oauth-redirect",
    "oauth-return": "smoke/oauth-redirect",
    "oauth-state": "smoke/oauth-redirect",
    "oauth-fixed-state": "smoke/oauth-redirect",
    "oauth-implicit": "smoke/oauth-redirect",
    "oauth-plain": "smoke/oauth-redirect",
    "oauth-fixed-challenge": "smoke/oauth-redirect",
    "webhook-open": "smoke/webhook-signature",
    "webhook-wrong-signature": "smoke/webhook-signature",
    "webhook-missing": "smoke/webhook-signature",
    "cron-open": "smoke/cron-secret",
    "cron-any-secret": "smoke/cron-secret",
    "chat-broken": "smoke/api",
    "chat-shape": "smoke/api",
    "chat-type": "smoke/api",
    "blank": "smoke/page-renders",
    "untitled": "smoke/page-renders",
    "page-500": "smoke/page-renders",
    "script-throws": "smoke/console-errors",
    "console-error": "smoke/console-errors",
    "asset-missing": "smoke/failed-requests",
    "asset-hangs": "smoke/failed-requests",
    "mixed-content": "smoke/mixed-content",
    "too-wide": "smoke/responsive",
    "dead-button": "smoke/login-journey",
    "no-form": "smoke/login-journey",
    "no-button": "smoke/login-journey",
    "bounces": "smoke/login-journey",
    "covered-form": "smoke/login-journey",
}
"""Each fault with the one check that must fail for it."""

CONSEQUENCES = {
    "health-without-json": {"smoke/identity", "smoke/openapi"},
    "tiers-500": {"smoke/api"},
    "tiers-type": {"smoke/api"},
    "me-open": {"smoke/expired-token", "smoke/forged-token", "smoke/logout"},
    "login-broken": {
        "smoke/api",
        "smoke/logout",
        "smoke/refresh",
        "smoke/refresh-rotation",
        "smoke/session",
        "smoke/token-lifetime",
    },
    "session-lost": {"smoke/api"},
    "refresh-broken": {"smoke/refresh-rotation"},
}
"""Checks that have no answer, or the same one, because of a fault in something that they need."""

Handler = Callable[[Request], Any]


class Shop:
    """The application's state, and its routes."""

    def __init__(self) -> None:
        self.faults: set[str] = set()
        self.sessions: set[str] = set()
        self.refresh_tokens: dict[str, str] = {}
        self.health_answers = 0
        self.started = datetime.now(UTC)
        self.logins = 0
        self.asks: list[str] = []
        """Method and path of every request."""
        self.agents: set[str] = set()
        pages = {"/": self.home, "/login": self.login_page, "/app": self.app_page, "/oauth/start": self.oauth}
        gets = {
            "/api/health": self.health,
            "/api/health/detailed": self.detailed,
            "/openapi.json": self.document,
            "/api/tiers": self.tiers,
            "/api/me": self.me,
            "/api/orders": self.orders,
            "/api/cron/backup": self.cron,
            "/static/hangs.js": self.hangs,
            "/strange/{name}": self.strange,
        }
        posts = {
            "/api/login": self.login,
            "/api/refresh": self.refresh,
            "/api/logout": self.logout,
            "/api/chat": self.chat,
            "/api/webhook": self.webhook,
        }
        self.app = Starlette(
            routes=[Route(path, self._counted(handler)) for path, handler in {**pages, **gets}.items()]
            + [Route(path, self._counted(handler), methods=["POST"]) for path, handler in posts.items()]
            + [Route("/{path:path}", self._counted(self.unknown), methods=["GET", "POST"])]
        )

    def reset(self, *faults: str) -> None:
        assert set(faults) <= FAULTS.keys()
        self.faults = set(faults)
        self.asks.clear()
        self.health_answers = self.logins = 0

    def _counted(self, handler: Handler) -> Handler:
        async def counted(request: Request) -> Response:
            self.asks.append(f"{request.method} {request.url.path}")
            self.agents.add(request.headers.get("user-agent", ""))
            return await handler(request)

        return counted

    # Health and documents

    async def health(self, request: Request) -> Response:
        self.health_answers += 1
        commit, deployment = COMMIT, DEPLOYMENT
        if "identity-other" in self.faults or ("identity-flickers" in self.faults and self.health_answers % 2):
            commit = "beef" * 10
        if "identity-other-deployment" in self.faults:
            deployment = "dpl_other"
        now = datetime.now(UTC)
        if "health-frozen" in self.faults:
            now = self.started
        if "health-stale-time" in self.faults:
            now = datetime.fromtimestamp(1_700_000_000 + self.health_answers, UTC)
        body = {"status": "ok", "timestamp": now.isoformat(), "build": {"commit": commit, "deployment": deployment}}
        if "health-says-down" in self.faults:
            body["status"] = "down"
        if "identity-silent" in self.faults:
            del body["build"]
        headers = {"cache-control": "no-store"}
        if "health-cacheable" in self.faults:
            headers["cache-control"] = "public, max-age=60"
        if "health-from-cache" in self.faults:
            headers["age"] = "17"
        if "health-without-json" in self.faults:
            return HTMLResponse("<h1>fine</h1>", headers=headers)
        return JSONResponse(body, 503 if "unhealthy" in self.faults else 200, headers=headers)

    async def detailed(self, request: Request) -> Response:
        states: dict[str, Any] = {"database": {"status": "up"}, "mail": True, "search": "disabled"}
        overall, status = "healthy", 200
        if self.faults & {"service-down", "services-lie"}:
            states["database"] = {"status": "down"}
        if "service-down" in self.faults or "degraded-for-nothing" in self.faults:
            overall, status = "degraded", 503
        body = {"status": overall, "services": states}
        return JSONResponse({"status": "healthy"} if "services-hidden" in self.faults else body, status)

    async def document(self, request: Request) -> Response:
        if "document-missing" in self.faults:
            return JSONResponse({"error": "not found"}, 404)
        if "document-broken" in self.faults:
            return JSONResponse({"hello": "world"})
        return JSONResponse(DOCUMENT)

    async def tiers(self, request: Request) -> Response:
        if "tiers-500" in self.faults:
            return JSONResponse({"error": "sorry"}, 500)
        if "tiers-type" in self.faults:
            return HTMLResponse("<ul><li>free</ul>")
        tier: dict[str, Any] = {"name": "free", "price": 0, "note": None}
        if "tiers-shape" in self.faults:
            del tier["price"]
        if "tiers-nullable" in self.faults:
            tier["name"] = None
        return JSONResponse({"tiers": [tier]})

    async def orders(self, request: Request) -> Response:
        if "orders-open" in self.faults or self._known(request):
            return JSONResponse([])
        return JSONResponse({"error": "log in"}, 401)

    async def unknown(self, request: Request) -> Response:
        if "error-path" in self.faults:
            return JSONResponse({"error": "no such file: /var/task/shop/routes/index.js"}, 404)
        if request.url.path.startswith("/api/"):
            if "error-html" in self.faults:
                return HTMLResponse("<h1>Not found</h1>", 404)
            return JSONResponse({"error": "not found"}, 200 if "soft-404-api" in self.faults else 404)
        return HTMLResponse("<title>Shop</title><h1>Not found</h1>", 200 if "soft-404" in self.faults else 404)

    # Accounts

    async def login(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            if "malformed-accepted" in self.faults:
                return JSONResponse({"status": "thanks"})
            if "stack-trace" in self.faults:
                trace = 'Traceback (most recent call last):\n  File "/srv/shop.py", line 3, in login\nValueError'
                return Response(trace, 500, media_type="text/plain")
            return JSONResponse({"error": "malformed JSON"}, 400)
        self.logins += 1
        if "tells-users" in self.faults and body["email"] != USER:
            return JSONResponse({"error": "unknown user"}, 404)
        if body["password"] != PASSWORD and "any-password" not in self.faults:
            return JSONResponse({"error": "wrong user or password", "request": secrets.token_hex(4)}, 401)
        if "login-broken" in self.faults:
            return JSONResponse({"error": "sorry"}, 500)
        session = secrets.token_urlsafe(24)
        if "session-lost" not in self.faults:
            self.sessions.add(session)
        self.sessions.add("token:" + session)
        answer = JSONResponse(
            {
                "auth": {"access": self._token(session)},
                "refresh_token": self._refresh_token(session),
                "csrf": "c-" + session,
            }
        )
        answer.set_cookie("session", session, secure=True, httponly=True, samesite="lax")
        return answer

    async def refresh(self, request: Request) -> Response:
        token = (await request.json()).get("refresh_token", "")
        if "refresh-broken" in self.faults:
            return JSONResponse({"error": "sorry"}, 500)
        session = self.refresh_tokens.get(token)
        if session is None:
            return JSONResponse({"error": "log in"}, 401)
        if "refresh-reusable" not in self.faults:
            del self.refresh_tokens[token]
        if "refresh-dud" in self.faults:
            return JSONResponse({"auth": {"access": "dud"}})
        return JSONResponse({"auth": {"access": self._token(session)}, "refresh_token": self._refresh_token(session)})

    async def logout(self, request: Request) -> Response:
        session = request.cookies.get("session", "")
        if "logout-broken" in self.faults or request.headers.get("x-csrf") != "c-" + session:
            return JSONResponse({"error": "no"}, 403)
        if "logout-keeps-cookie" not in self.faults:
            self.sessions.discard(session)
        if "logout-keeps-token" not in self.faults:
            self.sessions.discard("token:" + session)
        if "logout-keeps-refresh" not in self.faults:
            self.refresh_tokens = {token: owner for token, owner in self.refresh_tokens.items() if owner != session}
        return Response(status_code=204)

    async def me(self, request: Request) -> Response:
        if "me-open" in self.faults or self._known(request):
            return JSONResponse({"email": USER})
        return JSONResponse({"error": "log in"}, 401)

    async def chat(self, request: Request) -> Response:
        if not self._known(request) or request.headers.get("x-csrf") != "c-" + request.cookies.get("session", ""):
            return JSONResponse({"error": "log in"}, 401)
        if "chat-type" in self.faults:
            return Response('{"reply": "hello"}', media_type="text/plain")
        answer = {} if "chat-shape" in self.faults else {"reply": "hello"}
        return JSONResponse(answer, 500 if "chat-broken" in self.faults else 200)

    def _token(self, session: str) -> str:
        now = int(time.time())
        claims = {"sub": "7", "sid": session, "iat": now, "exp": now + (10**8 if "immortal" in self.faults else 600)}
        if "without-exp" in self.faults:
            del claims["exp"]
        return jwt.encode(claims, KEY, algorithm="HS256")

    def _refresh_token(self, session: str) -> str:
        token = secrets.token_urlsafe(24)
        self.refresh_tokens[token] = session
        return token

    def _known(self, request: Request) -> bool:
        if request.cookies.get("session") in self.sessions:
            return True
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            unsigned = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
            is_unsigned = "alg-none" in self.faults and jwt.get_unverified_header(token)["alg"].lower() == "none"
            if is_unsigned or "unverified" in self.faults:
                return unsigned["exp"] > time.time() and f"token:{unsigned['sid']}" in self.sessions
            options = {"verify_exp": "expiry-ignored" not in self.faults}
            claims = jwt.decode(token, KEY, algorithms=["HS256"], options=options)
        except (jwt.InvalidTokenError, KeyError):
            return False
        return f"token:{claims['sid']}" in self.sessions | ({"token:old"} if "expiry-ignored" in self.faults else set())

    # Other people's calls

    async def oauth(self, request: Request) -> Response:
        here = str(request.base_url).rstrip("/")
        challenge = hashlib.sha256(secrets.token_bytes()).hexdigest()[:43]
        parameters = {
            "client_id": "shop-client",
            "redirect_uri": f"{here}/oauth/callback",
            "response_type": "code",
            "state": secrets.token_urlsafe(24),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        changes = {
            "oauth-client": {"client_id": "another"},
            "oauth-return": {"redirect_uri": "https://elsewhere.example/oauth/callback"},
            "oauth-state": {"state": ""},
            "oauth-fixed-state": {"state": "x" * 24},
            "oauth-implicit": {"response_type": "token"},
            "oauth-plain": {"code_challenge_method": "plain"},
            "oauth-fixed-challenge": {"code_challenge": "y" * 43},
        }
        for fault in self.faults:
            parameters |= changes.get(fault, {})
        provider = "https://elsewhere.example" if "oauth-elsewhere" in self.faults else "https://id.example.com"
        return RedirectResponse(f"{provider}/authorize?{urlencode(parameters)}", 302)

    async def webhook(self, request: Request) -> Response:
        if "webhook-missing" in self.faults:
            return JSONResponse({"error": "not found"}, 404)
        signature = request.headers.get("x-hub-signature-256")
        expected = "sha256=" + hmac.new(WEBHOOK_KEY, await request.body(), "sha256").hexdigest()
        is_open = "webhook-open" in self.faults or ("webhook-wrong-signature" in self.faults and signature)
        return JSONResponse({"received": True}, 200 if is_open or signature == expected else 400)

    async def cron(self, request: Request) -> Response:
        given = request.headers.get("authorization")
        is_open = "cron-open" in self.faults or ("cron-any-secret" in self.faults and given)
        return JSONResponse({"ran": bool(is_open)}, 200 if is_open else 401)

    async def hangs(self, request: Request) -> Response:
        while not await request.is_disconnected():
            await request.receive()
        return Response()

    # Pages

    async def home(self, request: Request) -> Response:
        if "blank" in self.faults:
            return HTMLResponse("<title>Shop</title><body></body>")
        title = "" if "untitled" in self.faults else "<title>Shop</title>"
        extras = {
            "script-throws": "<script>throw new Error('out of stock')</script>",
            "console-error": "<script>console.error('out of stock')</script>",
            "asset-missing": "<script src='/static/missing.js'></script>",
            "asset-hangs": "<script src='/static/hangs.js' defer></script>",
            "mixed-content": "<img src='http://127.0.0.2:9/pixel.png' alt=''>",
            "too-wide": "<div class=banner style='width: 900px'>wide</div>",
        }
        more = "".join(extra for fault, extra in extras.items() if fault in self.faults)
        status = 500 if "page-500" in self.faults else 200
        return HTMLResponse(f"{PAGE_HEAD}{title}<body><h1>Shop</h1>{more}</body>", status)

    async def login_page(self, request: Request) -> Response:
        form = "" if "no-form" in self.faults else FORM
        if "no-button" in self.faults:
            form = form.replace("<button>Log in</button>", "")
        script = "" if "dead-button" in self.faults else LOGIN_SCRIPT
        script += COVER if "covered-form" in self.faults else ""
        return HTMLResponse(f"{PAGE_HEAD}<title>Log in</title><body><h1>Log in</h1>{form}{script}</body>")

    async def app_page(self, request: Request) -> Response:
        if "app-open" not in self.faults and not self._known(request):
            status = 301 if "app-refusal-cached" in self.faults else 303
            return RedirectResponse("/login?next=/app", status)
        if "bounces" in self.faults:
            self.sessions.discard(request.cookies.get("session", ""))
        cache = {} if "app-cached" in self.faults else {"cache-control": "private, no-store"}
        return HTMLResponse(f"{PAGE_HEAD}<title>Your orders</title><body>none yet</body>", headers=cache)

    async def strange(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "worker.js":
            return Response(WORKER, media_type="text/javascript")
        if name in {"here", "there"}:
            return RedirectResponse("/strange/there" if name == "here" else "/strange/here", 307)
        return HTMLResponse(f"{PAGE_HEAD}<title>Shop</title><body><nav>Shop</nav>{STRANGE[name]}</body>")


PAGE_HEAD = (
    '<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><link rel=icon href=data:,>'
)
COVER = "<div id=preloader style='position: fixed; inset: 0; background: white'></div>"
WORKER = """
addEventListener('install', () => skipWaiting());
addEventListener('fetch', event => event.request.mode === 'navigate' && event.respondWith(
  new Response('<title>Last year</title><h1>Old</h1>', {headers: {'content-type': 'text/html'}})));"""
STRANGE = {
    "sound": "<main><h1>500 recipes</h1><p hidden>Loading…</p></main>",
    "slow": "<main id=m>Loading…</main><script>setTimeout(() => m.append(' now it is here'), 100)</script>",
    "map": "<main><canvas></canvas></main>",
    "dialog": "<div style='position: fixed; inset: 0'>May we count you? <button>No</button></div>",
    "loading": "<main><p>Loading…</p></main>",
    "busy": "<main aria-busy=true><svg></svg></main>",
    "hollow": "<main></main>",
    "covered": COVER,
    "invisible": "<style>body { opacity: 0 }</style><h1>Anyone?</h1>",
    "apology": "<main><h2>Application error: a server-side exception has occurred</h2>Digest: 7</main>",
    "missing": "<main><h1>404</h1><h2>This page could not be found.</h2></main>",
    "circle": "<script>setTimeout(() => location.replace('/strange/circle?' + Math.random()), 20)</script>",
    "worker": "<h1>New</h1><script>navigator.serviceWorker.register('/strange/worker.js')</script>",
}
"""Pages that answer 200: four sound ones, and such as show nothing of what they are for."""
FORM = """<form><input name=email type=email><input name=password type=password><button>Log in</button></form>"""
LOGIN_SCRIPT = """<script>
document.querySelector('form')?.addEventListener('submit', async event => {
  event.preventDefault();
  const data = Object.fromEntries(new FormData(event.target));
  const headers = {'content-type': 'application/json'};
  const answer = await fetch('/api/login', {method: 'POST', headers, body: JSON.stringify(data)});
  if (answer.ok) location.assign('/app');
});</script>"""

_JSON = "application/json"
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/api/health": {
            "get": {"responses": {"200": {"description": "", "content": {_JSON: {"schema": {"type": "object"}}}}}}
        },
        "/api/tiers": {
            "get": {
                "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer"}}],
                "responses": {"200": {"$ref": "#/components/responses/Tiers"}},
            }
        },
        "/api/orders": {
            "get": {
                "security": [{"bearer": []}],
                "responses": {"200": {"description": ""}, "401": {"description": "no login"}},
            }
        },
        "/api/orders/{id}": {"get": {"responses": {"200": {"description": ""}}}},
        "/api/search": {
            "parameters": [{"$ref": "#/components/parameters/Query"}],
            "get": {"responses": {"200": {"description": ""}}},
        },
        "/api/sign-out": {"get": {"responses": {"200": {"description": ""}}}},
        "/api/events": {"get": {"responses": {"200": {"description": "", "content": {"text/event-stream": {}}}}}},
        "/api/cron/backup": {"get": {"responses": {"200": {"description": ""}}}},
        "/api/login": {"post": {"responses": {"200": {"description": ""}}}},
    },
    "components": {
        "parameters": {"Query": {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}},
        "responses": {
            "Tiers": {
                "description": "",
                "content": {
                    _JSON: {
                        "schema": {
                            "type": "object",
                            "required": ["tiers"],
                            "properties": {"tiers": {"type": "array", "items": {"$ref": "#/components/schemas/Tier"}}},
                        }
                    }
                },
            }
        },
        "schemas": {
            "Tier": {
                "type": "object",
                "required": ["name", "price"],
                "properties": {
                    "name": {"type": "string"},
                    "price": {"type": "number"},
                    "note": {"type": ["string", "null"]},
                },
            }
        },
    },
}


def expired_token() -> str:
    return jwt.encode({"sub": "7", "sid": "old", "iat": 1_600_000_000, "exp": 1_600_000_600}, KEY, algorithm="HS256")
