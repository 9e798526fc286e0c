"""How old the locks are, by a resolver that answers from files."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from ci.errors import CannotRun
from ci.workflow import freshness as fresh

UV = """#!/bin/sh
echo "$@" >> asked
case "$*" in
  *--exclude-newer*) cat before ;;
  *) cat now ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two locks, and a `uv` that reads its answers from `now` and `before`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text(UV)
    (tmp_path / "bin" / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "requirements").mkdir()
    lock(tmp_path, "a", "old==1.9", "held==1.0", "Recent_Name==1.0")
    lock(tmp_path, "b", "old==1.10")
    (tmp_path / "now").write_text("old==2.0\nheld==1.0\nrecent-name==1.0.1\nnew==1.0\n")
    (tmp_path / "before").write_text("old==1.10\nheld==1.0\nrecent-name==1.0\n")
    return tmp_path


def lock(root: Path, name: str, *pins: str) -> None:
    lines = (f"{pin} ; python_version < '4' \\\n    --hash=sha256:00\n    # via x\n" for pin in pins)
    (root / "requirements" / f"{name}.txt").write_text("".join(lines))


async def test_what_could_be_newer_and_for_how_long(root: Path) -> None:
    found = await fresh.freshness(root, date(2026, 6, 1))
    told = [(lag.name, str(lag.pinned), str(lag.newest), lag.overdue) for lag in found.lags]
    assert told == [("old", "1.9", "2.0", True), ("recent-name", "1.0", "1.0.1", False)]
    assert "--exclude-newer 2026-04-02" in (root / "asked").read_text()
    page = fresh.page(found)
    assert "3 pinned packages were compared; 2 could be newer, 1 of them for more than 60 days" in page
    assert "| `old` | 1.9 | 2.0 | overdue |" in page


async def test_no_answer_is_not_freshness(root: Path) -> None:
    (root / "now").write_text("old==2.0\n")
    with pytest.raises(CannotRun, match="1 of 3 pinned"):
        await fresh.freshness(root)
    (root / "now").unlink()
    with pytest.raises(CannotRun, match="uv ended with"):
        await fresh.freshness(root)
    for path in (root / "requirements").iterdir():
        path.unlink()
    with pytest.raises(CannotRun, match="pins anything"):
        await fresh.freshness(root)


def test_the_projects_own_locks_are_read() -> None:
    folder = Path(__file__).parents[2] / "requirements"
    found = fresh.pins(path.read_text() for path in folder.glob("*.txt"))
    assert {"httpx", "pydantic", "uv"} <= set(found)
