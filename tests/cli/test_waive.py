"""`gonogo waive`, as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.config import load_config
from tests.cli.test_cli import fill, gonogo
from tests.runs import failed

CONFIG = """# what Gonogo is told
version: 1
target:
  production: https://a.example   # the real one
  identity: {path: /api/health, json: commit}
smoke:
  pages: ["/", '/login']  # both
gate:
  required: [smoke]
  # the owner's decision of last spring
  fail_on: high
"""
BY = ("--owner", "ana", "--reason", "known: see the minutes", "--expires", "2099-01-31")
FINGERPRINT = failed().findings[0].fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path, good=False)
    (tmp_path / "gonogo.yaml").write_text(CONFIG)
    return tmp_path


def test_the_finding_is_waived_and_every_line_stays_as_it_was(folder: Path) -> None:
    assert gonogo("gate", cwd=folder).returncode == 1
    done = gonogo("waive", FINGERPRINT, *BY, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "waived by ana until 2099-01-31: smoke/health: it is broken" in done.stdout
    text = (folder / "gonogo.yaml").read_text()
    assert text.startswith(CONFIG)
    (waiver,) = load_config(folder / "gonogo.yaml").gate.waivers
    assert (waiver.fingerprint, waiver.owner, waiver.reason) == (FINGERPRINT, "ana", "known: see the minutes")
    assert gonogo("gate", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ("target: {production: https://a.example}\n", 0),
        ("target: {production: https://a.example}\ngate: {required: [smoke]} # short\n", 0),
        (
            "target: {production: https://a.example}\ngate:\n  waivers:\n"
            "    # old\n    - fingerprint: '0123456789012345'\n"
            "      owner: bo\n      reason: r\n      expires: 2099-01-01\n",
            1,
        ),
    ],
)
def test_any_layout_of_the_file_is_borne(tmp_path: Path, config: str, kept: int) -> None:
    (tmp_path / "gonogo.yaml").write_text(config)
    for fingerprint in ("1234567890123456", "12345678901234e5"):  # numbers, were they not quoted
        assert gonogo("waive", fingerprint, *BY, cwd=tmp_path).returncode == 0
    waivers = load_config(tmp_path / "gonogo.yaml").gate.waivers
    assert len(waivers) == kept + 2
    text = (tmp_path / "gonogo.yaml").read_text()
    assert all(comment in text for comment in ("# short", "# old") if comment in config)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((FINGERPRINT[:-1] + ("0" if FINGERPRINT[-1] != "0" else "1"), *BY), f"did you mean `{FINGERPRINT}`?"),
        ((FINGERPRINT, *BY[:-1], "2020-01-01"), "is past"),
        ((FINGERPRINT, *BY[:-1], "soon"), "does not match the format"),
        ((FINGERPRINT, *BY[2:]), "Missing option '--owner'"),
        ((FINGERPRINT, "--owner", "", *BY[2:]), "gate.waivers.0.owner"),
    ],
)
def test_a_waiver_that_is_not_right_is_not_written(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    done = gonogo("waive", *arguments, cwd=folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert (folder / "gonogo.yaml").read_text() == CONFIG
    assert {path.name for path in folder.iterdir()} == {"gonogo.yaml", "evidence"}


def test_a_finding_is_waived_once(folder: Path) -> None:
    assert gonogo("waive", FINGERPRINT, *BY, cwd=folder).returncode == 0
    done = gonogo("waive", FINGERPRINT, *BY, cwd=folder)
    assert done.returncode == 2
    assert "is waived already" in done.stderr
