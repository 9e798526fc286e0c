"""The journal: written before the deed, readable after a crash, clear when damaged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ci.deploy.journal import Fact, Journal, utc_now
from ci.deploy.release import reconcile, release
from ci.deploy.transitions import Phase
from ci.engine.evidence import RELEASE_FILE, EvidenceStore
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind, Release, ReleaseEnd, Subject
from tests.deploy.world import World

RELEASE = Release(project_id="prj_1", candidate=Subject(url="https://app.example.com"))


@pytest.fixture
def store(tmp_path):
    return EvidenceStore(tmp_path, Redactor(["hush-hush-hush"]))


def test_an_event_is_on_the_disk_when_note_returns(store):
    journal = Journal.begin(store, RELEASE, utc_now)
    journal.set_previous(Subject(url="u", deployment_id="dpl_0"))
    journal.note(Phase.PROMOTE, "about to", {Fact.INTENT: "promote", Fact.JOB_BEFORE: None, Fact.AUTO_ASSIGN: False})
    again = Journal.resume(store, utc_now)
    assert again.release == journal.release
    assert again.release.previous and again.release.previous.deployment_id == "dpl_0"
    assert again.recall(Fact.INTENT) == "promote"
    assert again.recall(Fact.JOB_BEFORE) is None
    assert again.recall(Fact.AUTO_ASSIGN) == "false"


def test_the_latest_fact_counts_even_when_it_is_nothing(store):
    journal = Journal.begin(store, RELEASE, utc_now)
    journal.note(Phase.PROMOTE, "a", {Fact.ANSWER: "accepted"})
    journal.note(Phase.ROLLBACK, "b", {Fact.ANSWER: None})
    assert journal.recall(Fact.ANSWER) is None


def test_secrets_do_not_reach_the_journal(store):
    Journal.begin(store, RELEASE, utc_now).note(Phase.STAGE, "said hush-hush-hush", {Fact.FAILED: "hush-hush-hush"})
    assert "hush-hush" not in (store.folder / RELEASE_FILE).read_text()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema_version": 2}', '{"project_id": "prj"}', "\x00\xff"])
def test_a_damaged_journal_is_a_clear_error_and_never_an_absent_one(store, damage):
    store.folder.mkdir(exist_ok=True)
    (store.folder / RELEASE_FILE).write_text(damage)
    for open_ in (lambda: Journal.resume(store, utc_now), lambda: Journal.begin(store, RELEASE, utc_now)):
        with pytest.raises(CannotRun, match=r"release\.json is not a Release") as caught:
            open_()
        assert caught.value.kind is ErrorKind.BAD_OUTPUT


def test_without_a_journal_there_is_nothing_to_reconcile(store):
    with pytest.raises(CannotRun, match="nothing to reconcile"):
        Journal.resume(store, utc_now)


@pytest.mark.parametrize(
    ("end", "refused"),
    [(None, True), (ReleaseEnd.UNKNOWN, True), (ReleaseEnd.QUEUED, True), (ReleaseEnd.PROMOTED, False)],
)
def test_a_release_that_changed_production_and_did_not_end_is_not_forgotten(store, end, refused):
    journal = Journal.begin(store, RELEASE, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    journal.note(Phase.PROMOTE, "about to", {Fact.INTENT: "promote"})
    if end:
        journal.finish(end, "so it ended")
    if refused:
        with pytest.raises(CannotRun, match="gonogo reconcile"):
            Journal.begin(store, RELEASE, utc_now)
    else:
        Journal.begin(store, RELEASE, utc_now)


def test_a_rollback_by_hand_is_not_kept_waiting_by_an_open_end(store):
    journal = Journal.begin(store, RELEASE, utc_now)
    journal.note(Phase.PROMOTE, "about to", {Fact.INTENT: "promote"})
    with pytest.raises(CannotRun):
        Journal.begin(store, RELEASE, utc_now, urgent=True)
    journal.finish(ReleaseEnd.UNKNOWN, "who knows")
    Journal.begin(store, RELEASE, utc_now, urgent=True)


def test_a_release_that_changed_nothing_may_be_begun_again(store):
    Journal.begin(store, RELEASE, utc_now).note(Phase.TEST, "testing")
    assert Journal.begin(store, RELEASE, utc_now).release.events == ()


async def test_cancellation_leaves_a_journal_from_which_reconcile_finishes(world: World):
    verifying = asyncio.Event()

    async def never(subject, *, identity_only):
        verifying.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(release(world.context(), stage=world.id("candidate"), test=world.test, verify=never))
    await verifying.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = world.store.release()
    assert left and left.end is None
    assert "interrupted by CancelledError" in left.events[-1].message

    made = await reconcile(world.context(), verify=world.verify)
    assert (made.end, world.serves, world.writes) == (ReleaseEnd.PROMOTED, "candidate", ["promote"])
    assert made.serving == world.id("candidate")
    again = await reconcile(world.context(), verify=world.verify)
    assert again == made


async def test_a_bug_in_the_callers_code_leaves_a_journal_too(world: World):
    async def buggy(subject, baseline_url):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await release(world.context(), stage=world.id("candidate"), test=buggy, verify=world.verify)
    made = await reconcile(world.context(), verify=world.verify)
    assert (made.end, world.serves, world.writes) == (ReleaseEnd.HOLD, "baseline", [])
    assert "before it changed anything" in made.events[-1].message


async def test_a_release_is_not_begun_over_an_unfinished_one(world: World):
    world.store.kill_after = lambda event: event.facts.get(Fact.INTENT) == "promote"
    with pytest.raises(BaseException):  # noqa: B017
        await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    world.store = type(world.store)(world.store.folder, world.store.redact)
    with pytest.raises(CannotRun, match="run `gonogo reconcile` first"):
        await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    assert world.writes == []


async def test_the_journal_of_another_project_is_not_acted_upon(world: World):
    stranger = RELEASE.model_copy(update={"candidate": Subject(url="u", deployment_id=world.id("baseline"))})
    journal = Journal.begin(world.store, stranger, utc_now)
    journal.set_previous(Subject(url="u", deployment_id=world.id("other")))
    journal.note(Phase.ROLLBACK, "about to", {Fact.INTENT: "rollback"})
    with pytest.raises(CannotRun, match="of project prj_1") as caught:
        await reconcile(world.context(), verify=world.verify)
    assert caught.value.kind is ErrorKind.WRONG_SUBJECT
    assert world.writes == []
