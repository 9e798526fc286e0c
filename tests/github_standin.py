"""GitHub's issues, labels and comments of one repository over real HTTP, with the API's own habits.

Pages with a Link header, `since`, `state` and `labels` filters, line ends turned into CRLF, labels that must exist
when the token may not make them, refusals in GitHub's words. What was written can be read from `issues` and `writes`.

    async with github_standin() as github:
        environ = github.environ
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.servers import serving

TOKEN = "canary-github-token-77"
REPOSITORY = "me/shop"

Entry = dict[str, Any]


@dataclass(slots=True)
class GitHubStandIn:
    url: str = ""
    issues: list[Entry] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    comments: dict[int, list[Entry]] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every write that was accepted."""
    requests: int = 0
    refuse: tuple[int, dict[str, str]] | None = None
    """Status and headers answered to everything while set."""
    after_write: Callable[[str, str], Awaitable[None]] | None = None
    """Called when a write has had its effect, before its answer goes out."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_API_URL": self.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": "9",
        }

    def open_issues(self) -> list[Entry]:
        return [issue for issue in self.issues if issue["state"] == "open"]

    def add(self, title: str, body: str, *labels: str, state: str = "open", pull_request: bool = False) -> Entry:
        """An issue that is there already."""
        number = len(self.issues) + 1
        issue: Entry = {
            "number": number,
            "title": title,
            "body": body.replace("\n", "\r\n"),
            "state": state,
            "state_reason": None,
            "labels": [{"name": label} for label in labels],
            "html_url": f"https://github.example/{REPOSITORY}/issues/{number}",
            "updated_at": self.now().isoformat(),
        }
        if pull_request:
            issue["pull_request"] = {}
        self.issues.append(issue)
        return issue

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if self.refuse:
            status, headers = self.refuse
            return web.json_response({"message": "not today"}, status=status, headers=headers)
        path = request.path.removeprefix(f"/repos/{REPOSITORY}")
        if request.method == "GET":
            return self._read(path, request)
        answer = self._write(request.method, path, await request.json())
        if answer.status < 400:
            self.writes.append((request.method, path))
            if self.after_write:
                await self.after_write(request.method, path)
        return answer

    def _read(self, path: str, request: web.Request) -> web.Response:
        if path == "/issues":
            return self._page(request, self._listed(request))
        if path.startswith("/labels/"):
            name = path.removeprefix("/labels/")
            return web.json_response({"name": name}) if name in self.labels else _not_found()
        if path.endswith("/comments"):
            return self._page(request, self.comments.get(int(path.split("/")[2]), []))
        return _not_found()

    def _listed(self, request: web.Request) -> list[Entry]:
        query = request.query
        since = datetime.fromisoformat(query["since"]) if "since" in query else None
        state = query.get("state", "open")
        return [
            issue
            for issue in reversed(self.issues)
            if query.get("labels", "") in {"", *(label["name"] for label in issue["labels"])}
            and state in {"all", issue["state"]}
            and (since is None or datetime.fromisoformat(issue["updated_at"]) >= since)
        ]

    def _page(self, request: web.Request, entries: list[Entry]) -> web.Response:
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        shown = entries[(page - 1) * size : page * size]
        more = (
            {"link": f'<{request.url.update_query(page=page + 1)}>; rel="next"'} if page * size < len(entries) else {}
        )
        return web.json_response(shown, headers=more)

    def _write(self, method: str, path: str, body: Entry) -> web.Response:
        if (method, path) == ("POST", "/labels"):
            if body["name"] in self.labels:
                return web.json_response({"message": "Validation Failed"}, status=422)
            self.labels.add(body["name"])
            return web.json_response(body, status=201)
        if (method, path) == ("POST", "/issues"):
            known = [label for label in body.get("labels", []) if label in self.labels]
            return web.json_response(self.add(body["title"], body["body"], *known), status=201)
        number = int(path.split("/")[2])
        if method == "POST" and path.endswith("/comments"):
            self.comments.setdefault(number, []).append({"id": 1000 + self.requests, "body": body["body"]})
            return web.json_response({}, status=201)
        if method == "PATCH" and 0 < number <= len(self.issues):
            issue = self.issues[number - 1]
            issue.update(body, updated_at=self.now().isoformat())
            issue["body"] = issue["body"].replace("\r\n", "\n").replace("\n", "\r\n")
            return web.json_response(issue)
        return _not_found()


@asynccontextmanager
async def github_standin() -> AsyncIterator[GitHubStandIn]:
    standin = GitHubStandIn()
    async with serving({"*": standin.answer}) as standin.url:
        yield standin


def _not_found() -> web.Response:
    headers = {"x-accepted-github-permissions": "issues=write"}
    return web.json_response({"message": "Not Found"}, status=404, headers=headers)
