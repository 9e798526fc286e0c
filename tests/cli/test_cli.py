"""The command line as a user meets it: a process, its exit code, its two outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci.cli import cli
from ci.engine.evidence import EvidenceStore
from ci.engine.redaction import Redactor
from tests.runs import failed, passed, report
from tests.servers import answers, serving

ROOT = Path(__file__).parents[2]


def gonogo(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(ROOT), "CI": "1", **environ}
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        if name in os.environ:
            env[name] = os.environ[name]
    command = [sys.executable, "-m", "ci", *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    return done


def test_help_needs_none_of_the_heavy_libraries(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ci", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert not imported & {"pydantic", "httpx", "rich", "jinja2", "yaml", "numpy", "pytest", "aiohttp", "stamina"}


def test_every_command_explains_itself() -> None:
    assert set(cli.commands) == {
        *("rehearse", "drill", "check", "gate", "release", "promote", "rollback", "reconcile"),
        *("load", "monitor", "report", "waive", "checks", "explain", "schema", "workflow"),
    }
    assert all(command.help for command in cli.commands.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "smok", "--url", "http://127.0.0.1:1"), "did you mean `smoke`?"),
        (("check",), "there is no such file"),
        (("check", "--url", "app.example.com"), "write it with its scheme"),
        (("check", "--config", "other.yaml", "--url", "http://127.0.0.1:1"), "other.yaml: there is no such file"),
        (("chekc",), "No such command"),
        (("check", "--nonsense"), "No such option"),
        (("explain", "security/htst"), "did you mean `security/hsts`?"),
        (("rehearse", "--flaw", "no-hts"), "did you mean `no-hsts`?"),
        (("rehearse", "--flaw-after-promotion", "slow-under-load"), "verification puts no load on production"),
        (("drill", "no-hts"), "did you mean `no-hsts`?"),
        (("promote",), "Missing option '--deployment'"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_hint(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = gonogo(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_a_broken_configuration_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "gonogo.yaml").write_text("target: {production: https://a.example}\nsmok: {}\n")
    done = gonogo("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "gonogo.yaml:2: unknown key `smok`; did you mean `smoke`?" in done.stderr


def test_an_unreachable_target_is_hold(tmp_path: Path) -> None:
    done = gonogo("check", "--url", "http://127.0.0.1:9", "--json", cwd=tmp_path)
    assert done.returncode == 3
    result = json.loads(done.stdout)
    assert result["verdict"]["decision"] == "HOLD"
    assert "unreachable" in str(result["verdict"]["reasons"])
    assert (tmp_path / "evidence" / "report.html").exists()


async def test_a_check_from_end_to_end(tmp_path: Path) -> None:
    async with serving({"*": answers("<title>hello</title>hi", status=200)}) as url:
        import asyncio

        done = await asyncio.to_thread(gonogo, "check", "security", "--url", url, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "NO-GO" in done.stdout
    assert "security/csp" in done.stdout
    assert "security" in done.stderr, "progress goes to stderr"
    assert {path.name for path in (tmp_path / "evidence").iterdir()} >= {
        *("preflight.json", "security.json", "verdict.json", "report.html", "summary.md", "junit.xml"),
    }


def fill(folder: Path, *, good: bool) -> None:
    from datetime import UTC, datetime

    store = EvidenceStore(folder / "evidence", Redactor())
    now = {"started_at": datetime.now(UTC), "finished_at": datetime.now(UTC)}
    store.write_report(report(passed("preflight/reachable"), stage="preflight", **now))
    store.write_report(report(passed() if good else failed(), **now))
    (folder / "gonogo.yaml").write_text("target: {production: https://a.example}\ngate: {required: [smoke]}\n")


@pytest.mark.parametrize(("good", "code", "word"), [(True, 0, "GO"), (False, 1, "NO-GO")])
def test_the_gate_over_reports_on_disk(tmp_path: Path, good: bool, code: int, word: str) -> None:
    fill(tmp_path, good=good)
    done = gonogo("gate", "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["verdict"]["decision"]) == (code, word)


def test_the_gate_over_nothing_or_damage_or_another_commit_is_hold(tmp_path: Path) -> None:
    fill(tmp_path, good=True)
    assert gonogo("gate", "--commit", "b" * 40, cwd=tmp_path).returncode == 3
    (tmp_path / "evidence" / "smoke.json").write_text("{")
    done = gonogo("gate", cwd=tmp_path)
    assert done.returncode == 3
    assert "smoke.json is not a StageReport" in done.stderr
    done = gonogo("gate", "--evidence", "elsewhere", cwd=tmp_path)
    assert done.returncode == 3
    assert "there are no reports" in done.stderr


@pytest.mark.parametrize(("format_", "mark"), [("md", "#"), ("html", "<!doctype html>"), ("junit", "<testsuites"), ("text", "smoke")])  # fmt: skip
def test_reports_are_rendered_from_the_evidence_folder(tmp_path: Path, format_: str, mark: str) -> None:
    fill(tmp_path, good=False)
    done = gonogo("report", "--format", format_, cwd=tmp_path)
    assert done.returncode == 0
    assert mark in done.stdout.lower()
    assert gonogo("report", "--evidence", "elsewhere", cwd=tmp_path).returncode == 3


def test_the_catalogue_and_one_check(tmp_path: Path) -> None:
    listed = json.loads(gonogo("checks", "--json", cwd=tmp_path).stdout)
    assert any(item["id"] == "security/hsts" for item in listed)
    page = gonogo("explain", "security/hsts", cwd=tmp_path).stdout
    assert "RFC 6797" in page
    assert "gonogo drill no-hsts" in page


def test_the_pages_of_checks_are_those_of_the_code(tmp_path: Path) -> None:
    gonogo("checks", "--write-docs", str(tmp_path / "checks"), cwd=tmp_path)
    made = {path.relative_to(tmp_path / "checks"): path.read_text() for path in (tmp_path / "checks").rglob("*.md")}
    kept = {path.relative_to(ROOT / "docs/checks"): path.read_text() for path in (ROOT / "docs/checks").rglob("*.md")}
    assert made == kept, "run `make docs`"


def test_a_release_without_credentials_names_them(tmp_path: Path) -> None:
    (tmp_path / "gonogo.yaml").write_text("target: {production: https://a.example}\n")
    done = gonogo("release", "--deployment", "dpl_1", cwd=tmp_path)
    assert done.returncode == 2
    assert "VERCEL_TOKEN" in done.stderr


def test_promote_refuses_without_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "gonogo.yaml").write_text("target: {production: https://a.example}\n")
    done = gonogo("promote", "--deployment", "dpl_1", cwd=tmp_path, VERCEL_TOKEN="t" * 24, VERCEL_PROJECT_ID="prj_1")
    assert done.returncode == 3
    assert "run `gonogo check` first" in done.stderr


def test_a_missing_library_is_hold_with_the_extra_that_brings_it(tmp_path: Path) -> None:
    """A job installs only the extras that it needs; what another stage needs is then not there."""
    blocker = "import sys\nfor name in ('aiohttp', 'starlette', 'numpy'):\n    sys.modules[name] = None\n"
    (tmp_path / "sitecustomize.py").write_text(blocker)
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    rehearsed = gonogo("rehearse", cwd=tmp_path, PYTHONPATH=path)
    assert rehearsed.returncode == 3
    assert "pip install 'gonogo[all]'" in rehearsed.stderr
    explained = gonogo("explain", "smoke/login", cwd=tmp_path, PYTHONPATH=path)
    assert explained.returncode == 0
    assert "# smoke/login" in explained.stdout
    assert "not known here" in explained.stderr
