"""The test user, logged in once for all that need it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ci.config.shape.smoke import Login
from ci.engine.http import origin
from ci.engine.identity import dotted
from ci.engine.run import Run
from ci.engine.signing_in import login_form, login_request, of_own_site
from ci.errors import CannotRun, NotApplicable
from ci.model import ErrorKind
from ci.security.answer import Answer
from ci.security.setcookie import SetCookie, cookies_of

if TYPE_CHECKING:
    from ci.security.visit import Visit

NO_LOGIN = "no login is configured: describe it in gonogo.yaml under smoke.login"


@dataclass(frozen=True, slots=True)
class User:
    """The answer to the login, and what it gives."""

    login: Login
    answer: Answer
    url: str
    page: Answer | None = None
    """The page with the login form, where the login is sent as one."""

    @property
    def set_cookies(self) -> tuple[SetCookie, ...]:
        return cookies_of(self.answer)

    @property
    def cookie(self) -> dict[str, str]:
        """The header that carries the session's cookies; empty when there are none."""
        pairs = self.jar
        return {"cookie": "; ".join(f"{name}={value}" for name, value in pairs.items())} if pairs else {}

    @property
    def jar(self) -> dict[str, str]:
        """What a browser holds after the login: the login page's cookies, too, unless they were replaced or removed."""
        return kept(kept({}, self.page) if self.page else {}, self.answer)

    @property
    def bearer(self) -> dict[str, str]:
        token = dotted(self.answer.json, self.login.token) if self.login.token else None
        return {"authorization": f"Bearer {token}"} if isinstance(token, str) and token else {}

    @property
    def csrf(self) -> dict[str, str]:
        """The header that carries the CSRF token; empty when none is configured or given."""
        csrf = self.login.csrf
        token = (self.jar.get(csrf.cookie) if csrf.cookie else dotted(self.answer.json, csrf.field)) if csrf else None
        return {csrf.header: token} if csrf and isinstance(token, str) and token else {}

    @property
    def headers(self) -> dict[str, str]:
        """By cookie, as browsers do it from the site's own pages, or else by token."""
        return {**self.cookie, **self.csrf, **of_own_site(self.url)} if self.cookie else self.bearer

    @property
    def refused(self) -> bool:
        """Whether the answer is no: a form that was refused is shown again."""
        if self.answer.status >= 400 or not (self.cookie or self.bearer):
            return True
        return self.asks_again

    @property
    def asks_again(self) -> bool:
        """Whether the answer shows the login form once more."""
        return self.login.form and login_form(self.answer.text).asks_password


@dataclass(slots=True)
class Account:
    """The one login of a run: its answer, or the reason why there is none, is kept for whoever asks next."""

    login: Login | None
    environ: Mapping[str, str]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _user: User | CannotRun | None = None

    @classmethod
    def of(cls, run: Run) -> Account:
        return cls(run.config.smoke.login, run.environ)

    async def user(self, visit: Visit) -> User:
        """Raises NotApplicable without a configured login, CannotRun when the login does not succeed."""
        if self.login is None:
            raise NotApplicable(NO_LOGIN)
        async with self._lock:
            if self._user is None:
                try:
                    self._user = await self._log_in(visit, self.login)
                except CannotRun as error:
                    self._user = error
        if isinstance(self._user, CannotRun):
            raise self._user
        return self._user

    def names(self, login: Login) -> tuple[str, str]:
        """User name and password. Raises CannotRun(MISCONFIGURED) when the environment lacks one."""
        names = (login.username, login.password)
        if missing := [name for name in names if not self.environ.get(name)]:
            raise CannotRun(
                ErrorKind.MISCONFIGURED,
                f"the test user's login needs {' and '.join(missing)} in the environment (smoke.login)",
            )
        return self.environ[login.username], self.environ[login.password]

    async def _log_in(self, visit: Visit, login: Login) -> User:
        user = await self._send(visit, login, {})
        if user.refused:
            raise CannotRun(
                ErrorKind.NO_DATA,
                f"the test user could not be logged in: POST {login.path} answered {user.answer.status} "
                f"{'with the form again' if user.asks_again else 'without a session'}; see smoke/login",
            )
        return user

    async def log_in_with(self, visit: Visit, name: str, value: str) -> Answer:
        """One more login, in a browser that holds this cookie already."""
        assert self.login
        return (await self._send(visit, self.login, {name: value})).answer

    async def log_in_at(self, visit: Visit, page: str) -> Answer:
        """One more login, by the form of this page, sent where the form says."""
        assert self.login
        return (await self._send(visit, self.login, {}, page)).answer

    async def _send(self, visit: Visit, login: Login, before: dict[str, str], at: str | None = None) -> User:
        username, password = self.names(login)
        page, held, path = None, before, login.path
        if login.form and login.page:
            cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in before.items())} if before else {}
            page = await visit.get(at or login.page, headers=cookie)
            if at:
                action = urljoin(page.url, login_form(page.text).action)
                path = action if origin(action) == origin(visit.url) else path
            held = kept(before, page)
        source = page.text if page else None
        sent = login_request(login, username, password, url=visit.url, cookies=held, page=source)
        return User(login, await visit.ask("POST", path, headers=sent.headers, content=sent.content), visit.url, page)


def kept(before: Mapping[str, str], answer: Answer) -> dict[str, str]:
    """The cookies that a browser holds after an answer."""
    held = dict(before)
    for cookie in cookies_of(answer):
        held.pop(cookie.name, None)
        if not cookie.removes:
            held[cookie.name] = cookie.value
    return held
