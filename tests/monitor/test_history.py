"""Every place that keeps a history: nothing lost, nothing twice, whoever writes at the same time and whoever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from ci.config.shape.monitor import History as Settings
from ci.errors import CannotRun, ConfigError
from ci.monitor.days import chronicle
from ci.monitor.facts import Delivery
from ci.monitor.folder import folder_history, month_file
from ci.monitor.history import History, Reading, open_history
from ci.monitor.rules import Rules
from tests.monitor.records import BEGIN, a_round, minute

Open = Callable[[], AbstractAsyncContextManager[History]]
PLACES = ("folder", "sqlite", "postgres", "branch")


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens a history, the same each time."""
    named = {"folder": str(tmp_path / "history"), "sqlite": f"sqlite:///{tmp_path}/history.db", "branch": "branch:told"}
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        schema = f"h{os.getpid()}_{abs(hash(request.node.name))}"
        subprocess.run([sys.executable, "-c", _SCHEMA, url, schema], check=True)
        named["postgres"] = f"{url}?options=-csearch_path%3D{schema}"
    repository = a_repository(tmp_path) if request.param == "branch" else tmp_path
    return lambda: open_history(named[request.param], Settings(), dict(os.environ), repository)


_SCHEMA = "import psycopg, sys; psycopg.connect(sys.argv[1], autocommit=True).execute(f'CREATE SCHEMA {sys.argv[2]}')"


