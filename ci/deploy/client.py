"""Vercel's REST API: the operations that a release needs, and no other.

Reads are repeated when the network, a 429 or a 5xx gets in their way. Writes are repeated only when it is certain
that nothing has happened (no connection, 429); every other failure of a write is `Ambiguous`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import stamina

from ci.config import Config
from ci.deploy.answers import (
    AliasAnswer,
    Answer,
    Deployment,
    DeploymentPage,
    ListedDeployment,
    Project,
    RollingRelease,
    RollingReleaseAnswer,
)
from ci.deploy.failures import Ambiguous, NotSent, RateLimited, Refused, Unreadable
from ci.deploy.wire import error_of, parsed, retry_after, segment, words
from ci.engine.http import USER_AGENT, tls_context
from ci.engine.redaction import Redactor, in_a_header
from ci.errors import ConfigError

A = TypeVar("A", bound=Answer)

API_URL = "https://api.vercel.com"
PAGE = 100
DESCRIPTION_LIMIT = 250
"""Characters of a rollback's description."""

MESSAGE_LIMIT = 300
"""Characters of the API's own words that are kept."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call goes on, in seconds. The waits double each time, plus a random part as long as the first."""

    request_s: float = 30.0
    """For one request and its answer."""
    total_s: float = 90.0
    """For one call with all its repetitions."""
    attempts: int = 5
    first_wait_s: float = 0.5


class _Bearer(httpx.Auth):
    """Keeps the token out of the client's visible headers; it goes to the API's own origin only."""

    def __init__(self, token: str, host: str) -> None:
        self._token = token
        self._host = host

    def auth_flow(self, request: httpx.Request) -> Any:
        if request.url.host == self._host:
            request.headers["authorization"] = f"Bearer {in_a_header(self._token)}"
        yield request


