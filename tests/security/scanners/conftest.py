from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ci.security.scanners import programs
from tests.security.scanners.advisories import Advisories, advisories_served
from tests.security.scanners.checkouts import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "shop")


@pytest.fixture
async def advisories() -> AsyncIterator[Advisories]:
    async with advisories_served() as served:
        yield served


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a program of one's own in the place of a tool, a shell script by its text; the other tools stay."""
    folder, real = tmp_path / "pretended", programs.FOLDER

    def put(tool: str, script: str) -> None:
        if not folder.exists():
            folder.mkdir()
            for name in ("bandit", "detect-secrets", "kingfisher", "pip-audit", "zizmor"):
                (folder / name).symlink_to(real / name)
            monkeypatch.setattr(programs, "FOLDER", folder)
            monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        (folder / tool).unlink(missing_ok=True)
        (folder / tool).write_text(f"#!/bin/sh\n{script}\n")
        (folder / tool).chmod(0o755)

    return put
