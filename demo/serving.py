"""Runs a server on a loopback port that the OS may choose, says where, and ends with whoever started it."""

import asyncio
import json
import os
import signal
import socket
import threading
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

_GRACE_SECONDS = 2


def serve(app: ASGIApp, *, port: int, until_eof: bool) -> None:
    """Serve ``app`` on 127.0.0.1 until SIGTERM, SIGINT or (``until_eof``) the end of standard input.

    When the server listens, ``{"url": …}`` is printed as the only line on stdout.
    """
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _AnnouncingServer(config)
    if until_eof:
        threading.Thread(target=_end_at_eof, args=[server], daemon=True).start()
    # uvicorn catches the signals while it serves and raises them again afterwards: then we are done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    asyncio.run(server.serve())


class _AnnouncingServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)


def _end_at_eof(server: uvicorn.Server) -> None:
    # A thread, because standard input may be a file or a terminal, which an event loop cannot watch everywhere.
    while os.read(0, 4096):
        pass
    server.should_exit = True


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
