"""How long a rehearsal takes, as a multiple of its longest chain of stages that depend on each other."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ci.model import Release, StageReport

SETTLING = ("PROMOTE", "CONFIRM", "VERIFY", "FINISH")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        command = [sys.executable, "-m", "ci", "rehearse", "--evidence", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        wall = time.perf_counter() - started
        took = {stage: _report(folder, stage).duration_s for stage in ("smoke", "security", "load")}
        events = Release.model_validate_json((folder / "release.json").read_text()).events
    settling = [event.at for event in events if event.phase in SETTLING]
    promotion = (settling[-1] - settling[0]).total_seconds()
    chain = max(took["smoke"], took["security"]) + took["load"] + promotion
    print(f"rehearsal: {wall / chain:.2f} x its longest chain of dependent stages ({wall:.1f} s against {chain:.1f} s)")
    parts = {**took, "promotion and verification": promotion, "everything else": wall - chain}
    for part, seconds in parts.items():
        print(f"  {part}: {seconds / wall:.0%}")


def _report(folder: Path, stage: str) -> StageReport:
    return StageReport.model_validate_json((folder / f"{stage}.json").read_text())
