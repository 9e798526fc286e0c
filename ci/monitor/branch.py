"""A history on an orphan branch: a folder of its own that is pushed by compare-and-swap.

Git refuses a push that does not build on what is there. Then the newer state is fetched, the lines are added to it,
and the push is tried again: nothing is lost, and what arrived although its answer was lost is not added twice.
"""

from __future__ import annotations

import asyncio
import base64
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ci.engine.tools import ToolRun, run_tool
from ci.errors import CannotRun, ConfigError
from ci.model import ErrorKind
from ci.monitor.day import Day
from ci.monitor.facts import Delivery, Round
from ci.monitor.folder import LOCK, FolderHistory, month_file
from ci.monitor.history import Reading

GIT_TIMEOUT_S = 60.0
PUSH_TIMEOUT_S = 120.0
"""For all tries together, while others push at the same time."""
_LONGEST_PAUSE_S = 3.0
_TRIES_WHEN_UNCLEAR = 3
"""For a push that failed for another reason than a race: the network may be better in a moment."""
_LOST_THE_RACE = ("[rejected]", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")
_NO_BRANCH = "couldn't find remote ref"
_OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")

Change = Callable[[FolderHistory], Awaitable[None]]


@asynccontextmanager
async def branch_history(
    branch: str, remote: str, repository: Path, environ: Mapping[str, str], *, to_read: bool = False
) -> AsyncIterator[BranchHistory]:
    """The history on this branch of the repository's remote; the branch is made by the first round.

    Raises ConfigError when there is no such remote, CannotRun when it does not answer.
    """
    if not branch:
        raise ConfigError("the history's branch has no name; write branch:NAME, as in branch:gonogo-history")
    asked = await run_tool(
        ["git", "remote", "get-url", remote], timeout_s=GIT_TIMEOUT_S, cwd=repository, ok=range(256), env=dict(environ)
    )
    if asked.exit_code:
        raise ConfigError(
            f"the history is to be kept on the branch {branch} of the git remote `{remote}`, which is not known here "
            f"({asked.stderr.strip()[-200:] or 'git says nothing'}); "
            "run inside the repository, name its remote in monitor.history.remote, or give a folder with --history"
        )
    url = asked.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="gonogo-history-", ignore_cleanup_errors=True) as folder:
        history = BranchHistory(Path(folder), branch, _environment(environ, url), to_read=to_read)
        await history.begin(url)
        yield history


