"""Whole releases, as `make rehearse` runs them: the command as a process, its evidence, and what is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ci.model import Release, ReleaseEnd, StageReport, Verdict

ROOT = Path(__file__).parents[2]
MARK = "GONOGO_TEST_MARK"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ci", "rehearse", *arguments]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment with a mark, by which every process that a rehearsal leaves behind would be found."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), MARK: str(tmp_path), "CI": "1"}


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert survivors(tmp_path) == []


def survivors(tmp_path: Path) -> list[str]:
    """Processes that still run with this test's folder in their command, working directory or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            where = [process.cwd(), *process.cmdline(), process.environ().get(MARK, "")]
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if process.pid != os.getpid() and any(str(tmp_path) in text for text in where):
            found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


class Evidence:
    """What a rehearsal left in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verdict = Verdict.model_validate_json((folder / "verdict.json").read_text())
        self.release = Release.model_validate_json((folder / "release.json").read_text())

    def report(self, stage: str) -> StageReport:
        return StageReport.model_validate_json((self.folder / f"{stage}.json").read_text())


def rehearse(tmp_path: Path, environ: dict[str, str], *arguments: str) -> tuple[int, Evidence, str]:
    done = subprocess.run(command(*arguments), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, Evidence(tmp_path / "evidence"), done.stdout + done.stderr


@pytest.mark.timed
def test_a_sound_candidate_goes_to_production(tmp_path: Path, environ: dict[str, str]) -> None:
    code, evidence, told = rehearse(tmp_path, environ)
    assert code == 0, told
    assert evidence.verdict.decision == "GO"
    assert evidence.release.end is ReleaseEnd.PROMOTED
    assert evidence.release.serving == evidence.release.candidate.deployment_id
    assert "GO" in told
    for stage in ("preflight", "smoke", "security", "load", "verification"):
        assert evidence.report(stage).outcome == "pass", stage
    assert evidence.report("load").plots
    page = (evidence.folder / "report.html").read_text()
    assert not re.search(r"""(?:src|href)=["']https?://(?!localhost)""", page), "the report asks nobody for anything"


def test_a_flawed_candidate_leaves_production_alone_and_no_secret_behind(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    code, evidence, told = rehearse(tmp_path, environ, "--flaw", "no-hsts", "--flaw", "stack-trace")
    assert code == 1, told
    assert evidence.verdict.decision == "NO-GO"
    blamed = {reason.check_id for reason in evidence.verdict.reasons if reason.decision == "NO-GO"}
    assert {"security/hsts", "smoke/error-body"} <= blamed
    assert evidence.report("load").not_run
    assert evidence.release.end is ReleaseEnd.NO_GO
    secret = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|whsec_[0-9a-f]{32}|__Host-session=[\w.-]{8,}")
    for path in (path for path in evidence.folder.rglob("*") if path.is_file()):
        assert not secret.search(path.read_text(errors="replace")), path
    assert not secret.search(told)
    assert evidence.release.previous
    assert evidence.release.serving == evidence.release.previous.deployment_id


@pytest.mark.timed
def test_what_shows_in_production_alone_is_rolled_back(tmp_path: Path, environ: dict[str, str]) -> None:
    code, evidence, told = rehearse(tmp_path, environ, "--flaw-after-promotion", "open-profile")
    assert code == 20, told
    assert evidence.verdict.decision == "GO", "the candidate's own URL does not show it"
    assert evidence.release.end is ReleaseEnd.ROLLED_BACK
    assert evidence.release.previous
    assert evidence.release.serving == evidence.release.previous.deployment_id
    assert any("smoke/protected-api" in event.message for event in evidence.release.events)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("deploying the demo", signal.SIGINT),
        ("smoke: started", signal.SIGINT),
        ("smoke: started", signal.SIGTERM),
        ("load: started", signal.SIGINT),
    ],
)
def test_an_interruption_ends_everything(
    tmp_path: Path, environ: dict[str, str], moment: str, number: signal.Signals
) -> None:
    with subprocess.Popen(command(), cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        told = ""
        for line in process.stderr:
            told += line
            if moment in line:
                process.send_signal(number)
                break
        told += process.stderr.read()
    assert process.returncode == 130, told
    assert "Traceback" not in told
    if "started" in moment:
        verdict = json.loads((tmp_path / "evidence" / "verdict.json").read_text())
        assert verdict["decision"] == "HOLD"
        assert any("interrupted" in reason["message"] for reason in verdict["reasons"])


def test_the_backends_end_even_when_gonogo_is_killed(tmp_path: Path, environ: dict[str, str]) -> None:
    with subprocess.Popen(command(), cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "security: started" in line:
                break
        family = psutil.Process(process.pid).children(recursive=True)
        demos = [child for child in family if "demo" in child.cmdline()]
        assert len(demos) == 3, "a baseline, a candidate, the outside services"
        process.kill()
    _, alive = psutil.wait_procs(demos, timeout=30)
    assert alive == []
    for child in family:  # what had no lifeline is ended here
        if child.is_running():
            child.kill()
    psutil.wait_procs(family, timeout=30)
