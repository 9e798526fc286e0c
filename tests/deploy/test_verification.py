"""How looks at production add up: identity first, then passes in a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ci.config import Config
from ci.deploy.context import Context
from ci.deploy.verification import Outlook, verify_production
from ci.engine.progress import Silence
from ci.errors import CannotRun
from ci.model import ErrorKind, StageReport, Subject
from tests.runs import errored, failed, passed, report, skipped

NEW = Subject(url="https://app.example.com", commit="b" * 40, deployment_id="dpl_new")
OLD = Subject(url="https://app.example.com", commit="a" * 40, deployment_id="dpl_old")
RIGHT, FAULT = report(passed()), report(failed())
OTHER = report(errored(kind=ErrorKind.WRONG_SUBJECT))


class Production:
    """Shows `shown(look)` at the nth look, and works as `works(look)` says; a look is what asks for NEW."""

    def __init__(self, shown: Callable[[int], str], works: Callable[[int], bool] = lambda look: True) -> None:
        self.shown, self.works = shown, works
        self.looks = 0
        self.elapsed = 0.0

    async def verify(self, subject: Subject, *, identity_only: bool) -> StageReport:
        if subject == NEW:
            self.looks += 1
        now = self.shown(self.looks)
        if now == "nothing":
            raise CannotRun(ErrorKind.UNREACHABLE, "no answer")
        if now != {NEW: "new", OLD: "old"}[subject]:
            return OTHER
        return RIGHT if identity_only or self.works(self.looks) else FAULT

    async def pause(self, seconds: float) -> None:
        self.elapsed += seconds

    async def outlook(self, outgoing: Subject | None = OLD, **settings: object) -> Outlook:
        verify = {"attempts": 5, "consecutive": 3, "identity_timeout": "60s", "interval": "2s", **settings}
        made = Config.model_validate({"target": {"production": NEW.url}, "deploy": {"verify": verify}})
        ctx = Context(
            config=made,
            vercel=None,  # type: ignore[arg-type] -- verification asks production alone
            store=None,  # type: ignore[arg-type]
            progress=Silence(),
            clock=lambda: self.elapsed,
            pause=self.pause,
        )
        return (await verify_production(ctx, self.verify, NEW, outgoing)).outlook


async def test_the_switch_is_waited_for():
    production = Production(lambda look: "old" if look < 10 else "new")
    assert await production.outlook() is Outlook.RIGHT
    assert production.looks == 10 + 3


async def test_an_old_deployment_that_stays_says_nothing_against_the_new_one():
    production = Production(lambda look: "old")
    assert await production.outlook() is Outlook.NOT_SEEN
    assert production.elapsed == 60


@pytest.mark.parametrize("shown", ["nothing", "third"])
async def test_what_shows_neither_is_wrong_long_before_the_time_is_over(shown):
    production = Production(lambda look: shown)
    assert await production.outlook() is Outlook.WRONG
    assert production.elapsed < 30


@pytest.mark.parametrize(
    ("works", "outlook"),
    [
        ("xxx", Outlook.RIGHT),
        (".xxx", Outlook.RIGHT),
        ("..xxx", Outlook.RIGHT),
        ("x.xxx", Outlook.RIGHT),
        ("xx.xx", Outlook.WRONG),
        ("...", Outlook.WRONG),
        ("xx.x.", Outlook.WRONG),
    ],
)
async def test_as_many_passes_in_a_row_as_wanted(works, outlook):
    production = Production(lambda look: "new", lambda look: works[look - 2 : look - 1] == "x")
    assert await production.outlook() is outlook
    assert production.looks <= 1 + 5


async def test_it_stops_when_enough_in_a_row_cannot_come_any_more():
    production = Production(lambda look: "new", lambda look: False)
    await production.outlook()
    assert production.looks == 1 + 3


async def test_an_edge_that_flaps_between_old_and_new_is_not_a_fault_of_the_new_one():
    production = Production(lambda look: "new" if look % 2 else "old")
    assert await production.outlook() is Outlook.NOT_SEEN


async def test_two_deployments_of_one_commit_cannot_hide_a_fault():
    twin = NEW.model_copy(update={"deployment_id": "dpl_old"})

    async def verify(subject: Subject, *, identity_only: bool) -> StageReport:
        return RIGHT if identity_only else FAULT

    production = Production(lambda look: "new")
    production.verify = verify  # type: ignore[method-assign]
    assert await production.outlook(twin) is Outlook.WRONG


@pytest.mark.parametrize("nothing_checked", [report(), report(skipped())])
async def test_a_pass_that_checked_nothing_is_not_right(nothing_checked):
    async def verify(subject: Subject, *, identity_only: bool) -> StageReport:
        return RIGHT if identity_only and subject == NEW else nothing_checked

    production = Production(lambda look: "new")
    production.verify = verify  # type: ignore[method-assign]
    assert await production.outlook() is Outlook.WRONG


async def test_a_pass_that_hangs_is_ended():
    async def verify(subject: Subject, *, identity_only: bool) -> StageReport:
        await asyncio.Event().wait()
        raise AssertionError

    production = Production(lambda look: "new")
    production.verify = verify  # type: ignore[method-assign]
    assert await production.outlook(None, pass_timeout="1ms") is Outlook.WRONG
