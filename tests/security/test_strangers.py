"""Two more applications that know nothing of Gonogo, as sound as one may ask: nothing worse than advice is found."""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import flask
import pytest
import trustme
from aiohttp import web
from werkzeug.serving import WSGIRequestHandler, make_server

from ci.engine.run import Run
from ci.model import Outcome, Severity
from ci.security import live
from tests.servers import serving

HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
}


def forum() -> flask.Flask:
    """A server-rendered forum with Flask's signed session cookie and no CSRF tokens of its own."""
    app = flask.Flask(__name__, static_folder=None)
    app.secret_key = secrets.token_hex()
    app.config.update(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=64_000)

    @app.after_request
    def dress(response: flask.Response) -> flask.Response:
        response.headers.update(HEADERS)
        return response

    @app.get("/")
    def home() -> str:
        return "<!doctype html><title>Forum</title><h1>Talk</h1><script src=/static/app.js></script>"

    @app.get("/static/app.js")
    def script() -> flask.Response:
        return flask.Response("document.title += '!'", mimetype="text/javascript")

    @app.post("/login")
    def login() -> tuple[dict[str, str], int]:
        data = flask.request.get_json(silent=True)
        if not isinstance(data, dict) or not isinstance(data.get("email"), str):
            return {"error": "invalid"}, 400
        if (data["email"], data.get("password")) != ("ada@example.com", "long and secret"):
            return {"error": "no"}, 401
        flask.session["user"] = data["email"]
        return {"ok": "yes"}, 200

    @app.get("/login")
    def form() -> str:
        return "<!doctype html><title>Login</title><form method=post><input name=email></form>"

    @app.get("/me")
    def me() -> tuple[dict[str, str], int]:
        user = flask.session.get("user")
        return ({"user": user}, 200) if user else ({"error": "who?"}, 401)

    @app.get("/mine")
    def mine() -> flask.Response | str:
        return "<h1>Mine</h1>" if flask.session.get("user") else flask.redirect("/login")  # type: ignore[return-value]

    return app


class Quiet(WSGIRequestHandler):
    def log(self, *args: object, **more: object) -> None:
        pass

    def version_string(self) -> str:
        return "forum"


@contextmanager
def flask_serving(app: flask.Flask, tls: ssl.SSLContext) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def worst(results: tuple[object, ...]) -> dict[str, list[str]]:
    """What was found at or above medium, and every error."""
    found: dict[str, list[str]] = {}
    for result in results:
        told = [f.message for f in result.findings if f.severity.rank >= Severity.MEDIUM.rank]  # type: ignore[attr-defined]
        if result.error:  # type: ignore[attr-defined]
            told.append(str(result.error))  # type: ignore[attr-defined]
        if told:
            found[result.spec.id] = told  # type: ignore[attr-defined]
    return found


async def test_a_forum_made_with_flask(running_on: Callable[..., Run], tls: ssl.SSLContext) -> None:
    with flask_serving(forum(), tls) as url:
        run = running_on(
            url,
            {"FORUM_USER": "ada@example.com", "FORUM_PASSWORD": "long and secret"},
            smoke={
                "protected": ["/mine"],
                "login": {
                    "path": "/login",
                    "page": "/login",
                    "username": "FORUM_USER",
                    "password": "FORUM_PASSWORD",
                    "whoami": "/me",
                },
            },
        )
        results = await live.results(run)
    assert worst(results) == {}
    passed = [result for result in results if result.outcome is Outcome.PASS]
    assert len(passed) > 40


async def test_a_single_page_application(running_on: Callable[..., Run], tls: ssl.SSLContext, tmp_path: Path) -> None:
    """A static host that answers everything it does not know with its one page, as is usual for these."""
    shell = "<!doctype html><title>App</title><div id=root></div><script type=module src=/assets/index-b1.js></script>"

    async def page(request: web.Request) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers=HEADERS | {"Server": "host"})
        if request.path == "/assets/index-b1.js":
            return web.Response(
                text="import './x.js'; console.log(import.meta.env)",
                content_type="text/javascript",
                headers=HEADERS | {"Server": "host"},
            )
        return web.Response(text=shell, content_type="text/html", headers=HEADERS | {"Server": "host"})

    async with serving({"*": page}, tls=tls) as url:
        results = await live.results(running_on(url, smoke={"protected": ["/app"]}))
    assert worst(results) == {}


@pytest.mark.parametrize("times", [3])
async def test_runs_in_a_row_agree(
    times: int, running_on: Callable[..., Run], authority: tuple[trustme.CA, Path]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost").configure_cert(context)
    with flask_serving(forum(), context) as url:
        outcomes = {tuple(result.outcome for result in await live.results(running_on(url))) for _ in range(times)}
    assert len(outcomes) == 1
