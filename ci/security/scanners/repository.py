"""The repository that is scanned: its files, and what a change adds to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind

GIT_TIMEOUT_S = 60.0
_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class Change:
    """What has been added since a revision: lines by file, or the whole file where there are no lines to tell."""

    since: str
    base: str
    """Id of the commit that the change begins at."""
    added: Mapping[str, tuple[range, ...] | None]

    def touches(self, path: str, first: int, last: int) -> bool:
        """Whether any of these lines of the file is new."""
        if path not in self.added:
            return False
        lines = self.added[path]
        return lines is None or any(new.start <= last and first < new.stop for new in lines)


@dataclass(frozen=True, slots=True)
class Repository:
    """A git working tree. Paths are relative to its root, with forward slashes."""

    root: Path
    commit: str
    tracked: tuple[str, ...]
    untracked: tuple[str, ...]
    excluded: int = 0
    """Files that the configuration leaves out."""
    change: Change | None = None

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted((*self.tracked, *self.untracked)))

    def named(self, *patterns: str) -> tuple[str, ...]:
        """The files whose path, or whose name alone, is like one of the patterns."""
        return tuple(f for f in self.files if any(fnmatchcase(f, p) or fnmatchcase(Path(f).name, p) for p in patterns))

    def read(self, path: str) -> str:
        """A file that must be UTF-8 text. Raises CannotRun."""
        try:
            return (self.root / path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"{path} cannot be read as text: {type(error).__name__}") from error

    async def git(self, *arguments: str, ok: Sequence[int] = (0,)) -> str:
        return await git(self.root, *arguments, ok=ok)


async def open_repository(folder: Path, *, since: str | None = None, exclude: Sequence[str] = ()) -> Repository:
    """The working tree around `folder`; `since` names a revision that the change is counted from.

    Ignored files are not part of it. Raises CannotRun when there is none, or when parts of it are not here.
    """
    try:
        root = Path((await git(folder, "rev-parse", "--show-toplevel")).strip())
        commit = (await git(root, "rev-parse", "--verify", "HEAD")).strip()
    except CannotRun as error:
        if error.kind is not ErrorKind.TOOL_FAILED:
            raise
        message = f"there is no git repository with a commit here; run this in a checkout of the application ({error})"
        raise CannotRun(ErrorKind.MISCONFIGURED, message) from None
    _refuse_submodules(await git(root, "ls-files", "--stage", "-z"), exclude)
    tracked = _present(root, await git(root, "ls-files", "-t", "-z"))
    untracked = _files(root, _names(await git(root, "ls-files", "--others", "--exclude-standard", "-z")))
    change = await _change(root, since, untracked) if since else None
    wanted, unwanted = _sorted_out(tracked, exclude)
    also_wanted, also_unwanted = _sorted_out(untracked, exclude)
    return Repository(root, commit, wanted, also_wanted, unwanted + also_unwanted, change)


async def git(folder: Path, *arguments: str, ok: Sequence[int] = (0,)) -> str:
    """The output of a git command in this folder. Raises CannotRun."""
    return (await run_tool(["git", *arguments], timeout_s=GIT_TIMEOUT_S, cwd=folder, ok=ok)).stdout


def _refuse_submodules(listing: str, exclude: Sequence[str]) -> None:
    """The code of a submodule is deployed with the rest, but its files are another repository's."""
    names = [entry.partition("\t")[2] for entry in _names(listing) if entry.startswith("160000 ")]
    if unseen := [name for name in names if not any(fnmatchcase(name, pattern) for pattern in exclude)]:
        message = (
            f"the code of the submodule {unseen[0]} is no part of what is scanned here: scan its own repository, "
            "and name it in security.code.exclude"
        )
        raise CannotRun(ErrorKind.MISCONFIGURED, message)


def _present(root: Path, listing: str) -> tuple[str, ...]:
    """Tracked files that are there. A sparse checkout would hide the others from every scanner."""
    entries = [(entry[0], entry[2:]) for entry in _names(listing)]
    if hidden := [name for tag, name in entries if tag == "S" and not (root / name).exists()]:
        message = f"{len(hidden)} tracked files are not checked out, {hidden[0]} for one; scan a full checkout"
        raise CannotRun(ErrorKind.MISCONFIGURED, message)
    return _files(root, [name for _, name in entries])


def _files(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Without what was deleted, submodules, and links, whose goals are listed themselves when they are ours."""
    return tuple(dict.fromkeys(n for n in names if (root / n).is_file() and not (root / n).is_symlink()))


def _sorted_out(names: Sequence[str], exclude: Sequence[str]) -> tuple[tuple[str, ...], int]:
    wanted = tuple(name for name in names if not any(fnmatchcase(name, pattern) for pattern in exclude))
    return wanted, len(names) - len(wanted)


def _names(listing: str) -> list[str]:
    names = [name for name in listing.split("\0") if name]
    if unreadable := [name for name in names if "\ufffd" in name]:
        message = f"the name of {unreadable[0]} is not UTF-8, so the file cannot be scanned: rename it"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message)
    return names


async def _change(root: Path, since: str, untracked: Sequence[str]) -> Change:
    try:
        base = (await git(root, "merge-base", "--end-of-options", since, "HEAD")).strip()
    except CannotRun as error:
        if error.kind is not ErrorKind.TOOL_FAILED:
            raise
        message = f"--since {since}: no common commit is known here; fetch that branch and the history (fetch-depth: 0)"
        raise CannotRun(ErrorKind.MISCONFIGURED, message) from None
    options = ("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", base, "--")
    names = _names(await git(root, "diff", "--name-only", "-z", *options))
    added = added_lines(await git(root, "diff", "--unified=0", *options), names)
    return Change(since, base, {**added, **dict.fromkeys(untracked)})


def added_lines(diff: str, names: Sequence[str]) -> dict[str, tuple[range, ...] | None]:
    """The new lines of each file in a diff without context. `names` are its files, in its order.

    Names are not read from the diff, which quotes unusual ones. A file without hunks counts as wholly new.
    """
    # A line of content begins with + or -, so this can be a header alone.
    sections = re.split(r"^diff --git .*\n", diff, flags=re.MULTILINE)[1:]
    if len(sections) != len(names):
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"git names {len(names)} changed files, but shows {len(sections)}")
    return {name: _new_lines(section) for name, section in zip(names, sections, strict=True)}


def _new_lines(section: str) -> tuple[range, ...] | None:
    hunks = [match for line in section.split("\n") if (match := _HUNK.match(line))]
    if not hunks:
        return None
    return tuple(range(int(h[1]), int(h[1]) + int(h[2] or 1)) for h in hunks if h[2] != "0")
