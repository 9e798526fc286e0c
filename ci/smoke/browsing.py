"""A browser that trusts what the HTTP clients trust, and that never holds the bypass secret."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ci.engine.browser import arguments, find_browser
from ci.engine.http import USER_AGENT, HttpFactory, origin
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.smoke.trusted_pages import show_token

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

BYPASS_COOKIE = "_vercel_jwt"
LAUNCH_TIMEOUT_S = 30.0
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "TMPDIR")
LONGEST_TMPDIR = 40
HEIGHTS = ((600, 844), (10_000, 800))
"""Height of the window in CSS pixels, up to a width: phones are tall."""


class Browsing:
    """One browser process for all tests; each visit gets a context, that is cookies and a cache, of its own."""

    def __init__(self, http: HttpFactory, environ: Mapping[str, str], timeout_s: float) -> None:
        """Find and start the browser. Raises CannotRun when there is none, or when it does not start."""
        from playwright.sync_api import Error, sync_playwright

        self.http = http
        self.timeout_ms = timeout_s * 1000
        path = find_browser(environ)
        trusted = trusted_key(http, environ, timeout_s)
        self._cookies = bypass_cookies(http, timeout_s)
        if http.trusted:
            http.key(http.target)  # without a token no page will open: that is known before a browser is started
        self._playwright: Playwright = sync_playwright().start()
        try:
            self._browser: Browser = self._playwright.chromium.launch(
                executable_path=path,
                args=[*arguments(), *trusted],
                env=_environment(environ),
                timeout=LAUNCH_TIMEOUT_S * 1000,
            )
            self._user_agent = self._agent()
        except Error as error:
            self._playwright.stop()
            raise CannotRun(
                ErrorKind.TOOL_FAILED, f"the browser {path} did not start: {_last_words(str(error))}"
            ) from error

    def context(self, width: int) -> BrowserContext:
        """Windows of this width with no cookies but the one that gets past deployment protection."""
        height = next(height for most, height in HEIGHTS if width <= most)
        context = self._browser.new_context(
            base_url=self.http.target,
            viewport={"width": width, "height": height},
            user_agent=self._user_agent,
        )
        context.set_default_timeout(self.timeout_ms)
        context.add_cookies(self._cookies)
        return context

    def page(self, context: BrowserContext) -> Page:
        """A page that gets past deployment protection, and tells nobody else how."""
        page = context.new_page()
        if self.http.trusted:
            show_token(page, self.http)
        return page

    def close(self) -> None:
        self._browser.close()
        self._playwright.stop()

    def _agent(self) -> str:
        """The browser's own name, and who asks."""
        session = self._browser.new_browser_cdp_session()
        own = str(session.send("Browser.getVersion")["userAgent"])
        session.detach()
        return f"{own} {USER_AGENT.partition(' ')[0]}"


def _environment(environ: Mapping[str, str]) -> dict[str, str | float | bool]:
    """What a browser needs of the environment, and none of its secrets."""
    kept: dict[str, str | float | bool] = {name: environ[name] for name in INHERITED if name in environ}
    # Chromium puts a socket there, whose whole path must stay below 108 bytes (unix(7)).
    if len(environ.get("TMPDIR", "")) > LONGEST_TMPDIR:
        kept["TMPDIR"] = "/tmp"  # noqa: S108 - Chromium makes a private folder of its own in it
    return kept


def _last_words(message: str) -> str:
    """What the browser itself wrote last, or else what Playwright says."""
    lines = [line.strip(" -") for line in message.strip().splitlines()]
    own = [line.partition("[err]")[2].strip() for line in lines if "[err]" in line]
    fatal = [line for line in own if ":FATAL:" in line]
    return (fatal or own or lines[:1])[-1][:300]


def trusted_key(http: HttpFactory, environ: Mapping[str, str], timeout_s: float) -> list[str]:
    """The argument that makes Chromium accept the target's own key, verified here against SSL_CERT_FILE.

    Chromium does not read that variable. Only this one key is accepted, and only after its chain, host name
    and dates were verified, so nothing is switched off.
    """
    scheme, host, port = origin(http.target)
    if scheme != "https" or not environ.get("SSL_CERT_FILE"):
        return []
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        with (
            socket.create_connection((host, port), timeout=timeout_s) as raw,
            http.tls.wrap_socket(raw, server_hostname=host) as connection,
        ):
            leaf = connection.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        raise CannotRun(ErrorKind.UNREACHABLE, f"the certificate of {host} was not accepted: {error}") from error
    except OSError as error:
        raise CannotRun(ErrorKind.UNREACHABLE, f"{host}:{port} cannot be reached: {error}") from error
    assert leaf is not None
    key = x509.load_der_x509_certificate(leaf).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return [f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"]


def bypass_cookies(http: HttpFactory, timeout_s: float) -> list[Any]:
    """The cookie that opens deployment protection, fetched by the guarded client.

    The secret itself never enters the browser: as a header there it would go to every origin that a page loads from.
    """
    if not http.bypass:
        return []
    with http.client(timeout_s=timeout_s) as client:
        answer = client.get("/", headers={"x-vercel-set-bypass-cookie": "true"})
    for header in answer.headers.get_list("set-cookie"):
        if (cookie := SimpleCookie(header).get(BYPASS_COOKIE)) is not None:
            secure = urlsplit(http.target).scheme == "https"
            return [
                {
                    "name": BYPASS_COOKIE,
                    "value": cookie.value,
                    "url": http.target + "/",
                    "secure": secure,
                    "httpOnly": True,
                }
            ]
    return []
