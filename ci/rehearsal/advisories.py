"""Stand-ins for the services that know which releases are vulnerable, with a few real advisories.

OSV's `/v1/query`, and npm's `/-/npm/v1/security/advisories/bulk` with the packuments that `npm audit` asks for.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from aiohttp import web

OSV_PATH = "/v1/query"


def _osv(name: str, id_: str, alias: str, versions: tuple[str, ...], fixed: str | None) -> dict[str, Any]:
    events = [{"introduced": "0"}] + ([{"fixed": fixed}] if fixed else [])
    affected = {
        "package": {"name": name, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        "versions": list(versions),
    }
    return {"id": id_, "aliases": [alias], "summary": f"about {name}", "affected": [affected]}


OSV = (
    _osv("pycrypto", "PYSEC-2017-94", "CVE-2013-7459", ("2.6.1",), None),
    _osv("jinja2", "PYSEC-2019-217", "CVE-2019-10906", ("2.4.1", "2.10"), "2.10.1"),
    _osv("jinja2", "GHSA-462w-v97r-4m45", "CVE-2019-10906", ("2.10",), "2.10.1"),
    _osv("requests", "PYSEC-2018-28", "CVE-2018-18074", ("2.19.0",), "2.20.0"),
)
NPM = {
    "minimist": ("GHSA-xvch-5gv4-984h", "critical", "Prototype Pollution in minimist", "<0.2.4"),
    "lodash": ("GHSA-jf85-cpcp-j695", "critical", "Prototype Pollution in lodash", "<4.17.12"),
}


def application() -> web.Application:
    """Both services, for whatever path they are asked at."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


async def answer(request: web.Request) -> web.Response:
    body = await request.read()
    if request.path.endswith(OSV_PATH):
        return web.json_response(_vulnerabilities(json.loads(body)["package"]["name"], json.loads(body)["version"]))
    if request.path.endswith("/advisories/bulk"):
        raw = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return web.json_response({name: [_npm(name)] for name in json.loads(raw) if name in NPM})
    if request.method == "GET" and (name := request.path.strip("/")) in NPM:
        return web.json_response(_packument(name))
    return web.json_response({"error": "not found"}, status=404)


def _vulnerabilities(name: str, version: str) -> dict[str, Any]:
    found = [
        vulnerability
        for vulnerability in OSV
        for affected in vulnerability["affected"]
        if affected["package"]["name"] == name and version in affected["versions"]
    ]
    return {"vulns": found} if found else {}


def _npm(name: str) -> dict[str, Any]:
    id_, severity, title, vulnerable = NPM[name]
    return {
        "id": sum(map(ord, id_)),
        "url": f"https://github.com/advisories/{id_}",
        "title": title,
        "severity": severity,
        "vulnerable_versions": vulnerable,
        "cwe": ["CWE-1321"],
        "cvss": {"score": 9.8, "vectorString": None},
    }


def _packument(name: str) -> dict[str, Any]:
    versions = {"minimist": ("0.0.8", "1.2.8"), "lodash": ("4.17.4", "4.17.21")}[name]
    made = {v: {"name": name, "version": v, "dist": {"tarball": f"http://127.0.0.1/{name}.tgz"}} for v in versions}
    return {"name": name, "dist-tags": {"latest": versions[-1]}, "versions": made}
