"""The workflows keep the policy, and every rule of it notices when they do not."""

from __future__ import annotations

import re

import pytest

from tests.workflows.environment import ROOT
from tests.workflows.policy import File, findings

GITHUB = ROOT / ".github"
FILES = [File(path.name, path.read_text()) for path in sorted(GITHUB.glob("workflows/*.yml"))]
ACTIONS = [File(path.parent.name, path.read_text()) for path in sorted(GITHUB.glob("actions/*/action.yml"))]


def test_the_workflows_keep_the_policy() -> None:
    assert {file.name for file in FILES} >= {"ci-cd.yml", "gate.yml", "security-scan.yml", "nightly.yml"}
    assert "setup" in {file.name for file in ACTIONS}
    assert findings([*FILES, *ACTIONS]) == []


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "said"),
    [
        ("ci-cd.yml", r"checkout@\w{40} # v7\.0\.1", "checkout@v7", "not pinned"),
        ("ci-cd.yml", r"checkout@3d3c", "checkout@0000", "not what v7.0.1 was"),
        ("ci-cd.yml", r"run: gonogo workflow plan", "run: gonogo check ${{ github.head_ref }}", "expression inside"),
        ("ci-cd.yml", r"persist-credentials: false", "persist-credentials: true", "keeps the token"),
        ("ci-cd.yml", r"^permissions: \{\}", "permissions: write-all", "permissions on top"),
        ("ci-cd.yml", r"contents: read # to check out", "contents: write # to check out", "more than any job"),
        ("ci-cd.yml", r"statuses: write # .*", "statuses: write", "without its reason"),
        ("ci-cd.yml", r"\n    timeout-minutes: 10", "", "timeout-minutes"),
        ("ci-cd.yml", r"runs-on: ubuntu-24.04", "runs-on: ubuntu-latest", "runs-on"),
        ("ci-cd.yml", r"runs-on: ubuntu-24.04", "runs-on: ubuntu-24.04\n    continue-on-error: true", "continue-on"),
        ("ci-cd.yml", r"runs-on: ubuntu-24.04", "runs-on: ubuntu-24.04\n    container: python:3", "container at"),
        ("ci-cd.yml", r"  pull_request:", "  pull_request_target:", "stranger"),
        ("ci-cd.yml", r"cancel-in-progress: false", "cancel-in-progress: true", "cancel-in-progress"),
        ("ci-cd.yml", r"group: ci-cd-.*", "group: ci-cd", "share a group"),
        ("ci-cd.yml", r"      queue: max.*\n", "", "in no queue"),
        ("ci-cd.yml", r"name: production #", "name: staging #", "wanted: production"),
        ("ci-cd.yml", r"^jobs:", "env: {TOKEN: '${{ secrets.VERCEL_TOKEN }}'}\njobs:", "for every step"),
        ("ci-cd.yml", r"    secrets:\n(      .*\n)+", "    secrets: inherit\n", "hands on every"),
        ("ci-cd.yml", r"run: gonogo reconcile", "run: gonogo reconcile || true", "one `gonogo` command"),
        ("ci-cd.yml", r"if: always\(\)\n    runs-on", "if: success()\n    runs-on", "is left out"),
        (
            "ci-cd.yml",
            r"needs: \[plan, tests, code, stage, gate, tell,",
            "needs: [plan, code, gate,",
            "look at stage, tell",
        ),
        ("ci-cd.yml", r"      id-token: write # .*\n", "", "gate.yml wants id-token"),
        ("gate.yml", r"if: always\(\)", "if: success()", "evidence is not kept"),
        ("nightly.yml", r'cron: "22 2', 'cron: "*/15 2', "the schedule"),
        ("nightly.yml", r"  workflow_dispatch:", "  push:", "starts on"),
    ],
)
def test_a_rule_notices(name: str, pattern: str, replacement: str, said: str) -> None:
    broken = []
    for file in FILES:
        text, count = re.subn(pattern, replacement, file.text, flags=re.M) if file.name == name else (file.text, 1)
        assert count, f"{pattern} is not in {name}"
        broken.append(File(file.name, text))
    assert any(said in problem for problem in findings([*broken, *ACTIONS])), findings(broken)