def a_repository(folder: Path) -> Path:
    """A clone of a bare repository that has no history yet."""
    for command in (
        ["git", "init", "--quiet", "--bare", "bare.git"],
        ["git", "clone", "--quiet", "bare.git", "clone"],
    ):
        subprocess.run(command, cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return folder / "clone"


async def test_what_is_written_is_read(place: Open) -> None:
    async with place() as history:
        assert (await history.read()).records == ()
        await history.append(a_round(0))
        await history.append(a_round(1))
        await history.append(a_round(0))
        first = (await history.read()).records
    assert first == (*a_round(0).records, *a_round(1).records)
    async with place() as history:
        assert (await history.read()).records == first
        assert (await history.read((BEGIN + timedelta(days=1)).date())).records == ()


async def test_many_rounds_at_once_are_all_there_once(place: Open) -> None:
    rounds = [a_round(0, run=f"run{number}") for number in range(4)]

    async def write(number: int) -> None:
        async with place() as history:
            await history.append(rounds[number])

    await asyncio.gather(*(write(number) for number in range(4)))
    async with place() as history:
        records = (await history.read()).records
    assert sorted(r.key for r in records) == sorted(r.key for made in rounds for r in made.records)


async def test_who_was_told_is_known_once(place: Open) -> None:
    opened = Delivery(incident="i", event="opened", channel="issue", at=minute(0), reference="7")
    closed = opened.model_copy(update={"event": "closed", "at": minute(1)})
    async with place() as history:
        assert await history.deliveries() == ()
        await asyncio.gather(history.deliver([opened]), history.deliver([opened]), history.deliver([]))
        await history.deliver([opened, closed])
    async with place() as history:
        assert await history.deliveries() == (opened, closed)


async def test_days_that_are_over_are_kept_until_a_record_comes_late(place: Open) -> None:
    rules = Rules()
    now = BEGIN + timedelta(days=3, hours=1)
    async with place() as history:
        await history.append(a_round(0))
        await history.append(a_round(1, at=minute(2 * 1440 + 7)))
        first = await chronicle(history, rules, now, 900)
        assert [day.day for day in await history.days()] == [(BEGIN + timedelta(days=n)).date() for n in (0, 1)]
        assert (await chronicle(history, rules, now, 900)).days == first.days
        await history.append(a_round(2, at=minute(1440 + 7)))
        assert len(await history.days()) == 1
        again = await chronicle(history, rules, now, 900)
    assert [day.rounds for day in first.days] == [1, 0, 1, 0]
    assert [day.rounds for day in again.days] == [1, 1, 1, 0]


async def test_what_a_clock_ahead_of_ours_wrote_has_yet_to_come(tmp_path: Path) -> None:
    """The clock was put back an hour: what was well "later" must not hide what is down now."""
    now = minute(60)
    async with folder_history(tmp_path) as history:
        for number, words in enumerate(("u", "d", "d", "d", "u", "u", "u", "u")):
            await history.append(a_round(number, words=words))
        (today,) = (await chronicle(history, Rules(), now, 900)).days
        assert (len(today.open), today.rounds) == (1, 4)
        (later,) = (await chronicle(history, Rules(), minute(120), 900)).days
        assert (len(later.open), later.rounds) == (0, 8)


async def test_other_rules_tell_the_days_again(tmp_path: Path) -> None:
    now = BEGIN + timedelta(days=2)
    async with folder_history(tmp_path) as history:
        for number in range(4):
            await history.append(a_round(number, words="d"))
        strict = await chronicle(history, Rules(open_after=9), now, 900)
        usual = await chronicle(history, Rules(), now, 900)
    assert [len(day.open) for day in strict.days] == [0, 0]
    assert [len(day.open) for day in usual.days] == [1, 1]


async def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    """A write can be cut off at any byte: what was acknowledged before and what is written after are whole."""
    before, torn, after = a_round(0), a_round(1), a_round(2)
    lines = "".join(record.line() for record in torn.records).encode()
    for cut in range(0, len(lines), 7):
        folder = tmp_path / str(cut)
        async with folder_history(folder) as history:
            await history.append(before)
            with (folder / month_file(BEGIN.date())).open("ab") as file:
                file.write(lines[:cut])
            await history.append(after)
            reading = await history.read()
        told = {record.key for record in reading.records}
        assert {record.key for record in (*before.records, *after.records)} <= told
        assert reading.corrupt <= 1
        assert len(told) + reading.corrupt >= len(before.records) + len(after.records) + lines[:cut].count(b"\n")


async def test_who_only_reads_a_folder_needs_no_leave_to_write(tmp_path: Path) -> None:
    """Another's archive, or one on a medium that cannot be written; here the lock is what cannot be made."""
    (tmp_path / "kept").mkdir()
    async with folder_history(tmp_path / "kept") as history:
        await history.append(a_round(1))
    (tmp_path / "kept" / ".lock").unlink()
    (tmp_path / "kept" / ".lock").mkdir()
    async with open_history(str(tmp_path / "kept"), Settings(), {}, tmp_path, to_read=True) as history:
        assert len((await history.read()).records) == 4
    async with open_history(str(tmp_path / "none"), Settings(), {}, tmp_path, to_read=True) as history:
        assert await history.read() == Reading(())
    assert not (tmp_path / "none").exists()
    async with folder_history(tmp_path / "kept") as history:
        with pytest.raises(CannotRun, match="cannot be written"):
            await history.append(a_round(2))


async def test_lines_that_are_no_records_are_skipped_and_counted(tmp_path: Path) -> None:
    async with folder_history(tmp_path) as history:
        await history.append(a_round(0))
        path = tmp_path / month_file(BEGIN.date())
        with path.open("ab") as file:
            file.write(b'{"v":9}\n\x00\xff\x00\nnot JSON\n\n')
        assert (await history.read()).corrupt == 3
        (tmp_path / "deliveries.jsonl").write_text("torn")
        assert await history.deliveries() == ()
        (tmp_path / "days" / "2026-11-02.json").write_text("{")
        told = await chronicle(history, Rules(), BEGIN + timedelta(days=1, hours=3), 900)
    assert (told.corrupt, told.days[0].rounds) == (3, 1)


_WRITER = """
import asyncio, sys
from pathlib import Path
from ci.monitor.folder import folder_history
from tests.monitor.records import a_round

async def main(name, first, count):
    async def one(number):
        async with folder_history(Path(sys.argv[1])) as history:
            await history.append(a_round(0, run=f"{name}-{number}"))
            print(f"{name}-{number}", flush=True)
    if count:
        await asyncio.gather(*(one(number) for number in range(count)))
    while not count:
        await one(first)
        first += 1

asyncio.run(main(sys.argv[2], 0, int(sys.argv[3])))
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_twenty_rounds_of_four_processes_at_once_are_all_there_once(tmp_path: Path) -> None:
    writers = [writer(tmp_path, f"p{number}", 5) for number in range(4)]
    told = [name for one in writers for name in one.communicate(timeout=60)[0].split()]
    assert len(told) == 20
    async with folder_history(tmp_path) as history:
        reading = await history.read()
    wanted = sorted(record.key for name in told for record in a_round(0, run=name).records)
    assert (sorted(record.key for record in reading.records), reading.corrupt) == (wanted, 0)
    lines = (tmp_path / month_file(BEGIN.date())).read_bytes().splitlines()
    assert len(lines) == len(wanted)


async def test_what_was_written_survives_a_kill_and_the_next_round_repairs(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for life in range(3):
        one = writer(tmp_path, f"life{life}", 0)
        assert one.stdout
        acknowledged += [one.stdout.readline().strip() for _ in range(5 + 9 * life)]
        one.send_signal(signal.SIGKILL)
        acknowledged += one.communicate(timeout=60)[0].split()
    async with folder_history(tmp_path) as history:
        await history.append(a_round(0, run="next"))
        reading = await history.read()
    told = {record.key for record in reading.records}
    assert {record.key for name in [*acknowledged, "next"] for record in a_round(0, run=name).records} <= told
    assert reading.corrupt <= 3


async def test_a_branch_has_no_history_but_its_own(tmp_path: Path) -> None:
    repository = a_repository(tmp_path)
    async with open_history("branch:told", Settings(), dict(os.environ), repository) as history:
        await history.append(a_round(0))
        await history.append(a_round(1))
    listed = git(tmp_path / "bare.git", "ls-tree", "-r", "--name-only", "told").split()
    assert listed == [month_file(BEGIN.date())]
    assert len(git(tmp_path / "bare.git", "rev-list", "told").split()) == 2
    assert git(tmp_path / "bare.git", "branch", "--list").split() == ["told"]
    assert git(repository, "status", "--porcelain", "--branch").split()[0] == "##"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


async def test_who_only_reads_a_branch_pushes_nothing(tmp_path: Path) -> None:
    repository = a_repository(tmp_path)
    now = BEGIN + timedelta(days=3)
    for to_read, commits in ((False, 1), (True, 1), (False, 2)):
        async with open_history("branch:told", Settings(), dict(os.environ), repository, to_read=to_read) as history:
            if commits == 1 and not to_read:
                await history.append(a_round(0))
                continue
            told = await chronicle(history, Rules(), now, 900)
        assert [day.rounds for day in told.days] == [1, 0, 0]
        assert len(git(tmp_path / "bare.git", "rev-list", "told").split()) == commits


async def test_a_push_that_is_refused_is_said_with_what_to_do(tmp_path: Path) -> None:
    repository = a_repository(tmp_path)
    hook = tmp_path / "bare.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'branches are protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    async with open_history("branch:told", Settings(), dict(os.environ), repository) as history:
        with pytest.raises(CannotRun, match=r"(?s)protected.*contents: write"):
            await history.append(a_round(0))
        hook.unlink()
        await history.append(a_round(0))
    listed = git(tmp_path / "bare.git", "show", f"told:{month_file(BEGIN.date())}").splitlines()
    assert len(listed) == len(a_round(0).records)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("branch:", "no name"),
        ("branch:told", "git remote `origin`"),
        ("url:NOT_SET", "NOT_SET is not set"),
        ("ftp://somewhere", "cannot be kept at a ftp: URL"),
    ],
)
async def test_a_place_that_is_none_is_a_matter_of_configuration(tmp_path: Path, named: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        async with open_history(named, Settings(), {"PATH": os.environ["PATH"]}, tmp_path):
            pass


async def test_a_place_that_cannot_be_written_is_said_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="give another place with --history"):
        async with folder_history(tmp_path / "file"):
            pass
    password = "-".join(("not", "to", "be", "told"))
    with pytest.raises(CannotRun) as caught:
        async with open_history(f"postgresql://me:{password}@127.0.0.1:1/none", Settings(), {}, tmp_path):
            pass
    assert password not in str(caught.value)
