"""The flaws this application can be started with, each declared once, to prove that a check sees it.

``DEMO_FLAWS=a,b`` switches flaws on for every request, ``DEMO_FLAWS_IN_PRODUCTION=a,b`` only for requests that arrive
by the production host name. The code asks ``flaws.active(request, "name")`` at the place that the flaw breaks.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from starlette.requests import HTTPConnection

SCOPE_KEY = "demo.flaws"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A fault injected on purpose: what it breaks, and the id of the check that must fail because of it."""

    name: str
    breaks: str
    check: str
    also: tuple[str, ...] = ()
    """Ids of the checks that may fail with it, because it breaks more than the one thing that it is named for."""


_HEADERS = tuple(
    f"security/{name}"
    for name in (
        *("hsts", "nosniff", "framing", "referrer-policy", "csp", "permissions-policy"),
        *("opener-policy", "resource-policy", "embedder-policy"),
    )
)
"""What an answer without any of the security headers fails."""

_DECLARED = (
    Flaw("health-unhealthy", "GET /api/health answers 503 with status unhealthy", "smoke/health"),
    Flaw("health-cached", "GET /api/health may be cached and shows a frozen timestamp", "smoke/health-fresh"),
    Flaw("identity-flickers", "every second health answer, from the third on, names another commit", "smoke/identity"),
    Flaw("database-down", "GET /api/health/detailed answers 503: the database is down", "smoke/health-detailed"),
    Flaw("health-lies", "GET /api/health/detailed says healthy while the database is down", "smoke/health-detailed"),
    Flaw("tiers-shape", "GET /api/auth/tiers lacks a field that its schema requires", "smoke/openapi"),
    Flaw("tiers-500", "GET /api/auth/tiers answers 500", "smoke/openapi", ("smoke/api",)),
    Flaw("soft-404", "unknown paths answer 200 with a page", "smoke/not-found"),
    Flaw("stack-trace", "malformed JSON answers 500 with a Python traceback", "smoke/error-body"),
    Flaw("open-app", "GET /app answers without a login", "smoke/protected-pages"),
    Flaw("open-profile", "GET /api/user/profile answers without a login", "smoke/protected-api"),
    Flaw("unverified-jwt", "access tokens are accepted unsigned or with a wrong signature", "smoke/forged-token"),
    Flaw("expiry-ignored", "expired access tokens are accepted", "smoke/expired-token"),
    Flaw("immortal-jwt", "access tokens live for ten years", "smoke/token-lifetime"),
    Flaw("login-broken", "login with the right password answers 500", "smoke/login"),
    Flaw("any-password", "login accepts any password", "smoke/login-refuses"),
    Flaw("session-lost", "the session cookie is set, but no session stands behind it", "smoke/session", ("smoke/api",)),
    Flaw("refresh-broken", "POST /api/auth/refresh answers 500", "smoke/refresh"),
    Flaw("refresh-reusable", "a refresh token can be used again", "smoke/refresh-rotation"),
    Flaw("logout-keeps-session", "logout answers, but the session goes on", "smoke/logout"),
    Flaw("oauth-no-state", "the OAuth redirect carries no state", "smoke/oauth-redirect"),
    Flaw("oauth-no-pkce", "the OAuth redirect carries no PKCE challenge", "smoke/oauth-redirect"),
    Flaw("oauth-wrong-redirect", "the OAuth redirect names another origin to return to", "smoke/oauth-redirect"),
    Flaw("oauth-no-client-id", "the OAuth redirect carries no client id", "smoke/oauth-redirect"),
    Flaw("webhook-unsigned", "the billing webhook accepts unsigned events", "smoke/webhook-signature"),
    Flaw("cron-open", "the backup cron job runs without its secret", "smoke/cron-secret"),
    Flaw("chat-broken", "POST /api/chat answers 500", "smoke/api"),
    Flaw("blank-page", "the start page has an empty body", "smoke/page-renders"),
    Flaw("console-error", "a script throws when a page loads", "smoke/console-errors"),
    Flaw(
        "missing-asset",
        "pages refer to a script that does not exist",
        "smoke/failed-requests",
        ("smoke/console-errors",),
    ),
    Flaw(
        "mixed-content",
        "pages load an image over plain HTTP",
        "smoke/mixed-content",
        ("smoke/failed-requests", "smoke/console-errors"),
    ),
    Flaw("login-button-dead", "the button of the login form does nothing", "smoke/login-journey"),
    Flaw("phone-overflow", "pages are 2000 px wide on every screen", "smoke/responsive"),
    Flaw("no-hsts", "answers carry no Strict-Transport-Security", "security/hsts"),
    Flaw("no-nosniff", "answers carry no X-Content-Type-Options", "security/nosniff"),
    Flaw("frameable", "other sites may frame the pages", "security/framing"),
    Flaw("no-referrer-policy", "answers carry no Referrer-Policy", "security/referrer-policy"),
    Flaw("no-csp", "answers carry no Content-Security-Policy", "security/csp"),
    Flaw("hsts-narrow", "HSTS leaves subdomains and the preload list out", "security/hsts-scope"),
    Flaw("no-permissions-policy", "answers carry no Permissions-Policy", "security/permissions-policy"),
    Flaw("no-opener-policy", "answers carry no Cross-Origin-Opener-Policy", "security/opener-policy"),
    Flaw("no-resource-policy", "answers carry no Cross-Origin-Resource-Policy", "security/resource-policy"),
    Flaw("no-embedder-policy", "answers carry no Cross-Origin-Embedder-Policy", "security/embedder-policy"),
    Flaw("server-banner", "answers name the software and its version", "security/server-banner"),
    Flaw("headers-forgotten", "answers carry none of the security headers", "security/observatory-grade", _HEADERS),
    Flaw("csp-only-reports", "the Content-Security-Policy is sent as report-only", "security/csp"),
    Flaw("csp-unsafe-inline", "the policy lets every inline script run", "security/csp-inline"),
    Flaw("csp-unsafe-eval", "the policy lets text run as a script", "security/csp-eval"),
    Flaw("csp-any-host", "the policy lets scripts come from every host", "security/csp-sources"),
    Flaw("csp-open-objects", "the policy leaves plug-in content open", "security/csp-objects"),
    Flaw("csp-no-base-uri", "the policy leaves <base> open", "security/csp-base-uri"),
    Flaw("csp-no-form-action", "the policy leaves forms open", "security/csp-form-action"),
    Flaw("nonce-repeated", "every answer has the same nonce", "security/csp-nonce"),
    Flaw("foreign-script", "pages load another site's script without its hash", "security/subresource-integrity"),
    Flaw("insecure-form", "the login form posts to plain HTTP", "security/mixed-content"),
    Flaw("session-in-url", "the redirect to the login carries a session id", "security/token-in-url"),
    Flaw("cookie-insecure", "the session cookie lacks Secure", "security/cookie-secure", ("security/cookie-prefix",)),
    Flaw("cookie-readable", "the session cookie lacks HttpOnly", "security/cookie-httponly"),
    Flaw("cookie-cross-site", "the session cookie lacks SameSite", "security/cookie-samesite"),
    Flaw("cookie-wrong-path", "the __Host- cookie has a path of its own", "security/cookie-prefix"),
    Flaw("cookie-immortal", "the session cookie lives for ten years", "security/cookie-lifetime"),
    Flaw("session-fixed", "login keeps the session cookie that the request brought", "security/session-fixation"),
    Flaw(
        "cors-reflects",
        "the API lets every origin read with credentials",
        "security/cors-origin",
        ("security/observatory-grade",),
    ),
    Flaw("cors-null", "the API lets the origin null read with credentials", "security/cors-null"),
    Flaw("cors-wildcard", "the API is shared with every origin", "security/cors-wildcard"),
    Flaw("cors-preflight", "preflights allow every origin to change things", "security/cors-preflight"),
    Flaw("csrf-ignored", "requests by cookie need no CSRF token", "security/csrf-missing", ("security/csrf-wrong",)),
    Flaw("csrf-any-token", "any CSRF token will do", "security/csrf-wrong"),
    Flaw("csrf-refuses", "the right CSRF token is refused, too", "security/csrf-accepts"),
    Flaw("open-profile-update", "PUT /api/user/profile needs no login", "security/protected-methods"),
    Flaw("open-with-slash", "GET /app/ answers without a login", "security/protected-spellings"),
    Flaw("guard-bypass", "a header that frameworks use among themselves opens /app", "security/guard-bypass"),
    Flaw("open-redirect", "the login sends people on to any address", "security/open-redirect"),
    Flaw("oauth-state-unbound", "the OAuth callback takes any state", "security/oauth-state"),
    Flaw("forgot-tells", "asking for a new password tells who has an account", "security/user-enumeration"),
    Flaw("limit-off", "the rate limiter lets everything through", "security/rate-limit"),
    Flaw("no-retry-after", "429 answers carry no Retry-After", "security/retry-after"),
    Flaw(
        "limit-spoofable", "the limit counts by an address that the client may choose", "security/rate-limit-spoofing"
    ),
    Flaw("limit-forever", "who has met the rate limit once is refused for ever", "security/rate-limit-recovery"),
    Flaw("webhook-limited", "the billing webhook is limited", "security/rate-limit-excluded"),
    Flaw("exposed-env", "GET /.env shows the settings", "security/exposed-files"),
    Flaw("exposed-git", "the repository is served below /.git/", "security/exposed-repository"),
    Flaw("exposed-dump", "GET /backup.sql serves the database", "security/exposed-backups"),
    Flaw("debug-page", "GET /debug shows the environment", "security/debug-pages"),
    Flaw("listing", "GET /static/ lists the files", "security/directory-listing"),
    Flaw("image-proxy", "the image service fetches any address", "security/image-proxy"),
    Flaw("docs-open", "GET /docs shows the API documentation", "security/api-docs"),
    Flaw("method-trace", "a wrong method answers with a traceback", "security/stack-traces"),
    Flaw("internal-address", "a header names the machine behind the edge", "security/internal-addresses"),
    Flaw("bundle-secret", "a script holds a secret key", "security/bundle-secrets"),
    Flaw("bundle-server-key", "a script holds a server-only setting", "security/bundle-server-keys"),
    Flaw("source-maps", "scripts are served with their source", "security/source-maps"),
    Flaw(
        "wrong-types-500", "input of a wrong type answers 500", "security/malformed-input", ("security/unknown-fields",)
    ),
    Flaw("oversize-500", "a body that is too large answers 500", "security/oversize-input"),
    Flaw("unknown-fields", "POST /api/chat takes fields that it does not know", "security/unknown-fields"),
    Flaw("reflected-markup", "error pages repeat the path as markup", "security/reflected-markup"),
    Flaw("health-leaks", "GET /api/health/detailed names internal machines", "security/health-details"),
    Flaw("slow-under-load", "a lock lets one request through at a time, 60 ms each", "load/latency"),
    Flaw("errors-under-load", "above 30 requests a second every tenth answers 500", "load/error-rate"),
    Flaw("slower-than-before", "every answer takes half as long again, 5 ms at least", "load/regression"),
    Flaw("slow-tail", "every tenth answer takes 60 ms longer", "load/regression"),
    Flaw("few-errors", "eight of a thousand requests answer 500, within the objective", "load/regression"),
    Flaw("slows-with-time", "each request leaves something behind that makes the next ones slower", "load/drift"),
)

FLAWS: dict[str, Flaw] = {flaw.name: flaw for flaw in _DECLARED}


def active(connection: HTTPConnection, name: str) -> bool:
    """Whether the flaw ``name`` is switched on for this request."""
    if name not in FLAWS:
        raise KeyError(f"{name} is not declared in flaws.py")
    return name in connection.scope.get(SCOPE_KEY, ())


def parse(text: str) -> frozenset[str]:
    """Read a comma-separated list of flaw names; an unknown one is a ``ValueError`` that says the nearest."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if unknown := sorted(names - FLAWS.keys()):
        raise ValueError("; ".join(_unknown(name) for name in unknown))
    return names


def as_dicts(flaws: Iterable[Flaw] = _DECLARED) -> list[dict[str, Any]]:
    """The declared flaws as plain data, in the order of declaration."""
    return [asdict(flaw) for flaw in flaws]


def _unknown(name: str) -> str:
    nearest = get_close_matches(name, FLAWS, n=1, cutoff=0.0)[0]
    return f"there is no flaw named {name!r}; the nearest is {nearest!r} (`python -m demo flaws` lists them all)"
