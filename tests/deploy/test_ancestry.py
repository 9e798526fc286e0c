"""Git's word on which commit is older."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci.deploy.ancestry import git_ancestry


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True, timeout=20
    )
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-b", "main")
    return tmp_path


async def test_the_older_commit_is_known(clone):
    first, second = commit(clone, "one"), commit(clone, "two")
    git(clone, "checkout", "-b", "side", first)
    side = commit(clone, "aside")
    is_ancestor = git_ancestry(clone)
    assert await is_ancestor(first, second) is True
    assert await is_ancestor(second, first) is False
    assert (await is_ancestor(side, second), await is_ancestor(second, side)) == (False, False)


@pytest.mark.parametrize("unknown", ["f" * 40, "", "--help"])
async def test_what_git_does_not_know_is_no_answer(clone, unknown):
    assert await git_ancestry(clone)(commit(clone, "one"), unknown) is None


async def test_without_a_clone_there_is_no_answer(tmp_path):
    assert await git_ancestry(tmp_path)("a" * 40, "b" * 40) is None
