"""How long `gonogo --help` takes, as a multiple of starting Python at all."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def main() -> None:
    bare, help_ = [], []
    for _ in range(ROUNDS):  # in turn, so that both see the same machine
        bare.append(_seconds(sys.executable, "-c", "pass"))
        help_.append(_seconds(sys.executable, "-m", "ci", "--help"))
    one, other = statistics.median(bare), statistics.median(help_)
    print(f"gonogo --help: {other / one:.1f} x the start of Python ({other * 1000:.0f} ms against {one * 1000:.0f} ms)")


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
