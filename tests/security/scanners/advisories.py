"""OSV's and npm's advisory services on loopback, with a few real advisories, and every way to answer wrongly."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers import serving


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


@dataclass(slots=True)
class Advisories:
    """The services. `mode` says how they answer: well, empty, 500, garbage, hang."""

    url: str = ""
    mode: str = "well"
    asked: list[str] = field(default_factory=list)
    """Every release that OSV was asked about, as name==version."""

    @property
    def osv_url(self) -> str:
        return f"{self.url}/v1/query"

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        match self.mode:
            case "hang":
                await asyncio.Event().wait()
            case "empty":
                return web.json_response({})
            case "500":
                return web.json_response({"error": "down"}, status=500)
            case "garbage":
                return web.Response(text="<html>Please log in to this network</html>", content_type="text/html")
        if request.path.endswith("/v1/query"):
            return web.json_response(self._osv(json.loads(body)))
        if request.path.endswith("/advisories/bulk"):
            raw = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            return web.json_response({name: [_npm(name)] for name in json.loads(raw) if name in NPM})
        if request.method == "GET" and (name := request.path.strip("/")) in NPM:
            return web.json_response(_packument(name))
        return web.json_response({"error": "not found"}, status=404)

    def _osv(self, question: dict[str, Any]) -> dict[str, Any]:
        name, version = question["package"]["name"], question["version"]
        self.asked.append(f"{name}=={version}")
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


@asynccontextmanager
async def advisories_served() -> AsyncIterator[Advisories]:
    made = Advisories()
    async with serving({"*": made.answer}) as url:
        made.url = url
        yield made
