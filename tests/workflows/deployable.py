"""Starts the demo application as a deployment: `python deployable.py SETTINGS.json`.

The file holds `settings` for every deployment, and `by_commit` for those built from one commit, flaws above all.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(path: str) -> None:
    given = json.loads(Path(path).read_text())
    of_commit = given["by_commit"].get(os.environ["VERCEL_GIT_COMMIT_SHA"], {})
    environ = {**os.environ, **given["settings"], **of_commit}
    command = [sys.executable, "-m", "demo", "serve", "--port", "0", "--until-eof"]
    os.execve(sys.executable, command, environ)  # this process' standard input is the deployment's lifeline


if __name__ == "__main__":
    main(sys.argv[1])
