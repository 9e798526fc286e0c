"""The test user, logged in once for all that need it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ci.config.shape.smoke import Login
from ci.engine.identity import dotted
from ci.engine.run import Run
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

    @property
    def set_cookies(self) -> tuple[SetCookie, ...]:
        return cookies_of(self.answer)

    @property
    def cookie(self) -> dict[str, str]:
        """The header that carries the session's cookies; empty when there are none."""
        pairs = {cookie.name: cookie.value for cookie in self.set_cookies if cookie.value}
        return {"cookie": "; ".join(f"{name}={value}" for name, value in pairs.items())} if pairs else {}

    @property
    def bearer(self) -> dict[str, str]:
        token = dotted(self.answer.json, self.login.token) if self.login.token else None
        return {"authorization": f"Bearer {token}"} if isinstance(token, str) and token else {}

    @property
    def csrf(self) -> dict[str, str]:
        """The header that carries the CSRF token; empty when none is configured or given."""
        csrf = self.login.csrf
        token = dotted(self.answer.json, csrf.field) if csrf else None
        return {csrf.header: token} if csrf and isinstance(token, str) and token else {}

    @property
    def headers(self) -> dict[str, str]:
        """By cookie, as browsers do it, or else by token."""
        return {**self.cookie, **self.csrf} if self.cookie else self.bearer


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

    def body(self, login: Login) -> dict[str, Any]:
        """What is sent to log in. Raises CannotRun(MISCONFIGURED) when the environment lacks it."""
        names = (login.username, login.password)
        if missing := [name for name in names if not self.environ.get(name)]:
            raise CannotRun(
                ErrorKind.MISCONFIGURED,
                f"the test user's login needs {' and '.join(missing)} in the environment (smoke.login)",
            )
        return {
            login.username_field: self.environ[login.username],
            login.password_field: self.environ[login.password],
        }

    async def _log_in(self, visit: Visit, login: Login) -> User:
        user = User(login, await visit.ask("POST", login.path, json=self.body(login)))
        if user.answer.status >= 400 or not (user.cookie or user.bearer):
            raise CannotRun(
                ErrorKind.NO_DATA,
                f"the test user could not be logged in: POST {login.path} answered {user.answer.status} "
                "without a session; see smoke/login",
            )
        return user

    async def log_in_with(self, visit: Visit, cookie: str) -> Answer:
        """One more login, whose request already carries this cookie."""
        assert self.login
        return await visit.ask("POST", self.login.path, json=self.body(self.login), headers={"cookie": cookie})