class Vercel:
    """One project, in the scope of one team or personal account."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        project_id: str,
        *,
        scope: Mapping[str, str],
        redact: Redactor,
        patience: Patience = Patience(),
    ) -> None:
        self.project_id = project_id
        self._redact = redact
        self._http = http
        self._scope = dict(scope)
        self._patience = patience

    # -- reads

    async def deployment(self, id_or_url: str) -> Deployment:
        """One deployment. Raises Refused (404 when there is none), NotSent, Unreadable."""
        return await self._read(Deployment, f"/v13/deployments/{segment(id_or_url)}", f"read deployment {id_or_url}")

    async def project(self) -> Project:
        """The project with its live domains and its last promotion or rollback."""
        # Without rollbackInfo the last request is null even right after a promotion.
        return await self._read(Project, self._project_path("v9"), "read the project", {"rollbackInfo": "true"})

    async def deployments(self, **filters: str) -> AsyncIterator[ListedDeployment]:
        """The project's deployments, the youngest first, page by page; `filters` are the API's own."""
        until: int | None = None
        while True:
            begin = {} if until is None else {"until": str(until)}
            query = {"projectId": self.project_id, "limit": str(PAGE), **filters, **begin}
            page = await self._read(DeploymentPage, "/v7/deployments", "list deployments", query)
            for item in page.deployments:
                yield item
            following = page.pagination.next
            # Every page is older than the one before it; anything else would lead round in circles.
            if following is None or (until is not None and following >= until):
                return
            until = following

    async def rolling_release(self) -> RollingRelease | None:
        """The active rolling release, if there is one. A plan without rolling releases has none."""
        path = self._project_path("v1", "rolling-release")
        try:
            answer = await self._read(RollingReleaseAnswer, path, "look for a rolling release", {"state": "ACTIVE"})
        except Refused as refusal:
            # The project itself could be read, so this is the plan's answer, not the token's. A promotion that meets
            # a rolling release all the same is told so by its 202.
            if refusal.status in {402, 403, 404}:
                return None
            raise
        return answer.rolling_release

    async def alias(self, domain: str) -> AliasAnswer:
        """The deployment that a domain points at. Raises as `deployment`."""
        return await self._read(AliasAnswer, f"/v4/aliases/{segment(domain)}", f"read the alias {domain}")

    # -- writes

    async def promote(self, deployment_id: str) -> bool:
        """Ask for a promotion: True when it was accepted, False when it waits behind a rolling release (202).

        Raises Refused, NotSent (nothing has changed) or Ambiguous.
        """
        path = self._project_path("v10", "promote", deployment_id)
        answer = await self._write("POST", path, f"promote {deployment_id}")
        return answer.status_code != 202

    async def rollback(self, deployment_id: str, description: str) -> None:
        """Ask for a rollback to a deployment that has served production. Raises as `promote` does."""
        path = self._project_path("v1", "rollback", deployment_id)
        query = {"description": description[:DESCRIPTION_LIMIT]}
        await self._write("POST", path, f"roll back to {deployment_id}", query)

    async def set_auto_assign(self, value: bool) -> None:
        """Let new production builds take the domains by themselves, or not. Raises as `promote` does."""
        path = self._project_path("v9")
        await self._write("PATCH", path, "set autoAssignCustomDomains", body={"autoAssignCustomDomains": value})

    async def assign_alias(self, deployment_id: str, domain: str) -> None:
        """Point a domain at a deployment. Never one of production's: that bypasses promotion. Raises as `promote`."""
        path = f"/v2/deployments/{segment(deployment_id)}/aliases"
        await self._write("POST", path, f"point {domain} at {deployment_id}", body={"alias": domain})

    # -- the wire

    def _project_path(self, version: str, *rest: str) -> str:
        return "/".join(["", version, "projects", *map(segment, (self.project_id, *rest))])

    async def _read(self, kind: type[A], path: str, operation: str, query: Mapping[str, str] | None = None) -> A:
        async for attempt in self._retries(_may_read_again):
            with attempt:
                try:
                    response = await self._http.get(path, params={**self._scope, **(query or {})})
                except _NOT_SENT as error:
                    raise NotSent(operation, words(error)) from None
                except httpx.HTTPError as error:
                    raise Unreadable(operation, words(error)) from None
                if response.status_code >= 500:
                    raise Unreadable(operation, f"status {response.status_code}")
                self._demand_success(response, operation)
                return parsed(kind, response, operation)
        raise AssertionError("stamina lets the last error through")

    async def _write(
        self,
        method: str,
        path: str,
        operation: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        async for attempt in self._retries(_may_write_again):
            with attempt:
                try:
                    response = await self._http.request(
                        method, path, params={**self._scope, **(query or {})}, json=body
                    )
                except _NOT_SENT as error:
                    raise NotSent(operation, words(error)) from None
                except httpx.HTTPError as error:
                    raise Ambiguous(operation, words(error)) from None
                if response.status_code >= 500 or response.status_code == 408:
                    raise Ambiguous(operation, f"status {response.status_code}")
                self._demand_success(response, operation)
                return response
        raise AssertionError("stamina lets the last error through")

    def _demand_success(self, response: httpx.Response, operation: str) -> None:
        if response.status_code in {200, 201, 202}:
            return
        # Redacted before it is cut: half a secret would pass unnoticed.
        code, message = (self._redact(text)[:MESSAGE_LIMIT] for text in error_of(response))
        if response.status_code == 429:
            raise RateLimited(operation, code, message, retry_after(response.headers))
        raise Refused(operation, response.status_code, code, message)

    def _retries(self, on: Any) -> Any:
        patience = self._patience

        def hook(error: Exception) -> bool | float:
            answer: bool | float = on(error)
            # A pause that outlasts the call is not waited for: the caller hears at once that it was refused.
            return False if not isinstance(answer, bool) and answer > patience.total_s else answer

        return stamina.retry_context(
            on=hook,
            attempts=patience.attempts,
            timeout=patience.total_s,
            wait_initial=patience.first_wait_s,
            wait_jitter=patience.first_wait_s,
        )


@asynccontextmanager
async def connect(
    config: Config, environ: Mapping[str, str], patience: Patience | None = None
) -> AsyncIterator[Vercel]:
    """A client by the environment: VERCEL_TOKEN, VERCEL_ORG_ID, VERCEL_PROJECT_ID, VERCEL_API_URL.

    Raises ConfigError that names what is missing.
    """
    token = environ.get("VERCEL_TOKEN", "").strip()
    project_id = config.deploy.project or environ.get("VERCEL_PROJECT_ID", "")
    if not token:
        raise ConfigError("VERCEL_TOKEN is not set; create a token at https://vercel.com/account/settings/tokens")
    if not project_id:
        raise ConfigError("the project is not known; set VERCEL_PROJECT_ID or write `deploy: {project: prj_…}`")
    url = httpx.URL(environ.get("VERCEL_API_URL") or API_URL)
    if url.scheme != "https" and url.host not in {"127.0.0.1", "localhost", "::1"}:
        raise ConfigError(f"VERCEL_API_URL={url} would send the token in clear; use https")
    patience = patience or Patience(request_s=config.deploy.api_timeout.total_seconds())
    async with httpx.AsyncClient(
        base_url=url,
        auth=_Bearer(token, url.host),
        headers={"user-agent": USER_AGENT},
        timeout=patience.request_s,
        verify=tls_context(environ),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        scope = scope_of(config.deploy.team or environ.get("VERCEL_ORG_ID", ""))
        redact = Redactor.of_environment(environ, config.secret_variables())
        yield Vercel(http, project_id, scope=scope, redact=redact, patience=patience)


def scope_of(owner: str) -> dict[str, str]:
    """The query of every call: a team by id or slug, or nothing for a personal account (whose id names no team)."""
    if owner.startswith("team_"):
        return {"teamId": owner}
    if not owner or (owner.isalnum() and len(owner) == 24):
        return {}
    return {"slug": owner}


def _may_read_again(error: Exception) -> bool | float:
    if isinstance(error, RateLimited):
        return True if error.retry_after_s is None else error.retry_after_s
    return isinstance(error, NotSent | Unreadable)


def _may_write_again(error: Exception) -> bool | float:
    if isinstance(error, RateLimited):
        return True if error.retry_after_s is None else error.retry_after_s
    return isinstance(error, NotSent)
