"""Real servers on loopback for the tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    routes: Mapping[str, Handler] | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve the handlers by path (`*` for every other) on a free port; yields the URL."""
    app = web.Application()
    for path, handler in (routes or {}).items():
        app.router.add_route("*", "/{rest:.*}" if path == "*" else path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def talking(speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that says whatever `speak` writes, HTTP or not."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def answers(
    text: str = "ok", *, status: int = 200, type_: str = "text/html", headers: Mapping[str, str] | None = None
) -> Handler:
    """A handler that always answers the same."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type=type_, headers=headers)

    return handler


async def hang(request: web.Request) -> web.Response:
    """A handler that never answers."""
    await asyncio.Event().wait()
    raise AssertionError
