"""A real PostgreSQL for the tests that need one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def a_postgres() -> Iterator[str]:
    """The URL of one: the one that DATABASE_URL names, else one started from the installed programs, else a skip."""
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        yield os.environ["DATABASE_URL"]
        return
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: set DATABASE_URL to one, or install its server programs")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder, _started_postgres(programs, Path(folder)) as url:
        yield url


@contextmanager
def _started_postgres(programs: Path, folder: Path) -> Iterator[str]:
    owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if owner:
        shutil.chown(folder, owner)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    control = [programs / "pg_ctl", "--pgdata", folder / "data", "--wait", "--timeout", "60"]

    def run(*command: str | Path) -> None:
        subprocess.run(command, user=owner, cwd=folder, stdout=subprocess.DEVNULL, timeout=120, check=True)

    run(programs / "initdb", "--pgdata", folder / "data", "--username", "demo", "--auth", "trust", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    run(*control, "--log", folder / "log", "--options", options, "start")
    try:
        yield f"postgresql://demo@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "--mode", "immediate", "stop")


def _postgres_programs() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (installed[-1] if installed else None)
    return Path(initdb).resolve().parent if initdb else None
