"""The monitor's own connectivity: who cannot reach anybody must not say that somebody is down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from ci.errors import CannotRun
from ci.monitor.probing.probe import Eyes


async def blindness(eyes: Eyes, witnesses: Sequence[str]) -> str | None:
    """Why the monitor cannot see, or None as soon as one of the witnesses has answered."""
    asked = [asyncio.ensure_future(_silence(eyes, url)) for url in witnesses]
    silences = []
    try:
        for answered in asyncio.as_completed(asked):
            silence = await answered
            if silence is None:
                return None
            silences.append(silence)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return f"none of {len(witnesses)} witnesses answers, so nothing was looked at: {'; '.join(sorted(silences))}"


async def _silence(eyes: Eyes, url: str) -> str | None:
    """Why this witness says nothing, or None when it answers."""
    try:
        async with asyncio.timeout(eyes.timeout_s), eyes.client(url) as client:
            response = await client.get(url)
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        return f"{url}: {str(error) or type(error).__name__}"
    except CannotRun:
        return None  # turned away, but by somebody who is there
    return f"{url}: answered {response.status_code}" if response.is_server_error else None
