"""Copies one artifact by name into `path`, or several by pattern into folders below it (or all together)."""

import fnmatch
import os
import shutil
import sys
from pathlib import Path

folder, run = Path(os.environ["STANDIN_FOLDER"]), os.environ["RUN"]
there = folder / "runs" / run if run and run != os.environ["GITHUB_RUN_ID"] else folder / "artifacts"
if run and not os.environ["TOKEN"]:
    sys.exit("::error::another run's artifacts need a token")
name, target = os.environ["NAME"], Path(os.environ["TARGET"])
if name:
    if not (there / name).is_dir():
        sys.exit(f"::error::Unable to download artifact(s): Artifact not found for name: {name}")
    shutil.copytree(there / name, target, dirs_exist_ok=True)
    sys.exit(0)
for artifact in sorted(there.iterdir()) if there.is_dir() else ():
    if fnmatch.fnmatch(artifact.name, os.environ["PATTERN"] or "*"):
        together = os.environ["MERGE"] == "true"
        shutil.copytree(artifact, target if together else target / artifact.name, dirs_exist_ok=True)
