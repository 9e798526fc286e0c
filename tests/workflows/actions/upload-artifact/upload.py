"""Copies what the patterns find, below their least common folder, to the folder of the artifact."""

import glob
import os
import shutil
import sys
from pathlib import Path

patterns = [line.strip() for line in os.environ["FILES"].splitlines() if line.strip()]
hidden = os.environ["HIDDEN"] == "true"
target = Path(os.environ["STANDIN_FOLDER"], "artifacts", os.environ["NAME"])


def files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return [item for item in found if hidden or not any(part.startswith(".") for part in item.relative_to(base).parts)]


base = Path.cwd()
chosen: set[Path] = set()
for pattern in patterns:
    for match in glob.glob(pattern, recursive=True, include_hidden=hidden):
        absolute = Path(match).absolute()
        base = absolute if absolute.is_dir() else absolute.parent
        chosen.update(files(absolute))
if not chosen:
    level = {"warn": "warning", "error": "error", "ignore": "notice"}[os.environ["IF_NONE"]]
    print(f"::{level}::No files were found with the provided path: {', '.join(patterns)}.")
    sys.exit(1 if level == "error" else 0)
if target.exists():
    if os.environ["OVERWRITE"] != "true":
        sys.exit(f"::error::an artifact with the name {target.name} is already there")
    shutil.rmtree(target)
if len(patterns) == 1:
    only = Path(patterns[0])
    root = only.absolute() if only.is_dir() else next(iter(chosen)).parent
else:
    root = Path(os.path.commonpath([path.parent for path in chosen]))
for path in sorted(chosen):
    copy = target / path.relative_to(root)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
with open(os.environ["GITHUB_OUTPUT"], "a") as out:
    out.write(f"artifact-id={abs(hash(target.name)) % 10**6}\n")
print(f"artifact {target.name}: {len(chosen)} files")
