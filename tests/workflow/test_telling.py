"""What GitHub is told: a success is for GO alone, about exactly this commit and deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ci.engine.evidence import EvidenceStore
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.errors import CannotRun, ConfigError
from ci.model import Decision, Reason, Subject
from ci.workflow.inputs import TellInputs
from ci.workflow.telling import tell, verdict_about
from tests.deploy.world import go
from tests.servers import serving
from tests.workflow.conftest import ID, SHA

SUBJECT = Subject(url="https://shop-1.vercel.app", commit=SHA, deployment_id=ID)
HOUR = timedelta(hours=1)
RESULTS = {"plan": "success", "tests": "failure", "code": "success"}


@dataclass
class Hub:
    """Statuses and comments of one repository with one open pull request."""

    environ: dict[str, str] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/repos/acme/shop")
        if self.refuses:
            return web.json_response({"message": "no"}, status=403)
        if path == f"/statuses/{SHA}":
            self.statuses.append(await request.json())
        elif path == f"/commits/{SHA}/pulls":
            return web.json_response([{"number": 7, "state": "open"}, {"number": 5, "state": "closed"}])
        elif path == "/issues/7/comments" and request.method == "POST":
            self.comments.append({"id": 1, **await request.json()})
        elif path == "/issues/7/comments":
            return web.json_response(self.comments)
        elif path == "/issues/comments/1" and request.method == "PATCH":
            self.comments[0].update(await request.json())
        else:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response({}, status=201)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub()
    async with serving({"*": made.answer}) as url:
        made.environ = {"GITHUB_TOKEN": "t" * 20, "GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": url}
        yield made


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path, Redactor())


def told(route: str = "ready", environment: str = "production") -> TellInputs:
    return TellInputs(route=route, environment=environment, commit=SHA, deployment=ID)


async def test_go_opens_the_domain(hub: Hub, store: EvidenceStore) -> None:
    store.write_verdict(go(SUBJECT))
    await tell(told(), RESULTS, store, hub.environ, Silence(), max_age=HOUR)
    assert [(status["context"], status["state"]) for status in hub.statuses] == [("gonogo/production", "success")]


async def test_one_comment_with_the_other_jobs_in_a_line(hub: Hub, store: EvidenceStore) -> None:
    store.write_verdict(go(SUBJECT, partial=True))
    for _ in range(2):
        await tell(told("preview", "preview"), RESULTS, store, hub.environ, Silence(), max_age=HOUR)
    (comment,) = hub.comments
    assert "GO" in comment["body"]
    assert {status["state"] for status in hub.statuses} == {"success"}, "a part will do for a preview"
    assert "tests **failure** · code **success**" in comment["body"]


async def test_what_has_no_pull_request_gets_no_comment(hub: Hub, store: EvidenceStore) -> None:
    store.write_verdict(go(SUBJECT))
    await tell(told("production"), RESULTS, store, hub.environ, Silence(), max_age=HOUR)
    assert (len(hub.statuses), hub.comments) == (1, [])


def hold() -> dict[str, Any]:
    return {"decision": Decision.HOLD, "reasons": (Reason(rule="ran", message="it hung", decision=Decision.HOLD),)}


@pytest.mark.parametrize(
    ("subject", "changes"),
    [
        (SUBJECT.model_copy(update={"deployment_id": "dpl_" + "E" * 24}), {}),
        (SUBJECT.model_copy(update={"deployment_id": None}), {}),
        (SUBJECT.model_copy(update={"commit": "c" * 40}), {}),
        (SUBJECT.model_copy(update={"commit": None}), {}),
        (SUBJECT, {"partial": True}),
        (SUBJECT, {"evidence_from": datetime.now(UTC) - timedelta(hours=2)}),
        (SUBJECT, hold()),
        (None, {}),
    ],
)
async def test_everything_else_holds_it(
    hub: Hub, store: EvidenceStore, subject: Subject | None, changes: dict[str, Any]
) -> None:
    if subject:
        store.write_verdict(go(subject, **changes))
    made = await tell(told(), RESULTS, store, hub.environ, Silence(), max_age=HOUR)
    assert made.decision is Decision.HOLD
    assert [status["state"] for status in hub.statuses] == ["error"]


def test_a_damaged_verdict_is_none_nor_is_one_of_an_unnamed_commit(store: EvidenceStore) -> None:
    store.write_text("verdict.json", '{"decision": "GO"')
    assert verdict_about(told(), store, HOUR).decision is Decision.HOLD
    store.write_verdict(go(SUBJECT))
    nameless = TellInputs(route="ready", environment="production", deployment=ID)
    assert verdict_about(nameless, store, HOUR).decision is Decision.HOLD


async def test_a_status_that_does_not_arrive_is_no_success(hub: Hub, store: EvidenceStore) -> None:
    store.write_verdict(go(SUBJECT))
    hub.refuses = True
    with pytest.raises(CannotRun, match="was not published"):
        await tell(told(), RESULTS, store, hub.environ, Silence(), max_age=HOUR)
    with pytest.raises(ConfigError, match="GITHUB_TOKEN"):
        await tell(told(), RESULTS, store, {}, Silence(), max_age=HOUR)
