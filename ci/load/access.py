"""What opens the target for the load: the way past deployment protection, and the test user's session.

Each goes to the origin that it was made for and to no other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import httpx
from pydantic import Field, TypeAdapter

from ci.config.shape.smoke import Login
from ci.engine.http import HttpFactory, origin
from ci.engine.identity import dotted
from ci.engine.signing_in import login_form, login_request, of_own_site
from ci.errors import CannotRun
from ci.load.plan import Endpoint, Plan
from ci.load.recording import Arm
from ci.model import ErrorKind, Model

ACCESS_VARIABLE = "GONOGO_LOAD_ACCESS"
"""Environment variable by which it reaches Locust's processes; it never stands in a file or travels over a network."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Access(Model):
    """What is sent along to one origin."""

    origin: tuple[str, str, int]
    key: dict[str, str] = Field(default_factory=dict, repr=False)
    """The header that opens deployment protection."""
    session: dict[str, str] = Field(default_factory=dict, repr=False)
    """Headers of requests that are sent as the test user."""
    csrf: dict[str, str] = Field(default_factory=dict, repr=False)
    """Those of them that change something carry these as well (CWE-352)."""

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """What to add to a request for this endpoint."""
        headers = dict(self.key)
        if endpoint.login:
            headers |= self.session
            if endpoint.method not in _SAFE:
                headers |= self.csrf
        return headers

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.key.values(), *self.session.values(), *self.csrf.values())


Accesses = tuple[Access, ...]
_ACCESSES: TypeAdapter[Accesses] = TypeAdapter(Accesses)


def to_variable(accesses: Accesses) -> str:
    return _ACCESSES.dump_json(accesses).decode()


def of_variable(environ: Mapping[str, str]) -> Accesses:
    return _ACCESSES.validate_json(environ.get(ACCESS_VARIABLE, "[]"))


def to(url: str, accesses: Accesses) -> Access:
    """What goes to a URL: nothing when it is nobody's we know."""
    return next((access for access in accesses if access.origin == origin(url)), Access(origin=origin(url)))


async def gain(plan: Plan, http: HttpFactory, login: Login | None, environ: Mapping[str, str]) -> Accesses:
    """Sign in to each arm when a scenario asks for it. The same secret or token opens both: they are of one project.

    A token that GitHub issues for the job is fetched once: a load that outlasts it meets the wall, and is told so.
    Raises CannotRun: MISCONFIGURED without smoke.login or its variables, or when the sign-in is refused.
    """
    wanted = any(endpoint.login for endpoint in plan.endpoints)
    if wanted and login is None:
        raise CannotRun(
            ErrorKind.MISCONFIGURED,
            "a scenario of load.scenarios wants a logged-in user, but no login is configured: describe it under "
            "smoke.login",
        )
    secret, token = http.bypass.get(origin(plan.url)), http.trusted.get(origin(plan.url))
    gained = []
    for arm in plan.arms:
        url = plan.url_of(arm)
        place = origin(url)
        own = replace(
            http, target=url, bypass={place: secret} if secret else {}, trusted={place: token} if token else {}
        )
        access = Access(origin=place, key=await asyncio.to_thread(own.key, url))
        gained.append(await _signed_in(access, arm, own, login, environ) if wanted and login else access)
    return tuple(gained)


async def _signed_in(access: Access, arm: Arm, http: HttpFactory, login: Login, environ: Mapping[str, str]) -> Access:
    username, password = _value_of(login.username, environ), _value_of(login.password, environ)
    before: dict[str, str] = {}
    source = None
    async with http.async_client() as client:
        try:
            if login.form and login.page:
                page = await client.get(login.page)
                before = {cookie.name: cookie.value or "" for cookie in page.cookies.jar}
                source = page.text
            client.cookies.clear()  # the login says itself which cookies go along
            sent = login_request(login, username, password, url=http.target, cookies=before, page=source)
            response = await client.post(login.path, headers=sent.headers, content=sent.content)
        except httpx.HTTPError as error:
            raise CannotRun(
                ErrorKind.UNREACHABLE,
                f"the load could not sign in to the {arm.words}: {http.target}{login.path}: "
                f"{error or type(error).__name__}",
            ) from error
    try:
        answer = json.loads(response.content)
    except ValueError:
        answer = None
    token = dotted(answer, login.token) if login.token else None
    held = {**before, **{cookie.name: cookie.value or "" for cookie in response.cookies.jar}}
    csrf = (
        (held.get(login.csrf.cookie) if login.csrf.cookie else dotted(answer, login.csrf.field)) if login.csrf else None
    )
    cookies = "; ".join(f"{name}={value}" for name, value in held.items())
    session = {"cookie": cookies} if cookies else {"authorization": f"Bearer {token}"} if token else {}
    again = login.form and login_form(response.text).asks_password
    if response.is_error or not session or again:
        how = "the form again" if again else f"{'without' if not session else 'with'} a cookie or token"
        raise CannotRun(
            ErrorKind.MISCONFIGURED,
            f"the load could not sign in to the {arm.words}: {http.target}{login.path} answered "
            f"{response.status_code}, {how}; see smoke.login, and the check smoke/login",
        )
    changing = {login.csrf.header: csrf} if login.csrf and csrf else {}
    return access.model_copy(
        update={"session": session, "csrf": {**changing, **of_own_site(http.target)} if cookies else {}}
    )


def _value_of(variable: str, environ: Mapping[str, str]) -> str:
    if value := environ.get(variable):
        return value
    raise CannotRun(
        ErrorKind.MISCONFIGURED,
        f"the environment variable {variable} is not set, but load.scenarios wants a logged-in user: "
        "set it for this run",
    )
