"""The request that logs the test user in: JSON as an API takes it, or a form as a browser sends it.

A form goes out as browsers send it (WHATWG HTML, section 4.10.22): with the hidden fields and the cookies of the page
that holds it, and with the Origin of the site, by which frameworks tell their own forms from forged ones (CWE-352).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from ci.config.shape.smoke import Login
from ci.engine.markup import read

FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a page, as far as nobody fills it in."""

    action: str = ""
    """Where it is sent; empty for the page's own address."""
    hidden: dict[str, str] = field(default_factory=dict)
    asks_password: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to log in."""

    headers: dict[str, str]
    content: bytes


def login_request(
    login: Login,
    username: str,
    password: str,
    *,
    url: str,
    cookies: Mapping[str, str] | None = None,
    page: str | None = None,
) -> Request:
    """The login of this user to the application at `url`; `page` is the source of the login page, if there is one."""
    fields = {**login.body, login.username_field: username, login.password_field: password}
    sent = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
    if not login.form:
        return Request({**sent, "content-type": "application/json"}, json.dumps(fields).encode())
    fields = {**login_form(page or "").hidden, **fields}
    headers = {"content-type": FORM_TYPE, **of_own_site(url, login.page or login.path)}
    return Request({**sent, **headers}, urlencode({name: str(value) for name, value in fields.items()}).encode())


def of_own_site(url: str, path: str = "/") -> dict[str, str]:
    """The headers by which a browser says that a request comes from the site's own page."""
    parts = urlsplit(url)
    return {"origin": f"{parts.scheme}://{parts.netloc}", "referer": f"{url}{path}"}


def forms_of(page: str) -> tuple[Form, ...]:
    """The forms of a page's source, in order. Broken markup is read as far as it goes."""
    reader = _Forms()
    read(reader, page)
    return tuple(reader.found)


def login_form(page: str) -> Form:
    """The form that asks for a password; an empty one when none does."""
    return next((form for form in forms_of(page) if form.asks_password), Form())


def form_to(page: str, page_url: str, wanted_url: str) -> Form | None:
    """The form of a page that is sent to `wanted_url`, or None."""
    wanted = urlsplit(wanted_url).path.rstrip("/")
    return next((f for f in forms_of(page) if urlsplit(urljoin(page_url, f.action)).path.rstrip("/") == wanted), None)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}  # the first of a name counts
        if tag == "form":
            self._open = Form(action=given.get("action", ""))
            self.found.append(self._open)
        elif tag == "input" and self._open is not None:
            kind = given.get("type", "").strip().lower()
            if kind == "hidden" and given.get("name"):
                self._open.hidden[given["name"]] = given.get("value", "")
            elif kind == "password":
                self.found[-1] = self._open = Form(self._open.action, self._open.hidden, asks_password=True)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
