"""Tiny targets on loopback, and a run of the load stage against them."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ci.config import Config, parse_config
from ci.engine.evidence import EvidenceStore
from ci.engine.http import HttpFactory
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.engine.run import Run
from ci.engine.runner import run_stage
from ci.load import stage
from ci.model import StageReport, Subject

Answer = Callable[[int, str], Awaitable[bytes | None]]
"""Bytes to send for the n-th request with this head, or None to close the connection without a word."""


class Target:
    """A small HTTP/1.1 server whose answers a test decides."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.url = ""
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Close the port and cut every connection, as a dying process does."""
        assert self._server
        self._server.close()
        tasks = tuple(self._busy)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._busy.add(task)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                if match := re.search(r"(?i)content-length: (\d+)", head):
                    await reader.readexactly(int(match[1]))
                self.heads.append(head)
                reply = await self.answer(len(self.heads), head)
                if reply is None:
                    return
                writer.write(reply)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, or the test has had enough
        finally:
            self._busy.discard(task)
            writer.transport.abort()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Target]]]:
    """Start a target: `await serve(answer)`; it is stopped after the test."""
    targets: list[Target] = []

    async def start(answer: Answer, tls: ssl.SSLContext | None = None) -> Target:
        target = Target(answer)
        await target.start(tls)
        targets.append(target)
        return target

    yield start
    for target in targets:
        await target.stop()


class Told(Silence):
    """Remembers what the stage said it was doing."""

    def __init__(self) -> None:
        self.activities: list[str] = []

    def stage_at(self, stage: str, activity: str) -> None:
        self.activities.append(activity)


LOAD = "users: 20, rate: 8, warm_up: 300ms, duration: 1s, request_timeout: 1s, min_requests: 60, inconclusive: accept"


class Loader:
    """Runs the stage as the pipeline does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = Told()

    def config(self, url: str, load: str = LOAD) -> Config:
        return parse_config(f"target: {{production: '{url}'}}\nload: {{{load}}}\n")

    async def __call__(
        self, url: str, load: str = LOAD, *, timeout_s: float = 60, baseline: str | None = None, **environ: str
    ) -> StageReport:
        config = self.config(url, load)
        environment = {**os.environ, **environ}
        run = Run(
            config=config,
            subject=Subject(url=url),
            environ=environment,
            http=HttpFactory.for_target(url, budget=1, environ=environment),
            store=EvidenceStore(self.folder, Redactor.of_environment(environment)),
            progress=self.told,
            baseline_url=baseline,
        )
        specs = stage.specs(config)
        return await run_stage(
            "load", run.subject, lambda: stage.run(run), specs=specs, timeout_s=timeout_s, progress=self.told
        )


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)
