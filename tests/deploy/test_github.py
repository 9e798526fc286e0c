"""Telling GitHub, against a server that keeps what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from ci.deploy.github import MARKER, Repository, repository
from ci.engine.redaction import Redactor
from ci.model import Decision, Event, Reason, Release, ReleaseEnd, Subject, Verdict
from tests.servers import serving

COMMIT = "b" * 40
TOKEN = "canary-github-token-77"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECT = Subject(url="https://c.example", commit=COMMIT, deployment_id="dpl_1")
USER = {"login": "bot", "id": 1}


class GitHubStandIn:
    """Deployments, statuses and comments of one repository."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, dict[str, Any]]] = []
        self.comments: list[dict[str, Any]] = []
        self.status = 0
        """Answered to every write, when it is not 0."""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/repos/me/shop")
        assert request.headers["authorization"].endswith(TOKEN)
        if request.method == "GET":
            return web.json_response(self._read(path, request))
        if self.status:
            return web.json_response({"message": "no"}, status=self.status)
        body = await request.json()
        self.written.append((request.method, path, body))
        if path.endswith("/comments"):
            self.comments.append({"id": 100 + len(self.comments), "body": body["body"]})
        for comment in self.comments:
            if path == f"/issues/comments/{comment['id']}":
                comment["body"] = body["body"]
        return web.json_response({"id": 7}, status=201)

    def _read(self, path: str, request: web.Request) -> list[dict[str, Any]]:
        if path == f"/commits/{COMMIT}/pulls":
            return [{"number": 5, "state": "open"}, {"number": 4, "state": "closed"}]
        assert path == "/issues/5/comments", path
        size, page = int(request.query["per_page"]), int(request.query["page"])
        return self.comments[(page - 1) * size : page * size]


@pytest.fixture
def standin() -> GitHubStandIn:
    return GitHubStandIn()


@pytest.fixture
async def repo(standin: GitHubStandIn) -> AsyncIterator[Repository]:
    async with serving({"*": standin.answer}) as url:
        environ = {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "me/shop",
            "GITHUB_API_URL": url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": "9",
        }
        async with repository(environ, Redactor([TOKEN])) as made:
            assert made
            yield made


def verdict(decision: Decision, message: str = "it leaks") -> Verdict:
    reasons = () if decision is Decision.GO else (Reason(rule="r", message=message, decision=decision),)
    facts = {"subject": SUBJECT, "stages": ("smoke",), "decided_at": NOW, "evidence_from": NOW}
    return Verdict(decision=decision, reasons=reasons, **facts)


def ended(end: ReleaseEnd) -> Release:
    event = Event(at=NOW, phase="END", message=f"so it ended, {TOKEN}")
    return Release(project_id="prj_1", candidate=SUBJECT, events=(event,), end=end)


@pytest.mark.parametrize(
    ("decision", "state"),
    [(Decision.GO, "success"), (Decision.NO_GO, "failure"), (Decision.HOLD, "error")],
)
async def test_the_verdict_is_a_status_of_its_commit(repo, standin, decision, state):
    assert await repo.commit_status(verdict(decision, f"{TOKEN} " + "x" * 300)) is None
    ((method, path, body),) = standin.written
    assert (method, path) == ("POST", f"/statuses/{COMMIT}")
    assert (body["state"], body["context"]) == (state, "gonogo")
    assert body["target_url"] == "https://github.example/me/shop/actions/runs/9"
    assert len(body["description"]) <= 140
    assert TOKEN not in body["description"]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (ReleaseEnd.PROMOTED, "success"),
        (ReleaseEnd.ROLLED_BACK, "failure"),
        (ReleaseEnd.SUPERSEDED, "inactive"),
        (ReleaseEnd.ROLLBACK_FAILED, "error"),
    ],
)
async def test_a_deployment_begins_and_ends(repo, standin, end, state):
    assert await repo.deployment_began(SUBJECT) is None
    assert await repo.deployment_ended(ended(end), "https://app.example.com") is None
    paths = [path for _, path, _ in standin.written]
    assert paths == ["/deployments", "/deployments/7/statuses", "/deployments/7/statuses"]
    assert standin.written[0][2]["required_contexts"] == []
    assert standin.written[0][2]["auto_merge"] is False
    assert [body["state"] for _, _, body in standin.written[1:]] == ["in_progress", state]
    assert standin.written[2][2]["environment_url"] == "https://app.example.com"
    assert TOKEN not in str(standin.written)


async def test_what_has_not_begun_does_not_end(repo, standin):
    assert await repo.deployment_ended(ended(ReleaseEnd.HOLD), "https://app.example.com") is None
    assert standin.written == []


async def test_one_comment_is_updated_in_place(repo, standin):
    standin.comments = [{"id": i, "body": f"comment {i}"} for i in range(100)]
    standin.comments.append({"id": 200, "body": f"> {MARKER} somebody quotes it"})
    assert await repo.comment(COMMIT, "first") is None
    assert await repo.comment(COMMIT, f"second {TOKEN}") is None
    made = [comment for comment in standin.comments if comment["body"].startswith(MARKER)]
    assert len(made) == 1
    assert made[0]["body"] == f"{MARKER}\nsecond [redacted]"
    assert [method for method, _, _ in standin.written] == ["POST", "PATCH"]


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
async def test_a_refusal_is_a_sentence(repo, standin, status):
    standin.status = status
    for said in (
        await repo.commit_status(verdict(Decision.GO)),
        await repo.deployment_began(SUBJECT),
        await repo.comment(COMMIT, "x"),
    ):
        assert said and str(status) in said
        assert TOKEN not in said


async def test_a_silent_github_is_a_sentence():
    async with serving() as gone:
        pass
    environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "me/shop", "GITHUB_API_URL": gone}
    async with repository(environ, Redactor()) as made:
        assert made
        assert "could not be asked" in str(await made.commit_status(verdict(Decision.GO)))


@pytest.mark.parametrize("environ", [{}, {"GITHUB_TOKEN": TOKEN}, {"GITHUB_REPOSITORY": "me/shop"}])
async def test_it_works_without_github(environ):
    async with repository(environ, Redactor()) as made:
        assert made is None
