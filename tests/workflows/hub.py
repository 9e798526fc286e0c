"""A stand-in for GitHub's API, as far as a workflow of this project uses it, and for its issuer of OIDC tokens.

Every request is kept; one to an operation that is not here is kept in `unknown`, too. A repository's objects are as
GitHub's documentation shows them, without fields that only people look at.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

AUDIENCE = "https://vercel.com/acme"
"""Whom a token of GitHub's is for."""
Json = dict[str, Any]
NOW = "2026-01-01T12:00:00Z"
BOT = {"login": "github-actions[bot]", "id": 41898282, "type": "Bot"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    body: str


@dataclass
class Hub:
    """One repository. `writable`: whether the token may write, which that of a fork's pull request may not."""

    name: str
    token: str
    oidc_token: str = ""
    writable: bool = True
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    unknown: list[Asked] = field(default_factory=list)
    issues: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, Json] = field(default_factory=dict)
    statuses: list[Json] = field(default_factory=list)
    deployments: dict[int, Json] = field(default_factory=dict)
    deployment_statuses: list[Json] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    """Commits that exist, with the branch that each is the head of, or nothing."""
    pulls: dict[str, list[int]] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def forget(self) -> None:
        """What was told so far; the objects that people see stay."""
        for kept in (self.asked, self.unknown, self.statuses):
            kept.clear()

    def empty(self) -> None:
        """Everything: what was told, and what people see."""
        self.forget()
        for kept in (self.issues, self.comments, self.deployments, self.deployment_statuses, self.labels):
            kept.clear()
        self.oidc_token = ""

    @property
    def open_issues(self) -> list[Json]:
        """The issues that are open."""
        return [item for item in self.issues.values() if item["state"] == "open"]

    def application(self) -> web.Application:
        """The API as a web application."""
        app = web.Application(middlewares=[self._keep], client_max_size=16 * 1024 * 1024)
        repo = f"/repos/{self.name}"
        app.add_routes(
            [
                web.get("/oidc", self._oidc),
                web.get(repo, self._repository),
                web.get(f"{repo}/commits/{{sha}}", self._commit),
                web.get(f"{repo}/git/commits/{{sha}}", self._commit),
                web.get(f"{repo}/branches/{{branch}}", self._branch),
                web.get(f"{repo}/commits/{{sha}}/pulls", self._pulls),
                web.get(f"{repo}/commits/{{sha}}/status", self._combined),
                web.get(f"{repo}/commits/{{sha}}/statuses", self._statuses),
                web.post(f"{repo}/statuses/{{sha}}", self._set_status),
                web.get(f"{repo}/deployments", self._list_deployments),
                web.post(f"{repo}/deployments", self._deploy),
                web.post(f"{repo}/deployments/{{id}}/statuses", self._deployment_status),
                web.get(f"{repo}/issues", self._list_issues),
                web.post(f"{repo}/issues", self._open_issue),
                web.get(f"{repo}/issues/{{number}}", self._issue),
                web.patch(f"{repo}/issues/{{number}}", self._change_issue),
                web.get(f"{repo}/issues/{{number}}/comments", self._list_comments),
                web.post(f"{repo}/issues/{{number}}/comments", self._comment),
                web.patch(f"{repo}/issues/comments/{{id}}", self._change_comment),
                web.get(f"{repo}/labels/{{label}}", self._label),
                web.post(f"{repo}/labels", self._make_label),
                web.post(f"{repo}/issues/{{number}}/labels", self._add_labels),
            ]
        )
        app.router.add_route("*", "/{rest:.*}", self._not_here)
        return app

    @web.middleware
    async def _keep(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(Asked(request.method, request.path, request.query_string, await request.text()))
        given = request.headers.get("Authorization", "").partition(" ")[2]
        if given != self.token:
            return web.json_response({"message": "Bad credentials"}, status=401)
        if request.method != "GET" and not self.writable:
            return web.json_response({"message": "Resource not accessible by integration"}, status=403)
        return await handler(request)

    async def _not_here(self, request: web.Request) -> web.Response:
        self.unknown.append(self.asked[-1])
        return _missing()

    async def _oidc(self, request: web.Request) -> web.Response:
        asked = request.query.get("audience") == AUDIENCE
        return web.json_response({"value": self.oidc_token}) if self.oidc_token and asked else _missing()

    async def _repository(self, request: web.Request) -> web.Response:
        return web.json_response({"full_name": self.name, "default_branch": "main", "private": True})

    async def _commit(self, request: web.Request) -> web.Response:
        sha = request.match_info["sha"]
        if sha not in self.commits:
            return web.json_response({"message": f"No commit found for SHA: {sha}"}, status=422)
        return web.json_response({"sha": sha, "html_url": f"https://github.com/{self.name}/commit/{sha}"})

    async def _branch(self, request: web.Request) -> web.Response:
        for sha, branch in self.commits.items():
            if branch == request.match_info["branch"]:
                return web.json_response({"name": branch, "commit": {"sha": sha}, "protected": True})
        return _missing()

    async def _pulls(self, request: web.Request) -> web.Response:
        numbers = self.pulls.get(request.match_info["sha"], [])
        return web.json_response([{"number": number, "state": "open"} for number in numbers])

    async def _combined(self, request: web.Request) -> web.Response:
        found = self._of(request.match_info["sha"])
        latest = {item["context"]: item for item in found}
        return web.json_response({"sha": request.match_info["sha"], "statuses": list(latest.values())})

    async def _statuses(self, request: web.Request) -> web.Response:
        return web.json_response(self._of(request.match_info["sha"])[::-1])

    def _of(self, sha: str) -> list[Json]:
        return [item for item in self.statuses if item["sha"] == sha]

    async def _set_status(self, request: web.Request) -> web.Response:
        sha, body = request.match_info["sha"], await request.json()
        if sha not in self.commits:
            return web.json_response({"message": f"No commit found for SHA: {sha}"}, status=422)
        if (
            body.get("state") not in {"error", "failure", "pending", "success"}
            or len(body.get("description", "")) > 140
        ):
            return web.json_response({"message": "Validation Failed"}, status=422)
        made = {"id": next(self._ids), "context": "default", **body, "sha": sha, "created_at": NOW, "creator": BOT}
        self.statuses.append(made)
        return web.json_response(made, status=201)

    async def _list_deployments(self, request: web.Request) -> web.Response:
        return web.json_response(list(self.deployments.values())[::-1])

    async def _deploy(self, request: web.Request) -> web.Response:
        made = {"id": next(self._ids), **await request.json(), "created_at": NOW, "creator": BOT}
        self.deployments[made["id"]] = made
        return web.json_response(made, status=201)

    async def _deployment_status(self, request: web.Request) -> web.Response:
        deployment = int(request.match_info["id"])
        if deployment not in self.deployments:
            return _missing()
        made = {"id": next(self._ids), **await request.json(), "deployment": deployment, "created_at": NOW}
        self.deployment_statuses.append(made)
        return web.json_response(made, status=201)

    async def _list_issues(self, request: web.Request) -> web.Response:
        wanted = {name for name in request.query.get("labels", "").split(",") if name}
        state = request.query.get("state", "open")
        found = [
            item
            for item in self.issues.values()
            if state in ("all", item["state"]) and wanted <= {label["name"] for label in item["labels"]}
        ]
        return web.json_response(_page(found[::-1], request))

    async def _open_issue(self, request: web.Request) -> web.Response:
        body = await request.json()
        number = next(self._ids)
        made = {
            "id": number,
            "number": number,
            "state": "open",
            "title": body["title"],
            "body": body.get("body") or "",
            "labels": [{"name": name} for name in body.get("labels", ())],
            "html_url": f"https://github.com/{self.name}/issues/{number}",
            "created_at": NOW,
            "updated_at": NOW,
            "user": BOT,
        }
        self.issues[number] = made
        return web.json_response(made, status=201)

    async def _issue(self, request: web.Request) -> web.Response:
        found = self.issues.get(int(request.match_info["number"]))
        return web.json_response(found) if found else _missing()

    async def _change_issue(self, request: web.Request) -> web.Response:
        found, body = self.issues.get(int(request.match_info["number"])), await request.json()
        if found is None:
            return _missing()
        if "labels" in body:
            body["labels"] = [{"name": name} for name in body["labels"]]
        found.update(body)
        return web.json_response(found)

    async def _list_comments(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.json_response(_page([item for item in self.comments.values() if item["issue"] == number], request))

    async def _comment(self, request: web.Request) -> web.Response:
        number, body = int(request.match_info["number"]), await request.json()
        made = {"id": next(self._ids), "issue": number, "body": body["body"], "user": BOT, "created_at": NOW}
        self.comments[made["id"]] = made
        return web.json_response(made, status=201)

    async def _change_comment(self, request: web.Request) -> web.Response:
        found = self.comments.get(int(request.match_info["id"]))
        if found is None:
            return _missing()
        found["body"] = (await request.json())["body"]
        return web.json_response(found)

    async def _label(self, request: web.Request) -> web.Response:
        name = request.match_info["label"]
        return web.json_response({"name": name}) if name in self.labels else _missing()

    async def _make_label(self, request: web.Request) -> web.Response:
        name = (await request.json())["name"]
        if name in self.labels:
            return web.json_response({"message": "Validation Failed"}, status=422)
        self.labels.add(name)
        return web.json_response({"name": name}, status=201)

    async def _add_labels(self, request: web.Request) -> web.Response:
        issue = self.issues[int(request.match_info["number"])]
        issue["labels"] += [{"name": name} for name in (await request.json())["labels"]]
        return web.json_response(issue["labels"])

    def told(self) -> str:
        """All that was sent to GitHub."""
        return json.dumps([[item.path, item.query, item.body] for item in self.asked])


@asynccontextmanager
async def hub(made: Hub) -> AsyncIterator[Hub]:
    """Serve it on a free port for the length of the block."""
    runner = web.AppRunner(made.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()


def _page(items: list[Json], request: web.Request) -> list[Json]:
    size, page = int(request.query.get("per_page", "30")), int(request.query.get("page", "1"))
    return items[(page - 1) * size : page * size]


def _missing() -> web.Response:
    return web.json_response({"message": "Not Found"}, status=404)
