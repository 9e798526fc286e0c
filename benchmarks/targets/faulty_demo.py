"""The demo application as a process whose answers take a known time, with one fault on purpose.

Prints `{"url": …}` when it listens, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time

from starlette.types import ASGIApp, Receive, Scope, Send

FAULTS = ("none", "slower", "tail", "errors", "fails-fast", "hangs", "resets", "dies", "cold")


class Faulty:
    """In front of the application: the time that a database would take, and the fault."""

    def __init__(self, app: ASGIApp, delay_ms: float, fault: str, amount: float, after_s: float) -> None:
        self._app, self._delay_ms, self._fault, self._amount, self._after_s = app, delay_ms, fault, amount, after_s
        self._began: float | None = None
        self._chance = random.Random(7)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = time.monotonic()
        self._began = self._began or now
        active = now - self._began >= self._after_s
        if active and self._fault == "fails-fast":
            await _answer(send, 500)
            return
        await asyncio.sleep(
            self._delay_ms / 1e3 * self._chance.lognormvariate(0, 0.3) * self._factor(now - self._began)
        )
        if active and self._fault == "dies":
            os._exit(1)
        if active and self._fault == "hangs":
            await asyncio.Event().wait()
        if active and self._fault == "resets":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            return
        if active and self._fault == "errors" and self._chance.random() < self._amount:
            await _answer(send, 500)
            return
        await self._app(scope, receive, send)

    def _factor(self, age_s: float) -> float:
        """How many times longer than usual."""
        if age_s < self._after_s:
            return 1.0
        if self._fault == "slower":
            return 1.0 + self._amount
        if self._fault == "tail":
            return self._amount if self._chance.random() < 0.1 else 1.0
        if self._fault == "cold":
            return 1.0 + self._amount * 2.0 ** -(age_s / 1.0)
        return 1.0


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--amount", type=float, default=0.0, help="how much slower, which share, how many times")
    parser.add_argument(
        "--after", type=float, default=0.0, help="seconds after the first request until the fault shows"
    )
    parser.add_argument("--delay-ms", type=float, default=20.0)
    given = parser.parse_args()

    from demo import logs, serving, settings
    from demo.application import create_app

    loaded = settings.load()
    logs.configure(loaded.log_level)
    app = Faulty(create_app(loaded), given.delay_ms, given.fault, given.amount, given.after)
    serving.serve(app, port=0, until_eof=True)


if __name__ == "__main__":
    main()
