"""Logging in as the test user, as seldom as possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from ci.config.shape.smoke import Login, Refresh
from ci.engine.identity import dotted
from ci.engine.signing_in import login_form, login_request
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.smoke.answers import json_of, leads_to_login, text_of
from ci.smoke.target import Credentials, Target

REFUSED = (400, 401, 403, 404, 409, 422)
"""How an application may say no to wrong credentials or to a dead token."""


@dataclass(frozen=True)
class LoggedIn:
    """The answer to one login, and what it gives."""

    login: Login
    response: httpx.Response
    before: Mapping[str, str] = field(default_factory=dict)
    """Cookies of the login page, which the browser keeps unless the login replaces or removes them."""
    found_form: bool = False
    """Whether the login page holds a form that asks for a password."""

    @cached_property
    def answer(self) -> Any:
        return json_of(self.response)

    @cached_property
    def cookies(self) -> dict[str, str]:
        """What the browser holds after the login."""
        return kept(self.before, self.response)

    @property
    def token(self) -> str | None:
        return self._text(self.login.token)

    @property
    def refresh_token(self) -> str | None:
        return self._text(self.login.refresh.field) if self.login.refresh else None

    @property
    def worked(self) -> bool:
        """Whether the answer lets the user in: a form that was refused is shown again, or led back to."""
        if self.login.form and (
            leads_to_login(self.response, self.login) or login_form(text_of(self.response)).asks_password
        ):
            return False
        return self.response.is_success or (self.response.is_redirect and bool(self.cookies))

    @property
    def by_cookie(self) -> Credentials:
        csrf = self.login.csrf
        token = (self.cookies.get(csrf.cookie) if csrf.cookie else self._text(csrf.field)) if csrf else None
        return Credentials(cookies=self.cookies, csrf=(csrf.header, token) if csrf and token else None)

    @property
    def by_token(self) -> Credentials:
        return Credentials(bearer=self.token)

    @property
    def credentials(self) -> Credentials:
        """By cookie, as browsers do, or else by token."""
        return self.by_cookie if self.cookies else self.by_token

    def _text(self, path: str | None) -> str | None:
        value = dotted(self.answer, path) if path else None
        return value if isinstance(value, str) and value else None


class Accounts:
    """The logins of one process. The first is shared by all tests that do not end or change it."""

    def __init__(self, login: Login | None, environ: Mapping[str, str]) -> None:
        self.login = login
        self._environ = environ
        self.renewed = False
        """Whether the refresh token of `renewable` is used already."""
        self._shared: LoggedIn | None = None
        self._renewable: LoggedIn | None = None
        self._problem: Exception | None = None

    def shared(self, target: Target) -> LoggedIn:
        """The login that tests share. Raises CannotRun(NO_DATA) when it did not work."""
        return _working(target, self.first(target))

    def renewable(self, target: Target) -> LoggedIn:
        """A second login, whose refresh token is used: an application may end a session whose token comes twice."""
        if self._renewable is None:
            self.shared(target)  # when that does not work, another attempt would not either
            self._renewable = _working(target, self._another(target))
        return self._renewable

    def first(self, target: Target) -> LoggedIn:
        """The answer to the first login, whatever it is; a login without an answer is not tried twice."""
        if self._problem:
            raise self._problem
        if self._shared is None:
            try:
                self._shared = self._another(target)
            except Exception as error:
                self._problem = error
                raise
        return self._shared

    def _another(self, target: Target) -> LoggedIn:
        return self.attempt(target, *self.credentials(target))

    def attempt(self, target: Target, username: str, password: str) -> LoggedIn:
        """Try to log in, as a browser without any cookie does."""
        login = self._configured(target)
        page = target.get(login.page) if login.form and login.page else None
        before = kept({}, page) if page is not None else {}
        source = text_of(page) if page is not None else None
        found_form = login_form(source or "").asks_password
        sent = login_request(login, username, password, url=target.url, cookies=before, page=source)
        return LoggedIn(login, target.post(login.path, headers=sent.headers, content=sent.content), before, found_form)

    def credentials(self, target: Target) -> tuple[str, str]:
        """User name and password. Raises CannotRun(MISCONFIGURED) naming a variable that is not set."""
        login = self._configured(target)
        return self.value_of(login.username), self.value_of(login.password)

    def value_of(self, variable: str) -> str:
        if value := self._environ.get(variable):
            return value
        raise CannotRun(
            ErrorKind.MISCONFIGURED,
            f"the environment variable {variable} is not set, but smoke.login needs it: "
            "set it for this run (in GitHub Actions: from a secret)",
        )

    def _configured(self, target: Target) -> Login:
        if self.login is None:
            target.exam.skip("no login is configured: describe it in gonogo.yaml under smoke.login")
        return self.login


def _working(target: Target, user: LoggedIn) -> LoggedIn:
    if not user.worked:
        status = user.response.status_code
        target.exam.without_answer(f"the login answered {status}, so there is no session to test with; see smoke/login")
    return user


def kept(before: Mapping[str, str], response: httpx.Response) -> dict[str, str]:
    """The cookies that a browser holds after an answer. A removed one is not among those that httpx keeps."""
    set_now = {cookie.name: cookie.value or "" for cookie in response.cookies.jar}
    named = {line.partition("=")[0].strip() for line in response.headers.get_list("set-cookie")}
    return {**{name: value for name, value in before.items() if name not in named}, **set_now}


def renew(target: Target, refresh: Refresh, token: str) -> httpx.Response:
    """Use a refresh token (RFC 6749, section 6)."""
    return target.post(refresh.path, json={refresh.field.rpartition(".")[2]: token})
