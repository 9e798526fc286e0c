"""Telling people of episodes: what counts as told is what was delivered, and the rest is tried again next round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ci.config import Config
from ci.engine.github import run_url
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.monitor.alerts.channels import Channel, channels
from ci.monitor.alerts.checkin import check_in
from ci.monitor.alerts.due import due
from ci.monitor.alerts.notice import Links, Notice
from ci.monitor.episodes import Episode, episodes
from ci.monitor.facts import Delivery, Incident
from ci.monitor.history import History

__all__ = ["check_in", "tell"]

CHANNEL_S = 60.0
"""Seconds that one channel may take in one round; what it has not delivered by then waits for the next."""


async def tell(
    incidents: Sequence[Incident],
    history: History,
    config: Config,
    environ: Mapping[str, str],
    redact: Redactor,
    *,
    say: Callable[[str], None],
    now: datetime,
) -> tuple[str, ...]:
    """Tell every channel what it does not know yet; a sentence for each thing that could not be delivered."""
    settings = config.monitor.alerts
    links = Links(settings.runbook, settings.page, run_url(environ))
    known = episodes(incidents)

    async def serve(channel: Channel, told: Sequence[Delivery]) -> list[str]:
        wanted = due(known, told, channel=channel.name, at_least=channel.at_least, in_place=channel.in_place, now=now)
        notices = [Notice(event, _redacted(episode, redact), now, links) for event, episode in wanted]
        return await _serve(channel, notices, history)

    async with history.telling():
        told = await history.deliveries()
        serving = (serve(channel, told) for channel in channels(settings, environ, redact, say))
        problems = await asyncio.gather(*serving)
    return tuple(problem for of_one in problems for problem in of_one)


async def _serve(channel: Channel, notices: Sequence[Notice], history: History) -> list[str]:
    """One after another, each written down as soon as it is delivered."""
    problems: list[str] = []
    undelivered = len(notices)
    try:
        async with asyncio.timeout(CHANNEL_S):
            for notice in notices:
                try:
                    reference = await channel.deliver(notice)
                except CannotRun as error:
                    problems.append(
                        f"{channel.name} was not told of {notice.title!r}: {error}; the next round tries again"
                    )
                    continue
                undelivered -= 1
                if not (channel.in_place and notice.event == "updated"):
                    await history.deliver([_delivery(channel, notice, reference)])
    except TimeoutError:
        problems.append(
            f"{channel.name} took longer than {CHANNEL_S:g} s: {undelivered} notices wait for the next round"
        )
    return problems


def _redacted(episode: Episode, redact: Redactor) -> Episode:
    return Episode(episode.id, tuple(redact.model(incident) for incident in episode.incidents))


def _delivery(channel: Channel, notice: Notice, reference: str) -> Delivery:
    return Delivery(
        incident=notice.episode.id,
        event=notice.event,
        channel=channel.name,
        at=notice.now,
        digest=notice.episode.digest,
        reference=reference,
    )
