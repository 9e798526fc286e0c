"""Finding a Chrome or Chromium on this machine, and getting one when there is none.

`python -m ci.engine.browser` prints what it finds; with `--install` it also tries to get one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci.engine.tools import run_tool
from ci.errors import CannotRun
from ci.model import ErrorKind

VARIABLE = "GONOGO_BROWSER"
"""Environment variable with the path of the browser to use."""

INSTALL_TIMEOUT_S = 600.0
"""Seconds for one way of getting a browser."""

NAMES = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome")
PLACES = (
    "/opt/google/chrome/chrome",
    "/usr/lib/chromium/chromium",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_DOWNLOADED = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
)

QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
)
"""Arguments that keep a browser from talking to anybody but the pages it is shown."""


def find_browser(environ: Mapping[str, str]) -> Path:
    """The browser to use: the one in GONOGO_BROWSER, an installed one, or Playwright's own download.

    Raises CannotRun(TOOL_MISSING) when there is none, with what to do about it.
    """
    if named := environ.get(VARIABLE):
        if found := shutil.which(named, path=environ.get("PATH")):
            return Path(found)
        raise CannotRun(
            ErrorKind.TOOL_MISSING, f"{VARIABLE} names {named}, but there is no program; correct or unset it"
        )
    for name in NAMES:
        if found := shutil.which(name, path=environ.get("PATH")):
            return Path(found)
    for place in (*map(Path, PLACES), *_downloads(environ)):
        if os.access(place, os.X_OK):
            return place
    raise CannotRun(
        ErrorKind.TOOL_MISSING,
        f"no Chrome or Chromium was found; install one, name one in {VARIABLE}, "
        "or run `python -m ci.engine.browser --install`",
    )


def arguments() -> list[str]:
    """Arguments for a browser on this machine: containers have a small /dev/shm, and for root there is no sandbox."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*QUIET, "--disable-dev-shm-usage", *(["--no-sandbox"] if as_root else [])]


async def install(environ: Mapping[str, str]) -> Path:
    """Get a browser: by Playwright's own download, else by Debian's package. Raises CannotRun when neither works."""
    failures = []
    for what, commands in _ways(environ):
        print(f"getting a browser: {what} …", flush=True)  # noqa: T201
        try:
            for command in commands:
                await run_tool(command, timeout_s=INSTALL_TIMEOUT_S, env=environ)
            return find_browser(environ)
        except CannotRun as reason:
            last = str(reason).strip().splitlines()[-1][-300:]
            failures.append(f"{what}: {last}")
            print(f"  that did not work: {last}", flush=True)  # noqa: T201
    raise CannotRun(ErrorKind.TOOL_MISSING, "no browser could be had; " + "; ".join(failures))


def _ways(environ: Mapping[str, str]) -> list[tuple[str, list[list[str]]]]:
    ways = [("Playwright's own download", [[sys.executable, "-m", "playwright", "install", "chromium"]])]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get", path=environ.get("PATH")):
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        ways.append(("Debian's package `chromium`", [["apt-get", "update"], install]))
    return ways


def _downloads(environ: Mapping[str, str]) -> list[Path]:
    """Playwright's downloads, the newest first."""
    home = Path(environ.get("HOME") or Path.home())
    folders = [home / ".cache/ms-playwright", home / "Library/Caches/ms-playwright"]
    if named := environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        folders = [Path(named)]
    found = [path for folder in folders for pattern in _DOWNLOADED for path in folder.glob(pattern)]
    return sorted(found, key=_revision, reverse=True)


def _revision(path: Path) -> int:
    """The build number in the folder name `chromium-1234`."""
    name = next((part for part in reversed(path.parts) if part.startswith("chromium-")), "")
    number = name.partition("-")[2]
    return int(number) if number.isdigit() else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the browser's path; exit code 1 when there is none."""
    parser = argparse.ArgumentParser(prog="python -m ci.engine.browser", description=__doc__)
    parser.add_argument("--install", action="store_true", help="get a browser when there is none")
    wants = parser.parse_args(argv)
    try:
        try:
            path = find_browser(os.environ)
        except CannotRun:
            if not wants.install or os.environ.get(VARIABLE):
                raise
            path = asyncio.run(install(os.environ))
    except CannotRun as reason:
        print(reason, file=sys.stderr)  # noqa: T201
        return 1
    print(f"browser: {path}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
