"""A members' area as frameworks with forms make it: hidden tokens, a session cookie by an odd name."""

from __future__ import annotations

import html
import secrets
from urllib.parse import urlsplit

from aiohttp import web

USER, PASSWORD = "ada", "correct horse battery staple"
CONFIG = {
    "smoke": {
        "browser": False,
        "protected": ["/members"],
        "login": {
            "path": "/enter",
            "page": "/enter",
            "form": True,
            "after": "/members",
            "username": "SHOP_USER",
            "password": "SHOP_PASSWORD",
            "username_field": "name",
            "token": None,
            "whoami": "/members",
            "logout": "/leave",
            "csrf": {"header": "x-csrftoken", "cookie": "csrftoken"},
        },
    },
    "security": {"pages": ["/", "/find"], "csrf": {"path": "/save", "method": "POST", "status": 200}},
}
HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class Members:
    """One handler for every request; sound, but for the one fault that it is given."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.sessions: set[str] = set()

    async def handle(self, request: web.Request) -> web.Response:
        form = dict(await request.post()) if request.method == "POST" else {}
        self.token = request.cookies.get("csrftoken") or secrets.token_hex(16)  # nothing is awaited from here on
        response = self._answer(request, {name: str(value) for name, value in form.items()})
        response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
        if self.fault == "csp-of-everybody":
            response.headers["content-security-policy"] = "default-src 'none'; script-src https://*.vercel.app"
        if self.fault == "csp-of-packages":
            response.headers["content-security-policy"] = "default-src 'none'; script-src https://unpkg.com"
        if "csrftoken" not in request.cookies and request.method == "GET":
            response.set_cookie("csrftoken", self.token, secure=True, samesite="Lax")
        return response

    def _answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        match request.path:
            case "/":
                return _page("<h1>Members</h1><a href=/enter>Enter</a><script src=/site.js></script>")
            case "/find":
                return self._find(request)
            case "/enter":
                return self._enter(request, form)
            case "/members" if self._is_in(request):
                return _page(f"<form method=post action=/leave>{self._token}<button>Leave</button></form>")
            case "/members":
                return web.Response(status=302, headers={"location": "/enter?next=/members"})
            case "/leave" if request.method == "POST":
                return self._leave(request, form)
            case "/save" if request.method == "POST":
                if not self._is_in(request) or not self._is_own(request, form):
                    return web.Response(status=403)
                return web.json_response({"saved": True})
            case "/site.js":
                return web.Response(text="let x = 1", content_type="text/javascript")
            case "/config.json":
                return web.json_response({"apiKey": "known-to-everybody", "authDomain": "members.example.com"})
            case "/settings.py" if self.fault == "settings-lying-open":
                return web.Response(text="DEBUG = False\nSECRET_KEY = 'k3y'\n")
            case _:
                return _page("<h1>No such page</h1>", status=404)

    def _enter(self, request: web.Request, form: dict[str, str]) -> web.Response:
        wanted = form.get("next") or request.query.get("next", "")
        # The address comes back in a hidden field and is looked at when it is used, as Django does it.
        asked = f"<input type=hidden name=next value='{html.escape(wanted)}'>"
        fields = (
            f"{asked}<label>Name <input name=name></label><input type=password name=password><button>Enter</button>"
        )
        action = "https://elsewhere.invalid/enter" if self.fault == "form-sent-elsewhere" else ""
        page = f"<h1>Enter</h1><form method=post action='{action}'>{self._token}{fields}</form>"
        if request.method != "POST":
            return _page(page)
        if not self._is_own(request, form):
            return web.Response(status=403)
        is_right = form.get("name") == USER and form.get("password") == PASSWORD
        if not is_right and self.fault != "any-password":
            unknown = self.fault == "unknown-user-told" and form.get("name") != USER
            return _page(f"<p>{'We do not know you' if unknown else 'That is not right'}.</p>{page}")
        is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/\t"))
        response = web.Response(status=302)
        # As browsers read it: a header with a backslash or a tab is written out by careful frameworks.
        response.headers["location"] = wanted if is_own or (wanted and self.fault == "next-anywhere") else "/members"
        session = secrets.token_hex(16)
        if self.fault == "session-in-the-cookie":
            session = f"eJ{secrets.token_urlsafe(20)}.aBcDeF.{secrets.token_urlsafe(20)}"
        self.sessions.add(session)
        odd = self.fault == "cookie-read-by-scripts"
        response.set_cookie("beans", session, secure=True, httponly=not odd, samesite="Lax")
        return response

    def _leave(self, request: web.Request, form: dict[str, str]) -> web.Response:
        if not self._is_own(request, form):
            return web.Response(status=403)
        if self.fault not in {"session-in-the-cookie", "session-not-ended"}:
            self.sessions.discard(request.cookies.get("beans", ""))
        response = web.Response(status=302, headers={"location": "/"})
        if self.fault != "session-not-ended":
            response.del_cookie("beans")
        return response

    def _find(self, request: web.Request) -> web.Response:
        query = request.query_string
        if self.fault == "null-character" and ("%00" in query or "\0" in query):
            return web.Response(status=500)
        asked = request.query.get("q", "")
        tagless = asked.replace("<", "&lt;").replace(">", "&gt;")
        shown = {
            "in-an-attribute": f'<input name=q value="{tagless}">',
            "in-an-attribute-with-brackets": f'<input name=q value="{asked.replace("<", "&lt;")}">',
            "in-single-quotes": f"<input name=q value='{tagless}'>",
            "in-a-script": f"<script>let asked = '{tagless}'</script>",
            "leads-anywhere": f"<a href='{html.escape(asked)}'>back</a>",
        }.get(self.fault, f'<input name=q value="{html.escape(asked)}">')
        return _page(f"<h1>Find</h1>{shown}")

    @property
    def _token(self) -> str:
        return f"<input type=hidden name=token value='{self.token}'>"

    def _is_in(self, request: web.Request) -> bool:
        return request.cookies.get("beans") in self.sessions

    def _is_own(self, request: web.Request, form: dict[str, str]) -> bool:
        """Double submit, and the Origin that browsers send."""
        token = request.cookies.get("csrftoken")
        same = urlsplit(request.headers.get("origin", "")).netloc == request.host
        return bool(token) and same and token in {form.get("token"), request.headers.get("x-csrftoken")}


def _page(body: str, status: int = 200) -> web.Response:
    head = "<!doctype html><html lang=en><title>Members</title>"
    return web.Response(text=head + body, status=status, content_type="text/html")
