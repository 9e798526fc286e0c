"""A TLS end in front of the application, so that a browser meets it as it would in production."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import trustme

SECONDS = 30


@contextmanager
def https(url: str) -> Iterator[str]:
    """Carry every connection to ``url`` behind TLS; yields the ``https://`` URL."""
    # A thread with a loop of its own: the browser's driver keeps the main thread's loop busy.
    listening: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=asyncio.run, args=[_carry_all(urlsplit(url).port or 80, listening)])
    thread.start()
    port, loop, stop = listening.result(SECONDS)
    try:
        yield f"https://localhost:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)


async def _carry_all(port: int, listening: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled when the loop ends: Python 3.11 would print a traceback for each connection.
        with suppress(asyncio.CancelledError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    stop = asyncio.Event()
    listening.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
    await stop.wait()
    server.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
