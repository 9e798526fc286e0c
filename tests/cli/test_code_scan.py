"""`gonogo check security --only code` and `--only live`, as a user meets them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import gonogo
from tests.security.scanners.checkouts import Checkout
from tests.servers import answers, serving

PYTHON_ALONE = """target: {production: https://a.example}
security: {code: {leave_out: [security/secrets-tree, security/secrets-history]}}
"""


def scanned(checkout: Checkout, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    home = str(checkout.root.parent)  # what a tool caches there is no part of the repository
    done = gonogo("check", "security", "--only", "code", "--json", *arguments, cwd=checkout.root, HOME=home)
    return done, json.loads(done.stdout)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "shop").write({"a.py": "print(1)\n", ".gitignore": "evidence/\n"})
    made.commit()
    return made


def test_sound_code_is_a_partial_go_without_any_target(checkout: Checkout) -> None:
    done, told = scanned(checkout)
    assert done.returncode == 0, done.stdout
    assert told["verdict"]["decision"] == "GO"
    assert told["verdict"]["partial"]
    (report,) = told["reports"]
    assert report["left_out"] == "the live probes of the target"
    assert {r["spec"]["id"] for r in report["results"]} == {
        *("security/secrets-tree", "security/secrets-history", "security/python-code", "security/workflows"),
        *("security/python-dependencies", "security/node-dependencies"),
    }
    assert report["subject"]["commit"] == checkout.git("rev-parse", "HEAD")
    assert (checkout.root / "evidence" / "gonogo.sarif").exists()


def test_a_finding_is_no_go_and_a_waiver_by_path_lets_it_pass(checkout: Checkout) -> None:
    checkout.write({"gonogo.yaml": PYTHON_ALONE, "a.py": "import pickle\npickle.loads(body)\n"})
    done, told = scanned(checkout)
    assert done.returncode == 1
    assert [reason["check_id"] for reason in told["verdict"]["reasons"]] == ["security/python-code"]
    waiver = "{check: security/python-code, path: a.py, owner: ana, reason: own data, expires: 2099-01-01}"
    checkout.write({"gonogo.yaml": f"{PYTHON_ALONE}gate: {{waivers: [{waiver}]}}\n"})
    done, told = scanned(checkout)
    assert done.returncode == 0
    assert any("waived by ana" in note["message"] for note in told["verdict"]["notes"])


def test_a_scanner_without_an_answer_is_hold(checkout: Checkout) -> None:
    checkout.write({"gonogo.yaml": PYTHON_ALONE, "bad.py": "def broken(:\n"})
    done, told = scanned(checkout)
    assert done.returncode == 3
    assert "could not parse bad.py" in told["verdict"]["reasons"][0]["message"]


def test_of_a_pull_request_only_what_it_adds_decides(checkout: Checkout) -> None:
    checkout.write({"gonogo.yaml": PYTHON_ALONE, "old.py": "import pickle\npickle.loads(body)\n"}).commit()
    checkout.git("switch", "--quiet", "--create", "change")
    checkout.write({"new.py": "print(2)\n"}).commit()
    assert scanned(checkout)[0].returncode == 1
    done, told = scanned(checkout, "--since", "main")
    assert done.returncode == 0
    assert "older than main" in told["reports"][0]["left_out"]
    assert scanned(checkout, "--since", "no-such-branch")[0].returncode == 3


def test_outside_a_repository_is_hold(tmp_path: Path) -> None:
    done = gonogo("check", "security", "--only", "code", cwd=tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert done.returncode == 3
    assert "no git repository" in done.stdout


@pytest.mark.parametrize("stages", [(), ("smoke",), ("security", "smoke")])
def test_a_part_is_a_part_of_the_security_stage(tmp_path: Path, stages: tuple[str, ...]) -> None:
    done = gonogo("check", *stages, "--only", "code", cwd=tmp_path)
    assert done.returncode == 2
    assert "write `gonogo check security --only code`" in done.stderr


async def test_the_live_part_leaves_the_code_alone(checkout: Checkout) -> None:
    async with serving({"*": answers("<title>hello</title>hi")}) as url:
        done = await asyncio.to_thread(
            gonogo, "check", "security", "--only", "live", "--url", url, "--json", cwd=checkout.root
        )
    told = json.loads(done.stdout)
    report = next(report for report in told["reports"] if report["stage"] == "security")
    assert report["left_out"] == "the scan of the code"
    assert not any("secrets-tree" in result["spec"]["id"] for result in report["results"])
    assert told["verdict"]["partial"]
