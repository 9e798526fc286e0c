"""Starts the demo application as a process of its own, quickly: forked from one that has loaded its libraries."""

import asyncio
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import httpx

from ci.rehearsal.builder import BuildRequest

HOST = "candidate.example.app"
PRODUCTION_HOST = "www.example.app"
EMAIL = "demo@example.com"
PASSWORD = "correct horse battery staple"
START_SECONDS = 30

ENVIRONMENT = {
    "VERCEL_ENV": "production",
    "VERCEL_URL": HOST,
    "VERCEL_PROJECT_PRODUCTION_URL": PRODUCTION_HOST,
    "VERCEL_GIT_COMMIT_SHA": "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    "VERCEL_DEPLOYMENT_ID": "dpl_candidate",
    "SECRET_KEY": "0123456789abcdef0123456789abcdef-only-for-tests",
    "DEMO_USER_EMAIL": EMAIL,
    "DEMO_USER_PASSWORD": PASSWORD,
    "GOOGLE_CLIENT_ID": "google-client",
    "MICROSOFT_CLIENT_ID": "microsoft-client",
    "STRIPE_WEBHOOK_SECRET": "whsec_for_tests_only",
    "CRON_SECRET": "cron-secret-for-tests-only",
    "RATE_LIMIT_PER_MINUTE": "100000",
    "LOGIN_RATE_LIMIT_PER_MINUTE": "100000",
    "REPORT_RATE_LIMIT_WINDOW_SECONDS": "6",
    "LOG_LEVEL": "CRITICAL",
}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["__main__", "demo.application", "demo.serving", "demo.logs"])


def running(**environment: str) -> AbstractContextManager[str]:
    """Serve the application with the usual environment and these changes; yields its URL."""
    return _running({**ENVIRONMENT, **environment})


@dataclass(frozen=True)
class Forked:
    """A running application, as the stand-in wants it."""

    url: str
    _stack: ExitStack

    async def stop(self) -> None:
        await asyncio.to_thread(self._stack.close)


async def build(request: BuildRequest) -> Forked:
    """What the stand-in deploys, with nothing but the environment that it was given."""
    stack = ExitStack()
    url = await asyncio.to_thread(stack.enter_context, _running({**request.env, "LOG_LEVEL": "CRITICAL"}))
    return Forked(url, stack)


@contextmanager
def _running(environment: Mapping[str, str]) -> Iterator[str]:
    ours, its_stdout = _processes.Pipe(duplex=False)
    its_stdin, lifeline = _processes.Pipe(duplex=False)  # ends with this process, whatever happens to it
    arguments = [its_stdin, its_stdout, dict(environment)]
    process = _processes.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    its_stdin.close()
    its_stdout.close()
    try:
        wait([ours, process.sentinel], START_SECONDS)
        yield _announced_url(ours)
    finally:
        lifeline.close()
        process.kill()  # how it ends by itself is another test's subject
        process.join()


def client(url: str, host: str = HOST, **options: Any) -> httpx.Client:
    """A client that comes as if through the edge; it does not follow redirects and keeps no cookies of plain HTTP."""
    headers = {"x-forwarded-host": host, "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}
    return httpx.Client(base_url=url, headers=headers, timeout=START_SECONDS, **options)


def login(http: httpx.Client) -> dict[str, Any]:
    """Sign in; the body of the answer with the session cookie's value added as ``cookie``."""
    response = http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert response.status_code == 200, response.text
    http.cookies.clear()
    return {**response.json(), "cookie": session_cookie(response)}


def session_cookie(response: httpx.Response) -> str:
    """The value of the session cookie that the answer sets."""
    [header] = [line for line in response.headers.get_list("set-cookie") if line.startswith("__Host-session=")]
    return header.partition(";")[0].partition("=")[2]


def bearer(token: object) -> dict[str, str]:
    """The header that carries an access token."""
    return {"authorization": f"Bearer {token}"}


def by_cookie(cookie: object, **headers: str) -> dict[str, str]:
    """The header that carries a session cookie."""
    return {"cookie": f"__Host-session={cookie}", **headers}


def _announced_url(ready: Connection) -> str:
    # Read as bytes: the application prints a line, it knows nothing of multiprocessing.
    with os.fdopen(os.dup(ready.fileno())) as stdout:
        line = stdout.readline()
    assert line, "the application ended before it listened"
    return str(json.loads(line)["url"])


def _serve(stdin: Connection, stdout: Connection, environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(stdin.fileno(), 0)
    os.dup2(stdout.fileno(), 1)
    sys.stdout = os.fdopen(1, "w")
    sys.argv = ["demo", "serve", "--until-eof"]
    from demo.__main__ import main

    raise SystemExit(main())