class BranchHistory:
    """See `ci.monitor.history.History`. Every change is on the remote when its method returns."""

    def __init__(self, folder: Path, branch: str, env: Mapping[str, str], *, to_read: bool = False) -> None:
        self._branch = branch
        self._env = env
        self._root = folder
        self._folder = FolderHistory(folder)
        self._whole = False
        self._unpushed = False
        self._to_read = to_read
        self._one_at_a_time = asyncio.Lock()

    async def begin(self, url: str) -> None:
        """Make the working folder and fetch what is there: the roll-ups, and the records of two months."""
        await self._git("init", "--quiet", f"--initial-branch={self._branch}")
        (self._root / ".git" / "info" / "exclude").write_text(f"{LOCK}\n*.new\n", encoding="utf-8")
        await self._git("remote", "add", "origin", url)
        months = {month_file(day) for day in (_begin_of_last_month(), datetime.now(UTC).date())}
        patterns = ["/*", "!/probes-*", *(f"/{name}" for name in sorted(months))]
        await self._git("sparse-checkout", "set", "--no-cone", *patterns)
        await self._pull()

    async def append(self, round_: Round) -> None:
        await self._publish(lambda folder: folder.append(round_), f"round {round_.id}")

    def telling(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        await self._publish(lambda folder: folder.deliver(deliveries), "deliveries")

    async def keep(self, days: Iterable[Day]) -> None:
        kept = tuple(days)
        if self._to_read:
            return
        await self._publish(lambda folder: folder.keep(kept), "roll-ups")

    async def read(self, since: date | None = None, until: date | None = None) -> Reading:
        if since is None or since < _begin_of_last_month():
            await self._widen()
        async with self._one_at_a_time:
            return await self._folder.read(since, until)

    async def begins(self) -> date | None:
        await self._widen()
        async with self._one_at_a_time:
            return await self._folder.begins()

    async def _widen(self) -> None:
        """Fetch the records of all months, too."""
        async with self._one_at_a_time:
            if not self._whole:
                await self._git("sparse-checkout", "disable")
                self._whole = True

    async def deliveries(self) -> tuple[Delivery, ...]:
        async with self._one_at_a_time:
            return await self._folder.deliveries()

    async def days(self) -> tuple[Day, ...]:
        async with self._one_at_a_time:
            return await self._folder.days()

    async def _publish(self, change: Change, message: str) -> None:
        async with self._one_at_a_time:
            await self._pushed(change, message)

    async def _pushed(self, change: Change, message: str) -> None:
        """Make the change, on top of whatever is there."""
        deadline = time.monotonic() + PUSH_TIMEOUT_S
        pause, unclear = 0.1, 0
        while True:
            if self._unpushed:
                await self._pull()
            await change(self._folder)
            await self._git("add", "--all", ".")
            if (await self._git("diff", "--cached", "--quiet", ok=(0, 1))).exit_code == 0:
                return
            await self._git("commit", "--quiet", "--message", message)
            self._unpushed = True
            pushed = await self._git("push", "--quiet", "origin", f"HEAD:refs/heads/{self._branch}", ok=range(256))
            if pushed.exit_code == 0:
                self._unpushed = False
                return
            unclear += not any(sign in pushed.stderr for sign in _LOST_THE_RACE)
            if unclear >= _TRIES_WHEN_UNCLEAR or time.monotonic() > deadline:
                raise CannotRun(
                    ErrorKind.UNREACHABLE,
                    f"the history cannot be pushed to the branch {self._branch}: {pushed.stderr.strip()[-400:]}; "
                    "the workflow needs `contents: write`",
                )
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - it only has to differ from the others'
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _pull(self) -> None:
        """Make the folder what the branch is, without anything of ours."""
        there = f"refs/remotes/origin/{self._branch}"
        fetched = await self._git(
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--filter=blob:none"),
            *("origin", f"+refs/heads/{self._branch}:{there}"),
            ok=range(256),
        )
        if fetched.exit_code == 0:
            await self._git("reset", "--quiet", "--hard", there)
        elif _NO_BRANCH not in fetched.stderr:
            raise CannotRun(
                ErrorKind.UNREACHABLE,
                f"the history's branch {self._branch} cannot be fetched: {fetched.stderr.strip()[-400:]}",
            )
        elif self._unpushed:
            await self._git("update-ref", "-d", "HEAD")
            await self._git("rm", "-r", "--force", "--quiet", ".")
        self._unpushed = False
        (self._root / "days").mkdir(exist_ok=True)

    async def _git(self, *arguments: str, ok: Sequence[int] = (0,)) -> ToolRun:
        return await run_tool(["git", *arguments], timeout_s=GIT_TIMEOUT_S, cwd=self._root, env=self._env, ok=ok)


def _begin_of_last_month() -> date:
    return (datetime.now(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)


def _environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """What git is told, by environment so that no token stands in a command line."""
    settings = {
        "user.name": "gonogo",
        "user.email": "gonogo@users.noreply.github.com",
        "commit.gpgsign": "false",
        "gc.auto": "0",
    }
    server = environ.get("GITHUB_SERVER_URL") or "https://github.com"
    if (token := environ.get("GITHUB_TOKEN")) and url.startswith(f"{server}/"):
        credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        settings[f"http.{server}/.extraheader"] = f"Authorization: Basic {credentials}"
    env = {name: value for name, value in environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    env |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(len(settings))}
    for place, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return env
