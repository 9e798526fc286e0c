"""Environments as the set-up step would have made them: the distributions of a lock, Gonogo, and nothing else.

They consist of links into the environment that the tests run in, so they cost no time; but what a lock does not name
cannot be imported, so a job that asks for too few extras fails here as it would on GitHub.
"""

from __future__ import annotations

import re
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "requirements"
BOOTSTRAP = "bootstrap"
"""The lock of what installs everything else; it stays in the environment."""
READY = ".ready"
"""The mark of a complete environment, by which the set-up step knows that nothing is left to install."""
WAIT_S = 30
VERSIONS = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)", re.MULTILINE)
"""A pin in a lock: the package and its version."""
SITE = Path(sysconfig.get_paths()["purelib"])


def restore(folder: Path, extras: Iterable[str]) -> None:
    """Make the environment of these extras in `folder`. Raises AssertionError for an extra without a lock."""
    wanted = {"gonogo"}
    for extra in (BOOTSTRAP, *extras):
        lock = LOCKS / f"{extra}.txt"
        assert lock.is_file(), f"{extra} has no lock in {LOCKS}"
        wanted |= {canonical(name) for name, _ in VERSIONS.findall(lock.read_text())}
    site = folder / SITE.relative_to(sys.prefix)
    programs = folder / "bin"
    try:
        programs.mkdir(parents=True)
    except FileExistsError:  # jobs side by side share this machine, as they would not on GitHub
        _await(folder / READY)
        return
    site.mkdir(parents=True)
    version = ".".join(map(str, sys.version_info[:3]))
    base = Path(sys.base_prefix) / "bin"
    (folder / "pyvenv.cfg").write_text(f"home = {base}\ninclude-system-site-packages = false\nversion = {version}\n")
    for name in ("python", "python3"):
        (programs / name).symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    installed = {canonical(item.name): item for item in distributions(path=[str(SITE)])}
    shared = Counter(top for item in installed.values() for top in _tops(item))
    for name in sorted(wanted & installed.keys()):
        for path in _files(installed[name]):
            if path.parts[0] == "..":
                _program(SITE / path, programs)
            else:
                parts = path.parts[: 2 if shared[path.parts[0]] > 1 else 1]
                _link(SITE.joinpath(*parts), site.joinpath(*parts))
    (folder / READY).touch()


def _await(path: Path) -> None:
    end = time.monotonic() + WAIT_S
    while not path.exists():
        assert time.monotonic() < end, f"{path} was not made within {WAIT_S} s"
        time.sleep(0.02)


def _program(source: Path, programs: Path) -> None:
    """A program of a distribution; a script gets the new environment's interpreter."""
    source = source.resolve()
    target = programs / source.name
    if source.parent != Path(sys.prefix, "bin").resolve() or target.exists() or not source.is_file():
        return
    with source.open("rb") as opened:
        first = opened.readline()
        if not first.startswith(b"#!"):
            target.symlink_to(source)
            return
        target.write_bytes(f"#!{programs / 'python'}\n".encode() + opened.read())
    target.chmod(0o755)


def _link(source: Path, target: Path) -> None:
    if not target.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)


def _files(item: Distribution) -> Iterator[Path]:
    for file in item.files or ():
        path = Path(str(file))
        if "__pycache__" not in path.parts[:1]:
            yield path


def _tops(item: Distribution) -> set[str]:
    return {path.parts[0] for path in _files(item)} - {".."}


def canonical(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
