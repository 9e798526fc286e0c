"""An application that knows nothing of Gonogo: sound, but for the one fault that it is given, named like its check."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web

USER, PASSWORD = "ada@example.com", "correct horse battery staple"
BURST = 5
WINDOW_S = 2
HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-site",
    "cross-origin-embedder-policy": "credentialless",
    "server": "shop",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'nonce-{nonce}'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
CONFIG: dict[str, Any] = {
    "smoke": {
        "health": {"path": "/health", "detailed": "/health/all"},
        "api": [
            {"path": "/items"},
            {"path": "/notes", "method": "POST", "body": {"text": "hello"}, "login": True},
        ],
        "protected": ["/app"],
        "protected_api": ["/me"],
        "login": {
            "path": "/session",
            "page": "/login",
            "username": "SHOP_USER",
            "password": "SHOP_PASSWORD",
            "username_field": "user",
            "password_field": "pass",
            "whoami": "/me",
            "csrf": {"header": "x-token", "field": "csrf"},
        },
        "oauth": [{"start": "/oauth", "authorize": "https://id.example.com/authorize"}],
    },
    "security": {
        "lookup": {"path": "/forgot", "field": "user"},
        "rate_limit": {
            "path": "/vote",
            "method": "POST",
            "body": {},
            "burst": BURST,
            "excluded": ["/hook"],
            "recovery": "5s",
        },
    },
}
_HEADER_OF = {
    "nosniff": "x-content-type-options",
    "permissions-policy": "permissions-policy",
    "opener-policy": "cross-origin-opener-policy",
    "resource-policy": "cross-origin-resource-policy",
    "embedder-policy": "cross-origin-embedder-policy",
    "referrer-policy": "referrer-policy",
}
_LEFT_LYING = {
    "/.env.local": ("exposed-files", "API_KEY=abc\nDB_PASSWORD=def\n"),
    "/.git/config": ("exposed-repository", "[core]\n\tbare = false\n"),
    "/dump.sql": ("exposed-backups", "-- MySQL dump 10\nINSERT INTO users VALUES (1);"),
    "/metrics": ("debug-pages", "# HELP requests_total All of them\n# TYPE requests_total counter\n"),
    "/uploads/": ("directory-listing", "<title>Directory listing for /uploads/</title>"),
    "/redoc": ("api-docs", "<script src='redoc.standalone.js'></script>"),
    "/bundle.js.map": ("source-maps", json.dumps({"sourcesContent": ["let x"], "mappings": ""})),
}


class Shop:
    """One handler for every request."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.sessions: dict[str, str] = {}
        """Cookie and CSRF token of everybody who is logged in."""
        self.votes: dict[str, tuple[float, int]] = {}
        """For each client the begin of its window and the votes in it."""
        self.asked: list[str] = []
        self.routes: dict[str, Callable[[web.Request], Any]] = {
            "/": self.home,
            "/login": self.login_page,
            "/app": self.app,
            "/me": self.me,
            "/session": self.session,
            "/notes": self.notes,
            "/items": lambda request: web.json_response([1, 2]),
            "/health": lambda request: web.json_response({"status": "ok"}),
            "/health/all": self.health,
            "/bundle.js": self.bundle,
            "/oauth": self.oauth,
            "/back": self.back,
            "/forgot": self.forgot,
            "/vote": self.vote,
            "/hook": self.vote if fault == "rate-limit-excluded" else lambda request: web.Response(status=405),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        self.data = await self._json(request) if request.can_read_body else {}
        nonce = "n0nce-that-never-changes" if self.fault == "csp-nonce" else secrets.token_urlsafe(18)
        if self.fault == "oversize-input" and (request.content_length or 0) > 100_000:
            response = web.Response(status=500)
        elif self.data is None and request.path in {"/session", "/notes", "/forgot"}:
            response = web.json_response({"error": "malformed"}, status=400)
        else:
            response = self._answer(request)
        if response.content_type == "text/html" and response.text:
            response.text = response.text.replace("NONCE", nonce)
        self._dress(request, response, nonce)
        return response

    def _answer(self, request: web.Request) -> web.Response:
        if self.fault == "stack-traces" and "id[]" in request.query:
            return web.Response(status=404, text='Traceback (most recent call last):\n  File "/srv/a.py", line 3')
        if self.fault == "image-proxy" and "url" in request.query:
            return web.Response(body=b"<svg/>", content_type="image/svg+xml")
        if request.path in self.routes:
            return self.routes[request.path](request)
        fault, text = _LEFT_LYING.get(request.path, ("", ""))
        if fault and fault == self.fault:
            return web.Response(text=text, content_type="text/html" if text.startswith("<") else "text/plain")
        if self.fault == "protected-spellings" and request.path == "/APP":
            return web.Response(text="<h1>Everybody's secrets</h1>", content_type="text/html")
        shown = request.path if self.fault == "reflected-markup" else quote(request.path)
        return web.Response(status=404, text=f"<title>Gone</title>There is no {shown}", content_type="text/html")

    async def _json(self, request: web.Request) -> Any:
        body = await request.content.read(100_000)
        if len(body) == 100_000 or not request.content.at_eof():
            return None
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None

    def _dress(self, request: web.Request, response: web.Response, nonce: str) -> None:
        fault = self.fault
        response.headers.update(HEADERS)
        if name := _HEADER_OF.get(fault):
            del response.headers[name]
        if fault == "hsts":
            response.headers["strict-transport-security"] = "max-age=60"
        if fault == "hsts-scope":
            response.headers["strict-transport-security"] = "max-age=63072000"
        if fault == "server-banner":
            response.headers["server"] = "Apache/2.4.1"
        if fault == "internal-addresses":
            response.headers["x-served-by"] = "web-3.shop.internal"
        if fault == "observatory-grade":
            for name in ("x-frame-options", "strict-transport-security"):
                del response.headers[name]
        if response.content_type == "text/html" and fault not in {"csp", "observatory-grade"}:
            response.headers["content-security-policy"] = self._policy(nonce)
        if fault == "framing":
            del response.headers["x-frame-options"]
        self._share(request, response)

    def _policy(self, nonce: str) -> str:
        policy = {name: sources.format(nonce=nonce) for name, sources in POLICY.items()}
        changed = {
            "csp-inline": {"script-src": "'self' 'unsafe-inline'"},
            "csp-eval": {"script-src": "'self' 'unsafe-eval'"},
            "csp-sources": {"script-src": "'self' data: http://cdn.example.com"},
            "csp-objects": {"object-src": "*"},
            "csp-base-uri": {"base-uri": "*"},
            "csp-form-action": {"form-action": "https:"},
            "framing": {"frame-ancestors": "https:"},
        }
        policy |= changed.get(self.fault, {})
        return "; ".join(f"{name} {sources}" for name, sources in policy.items())

    def _share(self, request: web.Request, response: web.Response) -> None:
        origin = request.headers.get("origin", "")
        preflight = request.method == "OPTIONS"
        allowed = {
            "cors-origin": origin if origin.endswith("localhost") and not preflight else "",
            "cors-null": origin if origin == "null" else "",
            "cors-wildcard": "*" if not preflight else "",
            "cors-preflight": origin if preflight else "",
        }.get(self.fault)
        if allowed:
            response.headers["access-control-allow-origin"] = allowed
            response.headers["access-control-allow-methods"] = "GET, DELETE"
            if allowed != "*":
                response.headers["access-control-allow-credentials"] = "true"
        if preflight:
            response.set_status(200)

    # Pages

    def _page(self, body: str) -> web.Response:
        return web.Response(text=f"<!doctype html><title>Shop</title>{body}", content_type="text/html")

    def home(self, request: web.Request) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405)
        extra = {
            "subresource-integrity": '<script src="//cdn.example.com/a.js"></script>',
            "mixed-content": '<img src="http://pictures.example.com/a.png">',
            "token-in-url": f'<a href="/reset#access_token={"a1" * 12}">Reset</a>',
        }.get(self.fault, "")
        return self._page(
            f'<h1>Welcome</h1><a href="/app">Yours</a><script src="/bundle.js" nonce="NONCE"></script>{extra}'
        )

    def login_page(self, request: web.Request) -> web.Response:
        goes_on = request.query.get("next", "/app")
        if self._who(request):
            away = goes_on if self.fault == "open-redirect" else "/app"
            return web.Response(status=302, headers={"location": away.replace("\n", "").replace("\t", "")})
        return self._page("<form method=post action=/session><input name=user><input name=pass></form>")

    def app(self, request: web.Request) -> web.Response:
        if self._who(request) or (self.fault == "guard-bypass" and "x-middleware-subrequest" in request.headers):
            return self._page("<h1>Your things</h1>")
        if self.fault == "protected-methods" and request.method == "DELETE":
            return web.Response(status=204)
        return web.Response(status=302, headers={"location": "/login"})

    # The session

    def _who(self, request: web.Request) -> str | None:
        cookie = request.cookies.get(self.cookie_name, "")
        return cookie if cookie in self.sessions else None

    @property
    def cookie_name(self) -> str:
        return "__Host-sid"

    def session(self, request: web.Request) -> web.Response:
        data = self.data
        if not all(isinstance(data.get(name), str) for name in ("user", "pass")) or len(data) != 2:
            return web.json_response({"error": "invalid"}, status=500 if self.fault == "malformed-input" else 422)
        if (data["user"], data["pass"]) != (USER, PASSWORD):
            return web.json_response({"error": "no"}, status=401)
        kept = request.cookies.get(self.cookie_name) if self.fault == "session-fixation" else None
        value = kept or secrets.token_urlsafe(24)
        self.sessions[value] = secrets.token_urlsafe(24)
        response = web.json_response({"csrf": self.sessions[value]})
        attributes = {"cookie-lifetime": "Max-Age=99999999", "cookie-prefix": "Domain=localhost"}.get(self.fault, "")
        parts = [f"{self.cookie_name}={value}", "Path=/", attributes]
        parts += ["Secure"] if self.fault != "cookie-secure" else []
        parts += ["HttpOnly"] if self.fault != "cookie-httponly" else []
        parts += ["SameSite=None" if self.fault == "cookie-samesite" else "SameSite=Strict"]
        response.headers.add("set-cookie", "; ".join(part for part in parts if part))
        return response

    def me(self, request: web.Request) -> web.Response:
        if not self._who(request):
            return web.json_response({"error": "who?"}, status=401)
        return web.json_response({"user": USER})

    def notes(self, request: web.Request) -> web.Response:
        who = self._who(request)
        if not who:
            return web.json_response({"error": "who?"}, status=401)
        sent, right = request.headers.get("x-token"), self.sessions[who]
        accepted = {"csrf-missing": True, "csrf-wrong": bool(sent), "csrf-accepts": False}.get(
            self.fault, sent == right
        )
        if not accepted:
            return web.json_response({"error": "token"}, status=403)
        if not isinstance(self.data.get("text"), str):
            return web.json_response({"error": "invalid"}, status=422)
        if len(self.data) > 1 and self.fault != "unknown-fields":
            return web.json_response({"error": "unknown"}, status=422)
        return web.json_response({"taken": self.data})

    # The rest

    def health(self, request: web.Request) -> web.Response:
        services: dict[str, Any] = {"database": {"status": "up", "latency_ms": 3}}
        if self.fault == "health-details":
            services["database"]["dsn"] = "postgresql://shop@db/shop"
        return web.json_response({"status": "healthy", "services": services})

    def bundle(self, request: web.Request) -> web.Response:
        text = "console.log('hello')"
        if self.fault == "bundle-secrets":
            text += f"; const key = 'whsec_{secrets.token_hex(16)}'"
        if self.fault == "bundle-server-keys":
            text += f'; const env = {{"DB_PASSWORD": "{secrets.token_hex(9)}"}}'
        return web.Response(text=text, content_type="text/javascript")

    def oauth(self, request: web.Request) -> web.Response:
        back = f"https://{request.host}/back"
        there = f"https://id.example.com/authorize?state={secrets.token_urlsafe(20)}&redirect_uri={quote(back)}"
        return web.Response(status=302, headers={"location": there})

    def back(self, request: web.Request) -> web.Response:
        if self.fault == "oauth-state":
            return self._page("Welcome back")
        return web.Response(status=302, headers={"location": "/login?error=state"})

    def forgot(self, request: web.Request) -> web.Response:
        if self.fault == "user-enumeration" and self.data.get("user") != USER:
            return web.json_response({"error": "we have never heard of this person"})
        return web.json_response({"done": True})

    def vote(self, request: web.Request) -> web.Response:
        client = request.headers.get("x-forwarded-for", "") if self.fault == "rate-limit-spoofing" else ""
        since, count = self.votes.get(client, (0.0, 0))
        if time.monotonic() - since > WINDOW_S and not (count > BURST and self.fault == "rate-limit-recovery"):
            since, count = time.monotonic(), 0
        self.votes[client] = since, count + 1
        if count < BURST or self.fault == "rate-limit":
            return web.json_response({"votes": count + 1})
        pause = {} if self.fault == "retry-after" else {"retry-after": str(WINDOW_S)}
        return web.json_response({"error": "slow down"}, status=429, headers=pause)
