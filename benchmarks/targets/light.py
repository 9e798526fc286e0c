"""A server that does next to nothing, so that the load generator is what is measured: asyncio, no parsing.

python -m benchmarks.targets.light     # prints its port; answers `GET /count` with how many requests came
"""

from __future__ import annotations

import asyncio

END = b"\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"


class Light(asyncio.Protocol):
    """Answers each head; bodies are not expected."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /count "):
            told = str(Light.count).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
            return
        Light.count += data.count(END)
        self.transport.write(ANSWER * data.count(END))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Light, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
