"""Asking the target: every request is bounded, counted and recorded as evidence of the check that made it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from ci.engine.http import Client, HttpFactory
from ci.engine.signing_in import of_own_site
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.smoke.examination import Examination

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1); with the others browsers say which site sends them."""
PATIENCE = 3
"""Requests in a row without any answer, after which the target is not asked again by this process."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a request says who sends it. Cookies are sent as they were set, also over plain HTTP to loopback."""

    cookies: Mapping[str, str] = field(default_factory=dict)
    bearer: str | None = None
    csrf: tuple[str, str] | None = None
    """Header and token (CWE-352), for requests that change something."""

    def headers(self, method: str) -> dict[str, str]:
        headers = {}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.bearer:
            headers["authorization"] = f"Bearer {self.bearer}"
        if self.csrf and method not in SAFE:
            headers[self.csrf[0]] = self.csrf[1]
        return headers


ANONYMOUS = Credentials()


class Connections:
    """The HTTP clients of one process, shared by its tests."""

    def __init__(self, http: HttpFactory, timeout_s: float) -> None:
        self.http = http
        self.timeout_s = timeout_s
        self._clients = {fresh: http.client(timeout_s=timeout_s, fresh=fresh) for fresh in (False, True)}
        self._unanswered = 0
        self._last_problem = ""

    def send(self, exam: Examination, method: str, path: str, *, fresh: bool, **request: Any) -> httpx.Response:
        if self._unanswered >= PATIENCE:
            raise CannotRun(
                ErrorKind.UNREACHABLE,
                f"{method} {path} was not sent: the target gave no answer to {PATIENCE} requests in a row; "
                f"the last was {self._last_problem}",
            )
        client = self._clients[fresh]
        before = client.retries
        try:
            response = client.request(method, path, **request)
        except httpx.TransportError as error:
            self._unanswered += 1
            named = _named(error, method, path)
            self._last_problem = str(named)
            raise named from error
        except httpx.DecodingError as error:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{method} {path} answered with a damaged body: {error}") from error
        finally:
            exam.retries += client.retries - before
            client.cookies.clear()  # nobody is logged in by an earlier test's answer
        self._unanswered = 0
        return response

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def user_client(self) -> Client:
        """A client for a user's test: with cookies of its own, under the same guard."""
        return self.http.client(timeout_s=self.timeout_s)


class Target:
    """The running URL under test, as one check sees it."""

    def __init__(self, exam: Examination, connections: Connections) -> None:
        self.exam = exam
        self._connections = connections

    @property
    def url(self) -> str:
        return self._connections.http.target

    def at(self, path: str) -> str:
        """The absolute URL of a path."""
        return self.url + path

    def get(self, path: str, *, by: Credentials = ANONYMOUS, fresh: bool = False, **request: Any) -> httpx.Response:
        return self.request("GET", path, by=by, fresh=fresh, **request)

    def post(self, path: str, *, by: Credentials = ANONYMOUS, **request: Any) -> httpx.Response:
        return self.request("POST", path, by=by, **request)

    def request(
        self,
        method: str,
        path: str,
        *,
        by: Credentials = ANONYMOUS,
        fresh: bool = False,
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send one request, on a new connection when it is `fresh`; a redirect is returned, not followed.

        Raises CannotRun or httpx.TransportError when there is no answer of the application.
        """
        own = of_own_site(self.url) if by.cookies and method not in SAFE else {}
        all_headers = {**own, **by.headers(method), **(headers or {})}
        response = self._connections.send(self.exam, method, path, fresh=fresh, headers=all_headers, **request)
        self.exam.saw(told(response))
        return response


def told(response: httpx.Response) -> str:
    """An answer in one line: `GET /api/health → 200 in 12 ms`."""
    request = response.request
    milliseconds = response.elapsed.total_seconds() * 1000
    return f"{request.method} {request.url.path} → {response.status_code} in {milliseconds:.0f} ms"


def unlikely_path(beside: str = "/") -> str:
    """A path in the same folder as `beside` that no application has."""
    folder = beside.rpartition("/")[0]
    return f"{folder}/gonogo-{secrets.token_hex(8)}"


def _named(error: httpx.TransportError, method: str, path: str) -> httpx.TransportError:
    """The same error, saying which request it met."""
    return type(error)(f"{method} {path} got no answer: {error or type(error).__name__}")
