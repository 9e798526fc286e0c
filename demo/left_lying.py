"""What is found at unknown addresses while a flaw is on: files that nobody meant to serve, made up at every start."""

import secrets

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from . import flaws

_PASSWORD = secrets.token_hex(12)
_ENVIRONMENT = f"SECRET_KEY={_PASSWORD}\nDATABASE_URL=postgresql://harbour:{_PASSWORD}@db.harbour.example/harbour\n"
_DOCUMENTATION = '<!doctype html><title>Harbour API</title><div id="swagger-ui"></div>'
_LISTING = "<!doctype html><title>Index of /static/</title><h1>Index of /static/</h1><a>app.js</a>"
_SOURCE_MAP = '{"version":3,"sources":["app.ts"],"sourcesContent":["const secretOfTheHouse = 1;"],"mappings":"AAAA"}'


def left_lying(request: Request) -> Response | None:
    """The file at this address, when a flaw has left it there."""
    path = request.url.path
    if path == "/.env" and flaws.active(request, "exposed-env"):
        return PlainTextResponse(_ENVIRONMENT)
    if path == "/.git/HEAD" and flaws.active(request, "exposed-git"):
        return PlainTextResponse("ref: refs/heads/main\n")
    if path == "/backup.sql" and flaws.active(request, "exposed-dump"):
        return PlainTextResponse("-- PostgreSQL database dump\nCREATE TABLE users (id uuid, email text);\n")
    if path == "/debug" and flaws.active(request, "debug-page"):
        return PlainTextResponse(_ENVIRONMENT)
    if path == "/static/" and flaws.active(request, "listing"):
        return Response(_LISTING, media_type="text/html")
    if path == "/_next/image" and flaws.active(request, "image-proxy"):
        return Response("<svg/>", media_type="image/svg+xml")
    if path == "/docs" and flaws.active(request, "docs-open"):
        return Response(_DOCUMENTATION, media_type="text/html")
    if path.endswith(".js.map") and flaws.active(request, "source-maps"):
        return Response(_SOURCE_MAP, media_type="application/json")
    return None
