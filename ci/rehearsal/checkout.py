"""Git repositories that hold one fault, for the checks that scan an application's code."""

from __future__ import annotations

import json
import os
import random
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from ci.engine.tools import run_tool

GIT_TIMEOUT_S = 30


class CodeFault(StrEnum):
    """What can be wrong with a repository."""

    LEAK = "secret-in-tree"
    OLD_LEAK = "secret-in-history"
    UNSAFE_CODE = "unsafe-python"
    UNSAFE_WORKFLOW = "unsafe-workflow"
    PYTHON_PACKAGE = "vulnerable-python-package"
    NODE_PACKAGE = "vulnerable-node-package"


SOUND = {"shop/__init__.py": '"""A shop."""\n'}
_UNSAFE_CODE = "import pickle\n\n\ndef load(body):\n    return pickle.loads(body)\n"
_UNSAFE_WORKFLOW = """name: greet
on: pull_request_target
permissions: {}
jobs:
  greet:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.pull_request.title }}"
"""


_DEPENDENCIES = {"lodash": "4.17.4"}
_PACKAGE = {"name": "shop", "version": "1.0.0", "dependencies": _DEPENDENCIES}
_LOCK = {
    "name": "shop",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {"": _PACKAGE, "node_modules/lodash": {"version": "4.17.4", "resolved": "https://a.test/lodash.tgz"}},
}


@asynccontextmanager
async def checkout_with(fault: CodeFault) -> AsyncIterator[Path]:
    """A repository with this fault, for the length of the block."""
    with TemporaryDirectory(prefix="rehearsal-") as folder:
        root = Path(folder) / "shop"
        root.mkdir()
        await _git(root, "init", "--quiet", "--initial-branch=main")
        _write(root, SOUND)
        await _commit(root)
        if fault is CodeFault.OLD_LEAK:
            _write(root, _files_of(fault))
            await _commit(root)
            (root / "settings.env").unlink()
            await _commit(root)
        else:
            _write(root, _files_of(fault))
        yield root


def _files_of(fault: CodeFault) -> dict[str, str]:
    match fault:
        case CodeFault.LEAK | CodeFault.OLD_LEAK:
            return {"settings.env": _secret()}
        case CodeFault.UNSAFE_CODE:
            return {"shop/baskets.py": _UNSAFE_CODE}
        case CodeFault.UNSAFE_WORKFLOW:
            return {".github/workflows/greet.yml": _UNSAFE_WORKFLOW}
        case CodeFault.PYTHON_PACKAGE:
            return {"requirements.txt": "requests==2.19.0\n"}
        case CodeFault.NODE_PACKAGE:
            return {"package.json": json.dumps(_PACKAGE), "package-lock.json": json.dumps(_LOCK, indent=1)}


def _secret() -> str:
    """A token by its form alone: it opens nothing, and is another each time."""
    chance = random.SystemRandom()
    digits, letters = string.digits, string.ascii_letters + string.digits
    parts = [(digits, 12), (digits, 13), (letters, 24)]
    return "BOT=xoxb-" + "-".join("".join(chance.choices(kind, k=count)) for kind, count in parts) + "\n"


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


async def _commit(root: Path) -> None:
    await _git(root, "add", "--all")
    await _git(root, "commit", "--quiet", "--message", "Rehearsed")


async def _git(root: Path, *arguments: str) -> None:
    who = {f"GIT_{role}_{what}": "rehearsal" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    # Nobody's own settings, such as signing each commit, have a part in it.
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    await run_tool(["git", *arguments], timeout_s=GIT_TIMEOUT_S, cwd=root, env={**os.environ, **who, **own})
