"""Image services that fetch what an address in the request names: they must know whose images they may fetch."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from ci.engine.check import check
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.likeness import Strangers, meet_strangers
from ci.security.surface import FOREIGN_ORIGIN
from ci.security.visit import Visit, gather

SERVICES = ("/_next/image", "/_vercel/image")
ELSEWHERE = {
    "an internal address": "http://127.0.0.1:9/gonogo.png",
    "any address": f"{FOREIGN_ORIGIN}/gonogo.png",
}
"""Addresses at which nothing is, so that nothing is fetched: a port that nobody uses, and nobody's name (RFC 2606)."""
_TRIED = "parameter is valid but"
"""What Next.js says when it was ready to fetch the address, and no image came of it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A service that was asked for an image from elsewhere."""

    service: str
    what: str
    answer: Answer | None
    """None when the server broke the connection."""


@dataclass(frozen=True, slots=True)
class Album:
    """What came of asking, and what the server answers to paths that nobody made."""

    fetched: tuple[Fetched, ...]
    strangers: Strangers


async def ask_for_images(visit: Visit) -> Album:
    """Ask each service for an image of another site, and of a machine that only the server can reach."""

    async def one(service: str, what: str, address: str) -> Fetched:
        query = f"url={quote(address, safe='')}&w=64&q=75"
        return Fetched(service, what, await visit.ask_boldly("GET", f"{service}?{query}"))

    asked = [one(service, what, address) for service in SERVICES for what, address in ELSEWHERE.items()]
    return Album(await gather(asked), await meet_strangers(visit))


@check(
    CheckSpec(
        id="security/image-proxy",
        title="The image service fetches nothing from addresses that a stranger names",
        severity=Severity.HIGH,
        why="It fetches in the server's name: internal machines answer it, and what comes back runs on your own site.",
        remediation="Name your image hosts one by one (Next.js: `images.remotePatterns` without `**`), and leave "
        "`dangerouslyAllowLocalIP` and `dangerouslyAllowSVG` off.",
        references=("CWE-918", "OWASP Top 10 A10:2021", "https://nextjs.org/docs/app/api-reference/components/image"),
    )
)
def image_proxy(album: Album) -> Judged:
    for item in album.fetched:
        answer = item.answer
        if answer is None:
            continue
        tried = answer.succeeded or answer.failed or _TRIED in answer.text
        if tried and not album.strangers.explain(answer):
            told = f"{item.service} was ready to fetch {item.what}: it answered {answer.status}; wanted 400"
            yield wrong(image_proxy.spec, answer, told, key=f"{item.service} {item.what}", shows=answer.excerpt)
        else:
            yield seen(answer, f"{item.service} does not fetch {item.what}")
