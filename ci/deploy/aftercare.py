"""What follows a change of production: emptying the CDN's cache, and telling a webhook.

Whatever goes wrong here is reported, and never undoes a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx

from ci.config import Config
from ci.config.shape.deploy import Purge
from ci.engine.http import USER_AGENT, tls_context
from ci.engine.redaction import in_a_header
from ci.model import Release, ReleaseEnd

REQUEST_S = 20.0
URLS_PER_CALL = 30
"""What Cloudflare takes at once: https://developers.cloudflare.com/cache/how-to/purge-cache/purge-by-single-file/"""

CHANGED = frozenset({ReleaseEnd.PROMOTED, ReleaseEnd.ROLLED_BACK})
"""Ends after which production shows something else than before."""


async def take_care(release: Release, config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Purge and notify as configured; a sentence for each thing that was done or did not work."""
    async with httpx.AsyncClient(
        headers={"user-agent": USER_AGENT}, timeout=REQUEST_S, verify=tls_context(environ), trust_env=False
    ) as http:
        said: list[str] = []
        if config.deploy.purge and release.end in CHANGED:
            said.append(await _purge(http, config.deploy.purge, environ))
        if config.deploy.webhook:
            said.append(await _notify(http, config.deploy.webhook, release, environ))
        return tuple(said)


def summary(release: Release) -> str:
    """The release in two sentences."""
    last = release.events[-1].message if release.events else "nothing is known"
    return f"{release.end or 'UNFINISHED'}: {release.candidate}. {last}"


async def _purge(http: httpx.AsyncClient, settings: Purge, environ: Mapping[str, str]) -> str:
    token = environ.get(settings.token)
    if not token:
        return f"the CDN's cache was not emptied: {settings.token} is not set"
    url = f"{settings.api}/client/v4/zones/{settings.zone}/purge_cache"
    for body in _batches(settings):
        try:
            answer = await http.post(url, json=body, headers={"authorization": f"Bearer {in_a_header(token)}"})
            if not answer.is_success or answer.json().get("success") is not True:
                return f"the CDN's cache was not emptied: Cloudflare answered {answer.status_code}"
        except (httpx.HTTPError, ValueError, AttributeError) as error:
            return f"the CDN's cache was not emptied: {str(error) or type(error).__name__}"
    return (
        f"the CDN's cache was emptied of {len(settings.urls)} URLs" if settings.urls else "the CDN's cache was emptied"
    )


def _batches(settings: Purge) -> Iterator[dict[str, object]]:
    if not settings.urls:
        yield {"purge_everything": True}
    for start in range(0, len(settings.urls), URLS_PER_CALL):
        yield {"files": list(settings.urls[start : start + URLS_PER_CALL])}


async def _notify(http: httpx.AsyncClient, variable: str, release: Release, environ: Mapping[str, str]) -> str:
    """`text` is what chat systems show; the rest is for programs."""
    url = environ.get(variable)
    if not url:
        return f"nobody was notified: {variable} is not set"
    facts = {
        "text": summary(release),
        "end": release.end,
        "project": release.project_id,
        "candidate": release.candidate.model_dump(),
        "serving": release.serving,
    }
    try:
        answer = await http.post(url, json=facts)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's own words may hold the URL, which is a secret.
        return f"nobody was notified: {type(error).__name__} at the URL in {variable}"
    if not answer.is_success:
        return f"nobody was notified: the URL in {variable} answered {answer.status_code}"
    return "the webhook was told"
