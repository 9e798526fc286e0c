"""What others' tools say about the workflows: zizmor, the published schemas, shellcheck, and GitHub's own parser.

Each must have examined every file, find nothing, and find something in a file that is broken on purpose.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.npm import installed
from tests.workflows.acting import BIN, STANDINS
from tests.workflows.environment import ROOT
from tests.workflows.policy import File

GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))
PARSER = Path(__file__).with_name("parser")
TIMEOUT = 120


def run(*command: str | Path, cwd: Path = ROOT, input: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT, input=input
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A repository whose one workflow has something for every tool."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (GITHUB / "workflows" / "ci-cd.yml").read_text()
    for good, bad in (
        ("run: gonogo workflow plan", "run: echo ${{ github.head_ref }} $undefined"),
        ("needs.plan.outputs.since", "needs.plann.outputs.since"),
        ("runs-on: ubuntu-24.04", "runs_on: ubuntu-24.04"),
    ):
        assert good in text
        text = text.replace(good, bad, 1)
    (folder / "ci-cd.yml").write_text(text)
    shutil.copy(GITHUB / "workflows" / "gate.yml", folder)
    return tmp_path


def zizmor(folder: Path) -> tuple[set[str], list[str]]:
    """The files that it has examined, and what it found."""
    options = ("--offline", "--persona", "auditor", "--strict-collection", "--format", "json")
    done = run(BIN / "zizmor", *options, ".", cwd=folder)
    examined = set(re.findall(r"completed (?:\./)?(\S+)", done.stderr))
    assert done.returncode in (0, 11, 12, 13, 14), done.stderr
    return examined, [finding["ident"] for finding in json.loads(done.stdout)]


def test_zizmor_finds_nothing() -> None:
    examined, found = zizmor(GITHUB)
    assert len(examined) == len([*WORKFLOWS, *ACTIONS, "dependabot.yml"]), examined
    assert found == []


def test_zizmor_finds_an_injection(tmp_path: Path) -> None:
    text = (GITHUB / "workflows" / "ci-cd.yml").read_text()
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "ci-cd.yml").write_text(text.replace("run: gonogo workflow plan", "run: echo ${{ github.head_ref }}"))
    assert "template-injection" in zizmor(tmp_path)[1]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", [*ACTIONS, *sorted(STANDINS.rglob("action.yml"))]),
        ("vendor.dependabot", [GITHUB / "dependabot.yml"]),
    ],
)
def test_the_schemas_are_kept(schema: str, files: list[Path]) -> None:
    assert files
    done = run(BIN / "check-jsonschema", "--builtin-schema", schema, *files)
    assert done.returncode == 0, done.stdout


def test_the_schema_notices(broken: Path) -> None:
    file = broken / ".github" / "workflows" / "ci-cd.yml"
    done = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", file)
    assert done.returncode == 1
    assert "runs_on" in done.stdout


def shellcheck(files: list[Path]) -> tuple[int, str]:
    """How many scripts there were, and what was found in them. GitHub adds `set -e -o pipefail` for `shell: bash`."""
    scripts = list(_scripts(files))
    found = ""
    for place, script in scripts:
        done = run(
            BIN / "shellcheck", "-s", "bash", "-S", "style", "-f", "gcc", "-", input=f"set -eo pipefail\n{script}"
        )
        found += "".join(f"{place}: {line}\n" for line in done.stdout.splitlines())
    return len(scripts), found


def _scripts(files: list[Path]) -> Iterator[tuple[str, str]]:
    seen = set()
    for path in files:
        for job, step in File(path.name, path.read_text()).steps():
            if "run" in step and step["run"] not in seen:
                seen.add(step["run"])
                yield f"{path.name}: {job}", step["run"]


def test_shellcheck_finds_nothing() -> None:
    examined, found = shellcheck([*WORKFLOWS, *ACTIONS, *STANDINS.rglob("action.yml")])
    assert examined > 15
    assert found == ""


def test_shellcheck_notices(broken: Path) -> None:
    _, found = shellcheck([broken / ".github" / "workflows" / "ci-cd.yml"])
    assert "undefined" in found


@pytest.fixture(scope="module")
def parser() -> Path:
    """GitHub's parser, installed once from its lock; the reason is told where that cannot be."""
    return installed(PARSER, "parser", "GitHub's own parser") / "lint.mjs"


def parsed(parser: Path, root: Path, files: list[Path]) -> list[str]:
    done = run("node", parser, root, STANDINS, *files)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["files"] == len(files)
    return [f"{item['file']}:{item['line']}: {item['message']}" for item in answer["found"]]


def test_githubs_parser_finds_nothing(parser: Path) -> None:
    assert parsed(parser, ROOT, WORKFLOWS) == []


def test_githubs_parser_notices(parser: Path, broken: Path) -> None:
    found = parsed(parser, broken, [broken / ".github" / "workflows" / "ci-cd.yml"])
    assert any("plann" in problem for problem in found)
    assert any("runs_on" in problem for problem in found)
