"""Deployment protection: the login wall in front of deployment URLs, and the secret that opens it."""

from __future__ import annotations

import secrets
import time
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie

import jwt
from aiohttp import web

from ci.rehearsal.secret import matches

BYPASS = "x-vercel-protection-bypass"
SET_COOKIE = "x-vercel-set-bypass-cookie"
COOKIE = "_vercel_jwt"
COOKIE_SECONDS = 3600
TRUSTED = "x-vercel-trusted-oidc-idp-token"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Authentication Required</title>
<script>window._vercel_sso_nonce = "{nonce}";</script></head>
<body><h1>Authentication Required</h1><p>This deployment is protected. Log in to Vercel to see it.</p></body></html>
"""


class Protected(StrEnum):
    """Which of the project's URLs stand behind the wall."""

    NONE = "none"
    DEPLOYMENTS = "deployments"
    ALL = "all"


class Protection:
    """Decides whether a request may pass; answers in the application's place when not."""

    def __init__(self, bypass_secret: str, protected: Protected = Protected.NONE) -> None:
        self.protected = protected
        self.trusted_token: str | None = None
        """A token of another issuer that opens the wall as well, as Vercel's Trusted Sources do."""
        self._secret = bypass_secret
        self._cookie_key = secrets.token_hex(32)

    def covers(self, production: bool) -> bool:
        """Whether a domain of this kind is behind the wall."""
        return self.protected == Protected.ALL or (self.protected == Protected.DEPLOYMENTS and not production)

    def answer(self, request: web.BaseRequest, domain: str) -> web.Response | None:
        """None to let the request pass; otherwise the login page, or the redirect that sets the cookie."""
        given = request.headers.get(BYPASS) or request.query.get(BYPASS)
        if given is not None and matches(given, self._secret):
            wanted = request.headers.get(SET_COOKIE) or request.query.get(SET_COOKIE)
            return self._set_cookie(request, domain, wanted) if wanted in ("true", "samesitenone") else None
        if self.trusted_token and matches(request.headers.get(TRUSTED, ""), self.trusted_token):
            return None
        if self._cookie_opens(request, domain):
            return None
        return _login_page()

    def _set_cookie(self, request: web.BaseRequest, domain: str, wanted: str) -> web.Response:
        token = jwt.encode({"aud": domain, "exp": int(time.time()) + COOKIE_SECONDS}, self._cookie_key, "HS256")
        answer = web.Response(
            status=307, headers={"Location": str(request.rel_url.without_query_params(BYPASS, SET_COOKIE))}
        )
        same_site = "None" if wanted == "samesitenone" else "Lax"
        answer.set_cookie(COOKIE, token, path="/", httponly=True, secure=True, samesite=same_site)
        return answer

    def _cookie_opens(self, request: web.BaseRequest, domain: str) -> bool:
        # Browsers send the cookies of every port of a host, so the cookie names the domain that it opens.
        try:
            cookie = SimpleCookie(request.headers.get("Cookie", "")).get(COOKIE)
            jwt.decode(cookie.value if cookie else "", self._cookie_key, ["HS256"], audience=domain)
        except (CookieError, jwt.InvalidTokenError):
            return False
        return True


def _login_page() -> web.Response:
    nonce = secrets.token_urlsafe(18)
    answer = web.Response(status=401, text=_PAGE.format(nonce=nonce), content_type="text/html")
    answer.set_cookie(
        "_vercel_sso_nonce", nonce, path="/", httponly=True, secure=True, samesite="Lax", max_age=COOKIE_SECONDS
    )
    answer.headers["Cache-Control"] = "no-store, max-age=0"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
