"""`gonogo load judge` and `calibrate` as a user meets them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ci.engine.redaction import Redactor
from ci.load import archive
from ci.load.load_run import LoadRun
from tests.cli.test_cli import gonogo
from tests.load.loads import a_run, some_rows
from tests.load.test_archive import recorded, shards
from tests.servers import answers, serving


def kept(folder: Path, run: LoadRun, name: str) -> str:
    path = folder / name
    path.write_bytes(archive.pack(recorded(run), Redactor()))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "code", "decision"), [({}, 0, "GO"), ({"slower": 0.4}, 1, "NO-GO"), ({"rate": 4.0}, 3, "HOLD")]
)
def test_judging_again_exits_as_the_check_did(tmp_path: Path, kind: dict[str, float], code: int, decision: str) -> None:
    done = gonogo("load", "judge", kept(tmp_path, a_run(some_rows(1, **kind)), "s.zip"), "--json", cwd=tmp_path)
    assert done.returncode == code
    told = json.loads(done.stdout)
    assert told["verdict"]["decision"] == decision
    assert told["verdict"]["partial"], "samples alone promote nothing"
    left = json.loads((tmp_path / "evidence" / "load.json").read_text())
    assert left["finished_at"] == "2026-05-01T12:00:20Z", "as fresh as the samples"
    assert (tmp_path / "evidence" / "report.html").exists()


def test_shards_are_judged_together(tmp_path: Path) -> None:
    files = [kept(tmp_path, run, f"{n}.zip") for n, run in enumerate(shards(some_rows(3, slower=0.3), 2))]
    assert gonogo("load", "judge", *files, cwd=tmp_path).returncode == 1
    missing = gonogo("load", "judge", files[0], cwd=tmp_path)
    assert missing.returncode == 3
    assert "wanted is each of the 2 shards once" in missing.stderr


def test_a_file_that_is_none_of_ours_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_bytes(b"PK nonsense")
    done = gonogo("load", "judge", "s.zip", cwd=tmp_path)
    assert done.returncode == 3
    assert "s.zip: it is no whole file of samples" in done.stderr
    assert gonogo("load", "judge", cwd=tmp_path).returncode == 2


async def test_calibrating_proposes_a_tolerance(tmp_path: Path) -> None:
    (tmp_path / "gonogo.yaml").write_text(
        "target: {production: 'https://app.example'}\nload: {users: 10, rate: 10, warm_up: 300ms, duration: 2s}\n"
    )
    async with serving({"*": answers("ok")}) as one, serving({"*": answers("ok")}) as other:
        done = await asyncio.to_thread(
            gonogo, "load", "calibrate", "--url", one, "--baseline", other, "--runs", "2", "--json", cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["runs"] == 2
    assert 0 <= told["alarm_rate"]["low"] <= told["alarm_rate"]["high"] <= 1
    assert told["proposed_delta"] >= 0.02
    assert "run 2 of 2: " in done.stderr
