"""A tiny application as the process builder expects one: tells its address, ends at end of file on stdin."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wait-for", help="a pipe to read from before starting")
    parser.add_argument("--deaf", action="store_true", help="ignore every polite request to end")
    parser.add_argument("--no-lifeline", action="store_true", help="end on SIGTERM alone")
    given = parser.parse_args()
    if given.wait_for:
        with open(given.wait_for) as gate:
            gate.read()
    if given.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    print("more on stdout", flush=True)
    print("more on stderr", file=sys.stderr, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if given.deaf:
        threading.Event().wait()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if given.no_lifeline:
        threading.Event().wait()
    sys.stdin.read()


if __name__ == "__main__":
    main()
