"""The rehearsal's advisory services, and every way to answer wrongly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from ci.rehearsal import advisories
from tests.servers import serving


@dataclass(slots=True)
class Advisories:
    """The services. `mode` says how they answer: well, empty, 500, garbage, hang."""

    url: str = ""
    mode: str = "well"
    asked: list[str] = field(default_factory=list)
    """Every release that OSV was asked about, as name==version."""

    @property
    def osv_url(self) -> str:
        return f"{self.url}{advisories.OSV_PATH}"

    async def answer(self, request: web.Request) -> web.Response:
        match self.mode:
            case "hang":
                await asyncio.Event().wait()
            case "empty":
                return web.json_response({})
            case "500":
                return web.json_response({"error": "down"}, status=500)
            case "garbage":
                return web.Response(text="<html>Please log in to this network</html>", content_type="text/html")
        if request.path == advisories.OSV_PATH:
            question = json.loads(await request.read())
            self.asked.append(f"{question['package']['name']}=={question['version']}")
        return await advisories.answer(request)


@asynccontextmanager
async def advisories_served() -> AsyncIterator[Advisories]:
    made = Advisories()
    async with serving({"*": made.answer}) as url:
        made.url = url
        yield made
