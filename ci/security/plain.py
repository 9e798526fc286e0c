"""What plain HTTP leads to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from ci.security.answer import Answer
from ci.security.visit import MAX_HOPS, Visit

_NOBODY = (httpx.ConnectError, httpx.ConnectTimeout)
_NOT_HTTP = (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class PlainHttp:
    """The way from plain HTTP, hop by hop, to the first address over HTTPS or of another host."""

    url: str
    hops: tuple[Answer, ...] = ()
    """Empty when nothing answers there."""

    @property
    def route(self) -> tuple[str, ...]:
        """Every address of the way."""
        if not self.hops:
            return ()
        last = self.hops[-1].location
        return (*(hop.url for hop in self.hops), *([last] if last else []))


async def ask_plainly(visit: Visit) -> PlainHttp | None:
    """Ask the target's plain port; None when it has none that is known."""
    parts = urlsplit(visit.url)
    known = 80 if (parts.port or 443) == 443 else None
    port = visit.run.config.security.tls.plain_port or known
    if parts.scheme != "https" or port is None:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    url = f"http://{host}/" if port == 80 else f"http://{host}:{port}/"
    hops: list[Answer] = []
    following = url
    try:
        while len(hops) <= MAX_HOPS:
            hops.append(await visit.get(following))
            leads = hops[-1].location
            if leads is None or not leads.startswith("http://") or urlsplit(leads).hostname != parts.hostname:
                break
            following = leads
    except _NOBODY:
        return PlainHttp(url)
    except _NOT_HTTP:  # something listens, but it does not talk HTTP
        return PlainHttp(url, tuple(hops))
    return PlainHttp(url, tuple(hops))
