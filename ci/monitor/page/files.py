"""The files of the status page, and writing them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.page import badge, data, feed, html
from ci.monitor.page.view import StatusPage

FILES: dict[str, Callable[[StatusPage], str]] = {
    "index.html": html.render,
    "status.json": data.render,
    "incidents.atom": feed.render,
    "badge.svg": badge.render,
}
"""Name of each file, and what makes it."""


def write(page: StatusPage, folder: Path) -> None:
    """Each file whole or not at all: a reader never meets half of one. Raises CannotRun when one cannot be written."""
    for name, render in FILES.items():
        unfinished = folder / f".{name}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(render(page), encoding="utf-8")
            unfinished.replace(folder / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            told = f"the status page {folder / name} cannot be written: {error.strerror}; give it another folder"
            raise CannotRun(ErrorKind.MISCONFIGURED, told) from error
