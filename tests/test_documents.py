"""What the documents say is what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ci.cli import cli
from ci.cli.session import Exit
from ci.config import load_config
from ci.deploy.transitions import EXIT_CODES, mermaid

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_drawn_transitions_are_those_of_the_code() -> None:
    drawn = (ROOT / "ARCHITECTURE.md").read_text().partition("<!-- transitions -->\n```mermaid\n")[2]
    assert drawn.partition("```")[0] == mermaid()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_names_commands_that_exist() -> None:
    named = set(re.findall(r"gonogo ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named
    assert named <= set(cli.commands)


def test_the_readme_tells_the_exit_codes() -> None:
    told = dict(re.findall(r"\*\*(\d+)\*\* ([A-Za-z -]+)", (ROOT / "README.md").read_text()))
    assert {int(code) for code in told} == {code.value for code in Exit} - {Exit.INTERRUPTED}
    assert set(EXIT_CODES.values()) <= {code.value for code in Exit}


def test_the_example_configurations_are_valid(tmp_path: Path) -> None:
    load_config(ROOT / "demo" / "gonogo.yaml")
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        load_config(path)


def test_no_file_names_a_registry_or_this_machine() -> None:
    hosts = re.compile(r"(pyp[i]|pythonhoste[d]|npmj[s]|deb\.debia[n])\.(org|com)|/wor[k]/|/roo[t]/")
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        assert not hosts.search(text), path
