"""The set-up step without a cache: it installs the job's extras from the lock, and says how long that took."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.workflows.acting import BIN, Act, act, for_act
from tests.workflows.checkout import Repository
from tests.workflows.environment import ROOT

WORKFLOW = """
name: Small
on: [push]
permissions: {}
jobs:
  only:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: {persist-credentials: false}
      - id: setup
        uses: ./.github/actions/setup
        with: {extras: deploy}
      - run: |
          gonogo --version
          "$GONOGO_VENV/bin/python" -c "import httpx"
          ! "$GONOGO_VENV/bin/python" -c "import locust"
"""


async def test_the_cold_way(tmp_path: Path) -> None:
    parts = ("ci", "requirements", ".github/actions/setup")
    files: dict[str, str | bytes | Path] = {
        str(path.relative_to(ROOT)): for_act(path.read_text()) if path.suffix == ".yml" else path
        for part in parts
        for path in (ROOT / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
    }
    repository = Repository.make(
        tmp_path / "repository", {**files, ".github/workflows/small.yml": WORKFLOW}, remote="acme/small"
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").symlink_to(BIN / "uv")
    cache = subprocess.run([str(BIN / "uv"), "cache", "dir"], capture_output=True, text=True, timeout=20, check=True)
    environ = {"STANDIN_CACHE": "cold", "UV_OFFLINE": "1", "UV_CACHE_DIR": cache.stdout.strip()}
    what = Act(workflow="small.yml", event="push", repository=repository, environ=environ, programs=programs)
    run = await act(what, tmp_path / "act")
    if "network was disabled" in run.text():
        pytest.skip("uv's cache lacks what the lock names: `make setup` fills it where it can reach the index")
    assert run.jobs == {"only": "success"}, run.text()
    assert re.search(r"set-up of deploy took \d+\.\d s \(installed anew\)", run.text())
    assert float(run.outputs[("only", "seconds")]) > 0
    [key] = (tmp_path / "act" / "caches" / "asked").read_text().split()
    assert key == run.outputs[("only", "key")]
