"""Programs by others, installed from a lock by npm's ordinary client."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 300
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENOTCACHED")


def installed(
    sources: Path, name: str, what: str, *, needs: Sequence[str] = ("node", "npm"), bearable: str = ""
) -> Path:
    """The folder `.cache/<name>` with the sources and their packages; installed once, and again when the lock changes.

    Skips the test, with the reason, where that cannot be; `bearable` is one more of npm's error codes that means so.
    """
    if missing := [tool for tool in needs if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not found: install Node.js 20 or newer to run {what}")
    cache = ROOT / ".cache" / name
    cache.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test workers share the folder
        for source in sources.iterdir():
            shutil.copy(source, cache)
        mark = cache / "installed"
        if not mark.exists() or mark.read_text() != wanted:
            _install(cache, (*UNREACHABLE, bearable) if bearable else UNREACHABLE)
            mark.write_text(wanted)
    return cache


def _install(cache: Path, bearable: Sequence[str]) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm ci did not end within {TIMEOUT_S} s: is the npm registry within reach?")
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip())[-500:]
        if any(code in reason for code in bearable):
            pytest.skip(f"npm ci could not install: {reason}")
        pytest.fail(f"npm ci failed: {reason}")
