"""Restores the environment of the extras that the key names: their locked distributions and no others.

The key is noted in `caches/asked`. Nothing is restored when the test says STANDIN_CACHE=cold, or for a key of another
kind.
"""

import contextlib
import os
import re
import sys
import sysconfig
from pathlib import Path

key, folder = os.environ["KEY"], Path(os.environ["CACHED"].replace("~", os.environ["HOME"], 1)).absolute()
with Path(os.environ["STANDIN_FOLDER"], "caches", "asked").open("a") as asked:
    asked.write(f"{key}\n")
named = re.fullmatch(r"gonogo-\w+-(?:\w+-)?py[\d.]+-(?P<extras>[a-z+]+)-[0-9a-f]{8,}", key)
hit = bool(named) and os.environ.get("STANDIN_CACHE") != "cold"
if hit:
    tests = Path(os.environ["STANDIN_TESTS"])
    age = int(Path(sysconfig.get_paths()["purelib"]).stat().st_mtime)
    made = tests / ".cache" / "environments" / f"{key}-{age}"
    if not (made / ".ready").exists():
        sys.path.insert(0, str(tests))
        from tests.workflows.environment import restore

        restore(made, named["extras"].split("+"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # jobs side by side share this machine, as they would not on GitHub
        folder.symlink_to(made)
with Path(os.environ["GITHUB_OUTPUT"]).open("a") as out:
    out.write(f"cache-hit={'true' if hit else ''}\n")
