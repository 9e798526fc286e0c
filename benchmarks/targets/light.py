"""A server that does next to nothing, so that the load generator is what is measured: one loop, no parsing.

python -m benchmarks.targets.light     # prints its port; answers `GET /count` with how many requests came

asyncio would take three times as much of the processors that the load generator is to show its rate on.
"""

from __future__ import annotations

import selectors
import socket

END = b"\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
MOST = 65536
"""Bytes of requests that are read at once."""


class Light:
    """Answers each head; bodies are not expected. Nobody asks for more than a connection's buffer holds."""

    def __init__(self) -> None:
        self.count = 0
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
            print(listening.getsockname()[1], flush=True)
            self._selector.register(listening, selectors.EVENT_READ, self._accept)
            while True:
                for key, _ in self._selector.select():
                    key.data(key.fileobj)

    def _accept(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        self._selector.register(connection, selectors.EVENT_READ, self._answer)

    def _answer(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(MOST)
            if data.startswith(b"GET /count "):
                told = str(self.count).encode()
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
            elif data:
                heads = data.count(END)
                self.count += heads
                connection.send(ANSWER * heads)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            connection.close()


if __name__ == "__main__":
    Light().serve()
