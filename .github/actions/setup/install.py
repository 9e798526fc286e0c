"""The one set-up step: choose a folder by the locks, fill it unless the cache did, put `gonogo` on the path.

    install.py place     decides folder and key, for actions/cache
    install.py install   installs what the folder lacks, and says how long everything took

Nothing but Python's own library is used: nothing is installed yet.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

BOOTSTRAP = "bootstrap.txt"
READY = ".ready"
"""Marks a folder whose installation came to its end; the Makefile uses the same name."""
BEGAN = time.time()
STEP_S = 900.0
"""Seconds for one program; then the set-up has hung."""


class Wrong(Exception):
    """The set-up cannot go on; the message says why."""


def extras_of(text: str, root: Path) -> tuple[str, ...]:
    """The names in a list separated by commas, sorted. Raises Wrong for one that has no lock."""
    names = tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))
    locks = sorted(path.stem for path in (root / "requirements").glob("*.txt") if path.name != BOOTSTRAP)
    if not names or set(names) - set(locks):
        raise Wrong(f"extras: {text!r} was given; wanted one or more of {', '.join(locks)}, separated by commas")
    return names


def key_of(root: Path, extras: tuple[str, ...], *, browser: bool, vercel: bool) -> str:
    """What the folder's content depends on: system, Python, the locks, and what else is in it."""
    digest = hashlib.sha256()
    for path in lock_files(root, extras, vercel=vercel):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    kept = "+".join((*extras, *(["browser"] if browser else []), *(["vercel"] if vercel else [])))
    digest.update(kept.encode())
    python = ".".join(map(str, sys.version_info[:2]))
    system = os.environ.get("RUNNER_OS") or platform.system()
    return f"gonogo-{system}-py{python}-{'+'.join(extras)}-{digest.hexdigest()[:16]}"


def lock_files(root: Path, extras: tuple[str, ...], *, vercel: bool) -> list[Path]:
    """The files that say what is installed."""
    names = [BOOTSTRAP, *(f"{extra}.txt" for extra in extras)]
    names += ["vercel/package-lock.json"] if vercel else []
    return [root / "requirements" / name for name in names]


def folder_of(key: str) -> Path:
    """Where it is installed. The same on every runner: a virtual environment knows its own path."""
    return Path.home() / ".cache" / "gonogo" / key


def install(root: Path, folder: Path, extras: tuple[str, ...], *, browser: bool, vercel: bool) -> None:
    """Fill the folder from the locks, with every hash checked."""
    requirements, python = root / "requirements", str(folder / "bin" / "python")
    uv = uv_on_path(requirements / BOOTSTRAP)
    run(sys.executable, "-m", "venv", "--clear", *(["--without-pip"] if uv else []), str(folder))
    if uv is None:
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, "--require-hashes", "-r", str(requirements / BOOTSTRAP))
        uv = str(folder / "bin" / "uv")
    locks = [argument for extra in extras for argument in ("-r", str(requirements / f"{extra}.txt"))]
    run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", *locks)
    if "dev" in extras:
        own = ("--no-deps", "--no-build-isolation", "--editable", str(root))
        run(uv, "pip", "install", "--quiet", "--python", python, *own)
    if vercel:
        modules = folder / "vercel"
        modules.mkdir()
        for name in ("package.json", "package-lock.json"):
            (modules / name).write_bytes((requirements / "vercel" / name).read_bytes())
        run("npm", "ci", "--prefix", str(modules), "--no-audit", "--no-fund", "--ignore-scripts")
    if browser:
        # Beside the environment, so that the cache keeps it as well. A runner with a Chrome of its own needs none.
        env = {**os.environ, "PYTHONPATH": str(root), "PLAYWRIGHT_BROWSERS_PATH": str(folder / "browsers")}
        run(python, "-m", "ci.engine.browser", "--install", env=env)


def uv_on_path(bootstrap: Path) -> str | None:
    """The uv that is there already, when it is of the locked version."""
    wanted = re.search(r"^uv==(\S+)", bootstrap.read_text(encoding="utf-8"), re.MULTILINE)
    found = shutil.which("uv")
    if not (wanted and found):
        return None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=STEP_S, check=False).stdout
    return found if told.split()[1:2] == [wanted[1]] else None


def launcher(root: Path, folder: Path, place: Path) -> Path:
    """A `gonogo` that runs the checked-out code on the installed libraries."""
    place.mkdir(parents=True, exist_ok=True)
    path = place / "gonogo"
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH="{root}${{PYTHONPATH:+:$PYTHONPATH}}" exec "{folder}/bin/python" -m ci "$@"\n',
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a program to its end. Raises Wrong when it fails or hangs."""
    try:
        subprocess.run(command, check=True, timeout=STEP_S, stdin=subprocess.DEVNULL, env=env)
    except (OSError, subprocess.SubprocessError) as error:
        raise Wrong(f"{Path(command[0]).name} did not do what it should: {error}") from None


def tell(variable: str, **values: object) -> None:
    """Write outputs or settings for the steps that follow."""
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())


def main(step: str) -> None:
    root = Path(__file__).resolve().parents[3]
    extras = extras_of(os.environ.get("EXTRAS", ""), root)
    wants = {name.lower(): os.environ.get(name) == "true" for name in ("BROWSER", "VERCEL")}
    key = key_of(root, extras, browser=wants["browser"], vercel=wants["vercel"])
    folder = folder_of(key)
    if step == "place":
        tell("GITHUB_OUTPUT", key=key, folder=folder, started=time.time())
        return
    cached = (folder / READY).exists()
    if not cached:
        install(root, folder, extras, **wants)
    # The mark comes last; the Makefile takes a folder for complete whose mark is younger than the locks.
    (folder / READY).touch()
    place = Path(os.environ.get("RUNNER_TEMP", folder)) / "gonogo" / "bin"
    launcher(root, folder, place)
    if path := os.environ.get("GITHUB_PATH"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(
                f"{entry}\n" for entry in (folder / "vercel" / "node_modules" / ".bin", folder / "bin", place)
            )
    settings = {"GONOGO_VENV": folder}
    if wants["browser"] and (folder / "browsers").is_dir():
        settings["PLAYWRIGHT_BROWSERS_PATH"] = folder / "browsers"
    tell("GITHUB_ENV", **settings)
    seconds = max(0.0, time.time() - float(os.environ.get("STARTED") or BEGAN))
    tell("GITHUB_OUTPUT", seconds=f"{seconds:.1f}")
    origin = "from the cache" if cached else "installed anew"
    print(f"set-up of {', '.join(extras)} took {seconds:.1f} s ({origin})")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Wrong as problem:
        sys.exit(f"set-up: {problem}")
