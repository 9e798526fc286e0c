"""What a build is: from a request to a running backend. The stand-in takes any builder; this one starts a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
FIRST_LINE_LIMIT = 64 * 1024
LOG_TAIL_LINES = 15
# Enough for an interpreter to start; nothing of the caller's secrets.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "SYSTEMROOT")


class BuildFailedError(Exception):
    """The build did not yield an application that answers."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """All that a build gets to know. `env` already holds Vercel's system variables."""

    deployment_id: str
    env: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class Backend(Protocol):
    """A running application."""

    @property
    def url(self) -> str:
        """Base URL without a trailing slash, for example http://127.0.0.1:41234."""

    async def stop(self) -> None:
        """End it and wait until it has ended. Calling it again does nothing."""


Builder = Callable[[BuildRequest], Awaitable[Backend]]


@dataclass(frozen=True, slots=True)
class ProcessBuilder:
    """Starts `command` per deployment. Its first line on stdout must be JSON with `url`; the rest goes to its log.

    The process's stdin is a pipe that this process holds open: a command that ends at end of file there ends
    with this process, however that one ends.
    """

    command: Sequence[str]
    log_folder: Path
    cwd: Path | None = None
    start_timeout: float = START_TIMEOUT
    stop_timeout: float = STOP_TIMEOUT

    async def __call__(self, request: BuildRequest) -> ProcessBackend:
        """Start the process and wait for its address.

        Raises BuildFailedError, with the end of the log, when it ends first, prints something else, or takes longer
        than `start_timeout` seconds.
        """
        log = self.log_folder / f"{request.deployment_id}.log"
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with log.open("wb") as log_file:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log_file,
                    cwd=self.cwd,
                    env={**inherited, **request.env},
                    limit=FIRST_LINE_LIMIT,
                    start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the backends in order.
                )
            except OSError as problem:
                raise BuildFailedError(f"{self.command[0]} could not be started: {problem}") from problem
        backend = ProcessBackend(process, log, self.stop_timeout)
        try:
            await backend.announced(self.start_timeout)
        except BaseException:
            await backend.stop()
            raise
        return backend


class ProcessBackend:
    """One application process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, stop_timeout: float) -> None:
        self.url = ""
        self.log = log
        self._process = process
        self._stop_timeout = stop_timeout
        self._draining: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def announced(self, timeout: float) -> None:
        """Wait for the line that tells the address."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout)
        except TimeoutError:
            raise BuildFailedError(f"no address on stdout within {timeout:g} s{self._log_tail()}") from None
        except ValueError:
            raise BuildFailedError("the first line on stdout is longer than 64 KiB; wanted JSON with `url`") from None
        if not line:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self._stop_timeout)
            status = self._process.returncode
            raise BuildFailedError(f"it ended with status {status} before it told its address{self._log_tail()}")
        self.url = _address(line)
        self._draining = asyncio.create_task(self._drain())

    async def stop(self) -> None:
        """Close the lifeline and ask it to end; kill its process group after the deadline."""
        process = self._process
        if process.returncode is None:
            if process.stdin:
                process.stdin.close()
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), self._stop_timeout)
            except TimeoutError:
                pass
            finally:
                self._signal(signal.SIGKILL)
            await process.wait()
        if self._draining:
            await asyncio.wait([self._draining], timeout=self._stop_timeout)
            self._draining.cancel()

    def _signal(self, number: signal.Signals) -> None:
        # The process leads a session of its own, so its group holds it and what it has started, nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _drain(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("ab") as log:
            while chunk := await self._process.stdout.read(FIRST_LINE_LIMIT):
                log.write(chunk)
                log.flush()

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return ":\n" + "\n".join(lines) if lines else "; its log is empty"


def _address(line: bytes) -> str:
    try:
        url = json.loads(line)["url"]
    except (ValueError, KeyError, TypeError):
        raise BuildFailedError(f"the first line on stdout is {line[:200]!r}; wanted JSON with `url`") from None
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise BuildFailedError(f"`url` on stdout is {url!r}; wanted an http address")
    return url.rstrip("/")
