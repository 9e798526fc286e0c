"""A stand-in for the index of Python packages (PEP 691, PEP 658): what the locks pin is the newest there is.

Metadata is that of the tests' own environment; a package that is pinned for other systems alone needs nothing else.
"""

from __future__ import annotations

import re
from importlib.metadata import distributions

from aiohttp import web

from tests.servers import Handler
from tests.workflows.environment import LOCKS, SITE, VERSIONS, canonical

JSON = "application/vnd.pypi.simple.v1+json"
UPLOADED = "2026-01-01T00:00:00Z"


def application() -> dict[str, Handler]:
    """Its handlers, by path."""
    metadata = {
        (canonical(item.name), item.version): str(item.read_text("METADATA"))
        for item in distributions(path=[str(SITE)])
        if item.read_text("METADATA")
    }
    for lock in LOCKS.glob("*.txt"):
        for line in lock.read_text().splitlines():
            if pin := VERSIONS.match(line):
                metadata.setdefault((canonical(pin[1]), pin[2]), _minimal(pin[1], pin[2], line))

    async def project(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        files = [_file(name, version) for known, version in metadata if known == name]
        body = {"meta": {"api-version": "1.1"}, "name": name, "files": files, "versions": []}
        return web.json_response(body, content_type=JSON) if files else web.json_response({}, status=404)

    async def core_metadata(request: web.Request) -> web.Response:
        name, version = request.match_info["name"], request.match_info["version"]
        return web.Response(text=metadata[name, version])

    return {"/simple/{name}/": project, "/files/{name}/{version}/{file}": core_metadata}


def _minimal(name: str, version: str, line: str) -> str:
    """What is known of a package by its pin alone: a version for newer Pythons says so by its marker."""
    newer = re.search(r"python_full_version >= '([\d.]+)'", line)
    wanted = f"Requires-Python: >={newer[1]}\n" if newer else ""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}"


def _file(name: str, version: str) -> dict[str, object]:
    wheel = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    url = f"/files/{name}/{version}/{wheel}"
    return {"filename": wheel, "url": url, "hashes": {}, "core-metadata": True, "upload-time": UPLOADED}
