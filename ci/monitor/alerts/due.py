"""Which episodes a channel is to be told of now, and as what. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ci.monitor.alerts.notice import Event
from ci.monitor.episodes import Episode
from ci.monitor.facts import Delivery, Priority

NEWS = timedelta(days=1)
"""What was over for longer, and was never told, is history: a new channel is not flooded with it."""

Known = Mapping[str, Sequence[Delivery]]
"""By episode, what the channel was told."""


def due(
    episodes: Iterable[Episode],
    told: Iterable[Delivery],
    *,
    channel: str,
    at_least: Priority,
    in_place: bool,
    now: datetime,
) -> Iterator[tuple[Event, Episode]]:
    """What `channel` does not know yet. Only what was delivered counts as told.

    A channel that is kept up to date `in_place` hears of an open episode every time; any other when it opens,
    when it becomes worse or larger, and when it is over.
    """
    known: dict[str, list[Delivery]] = {}
    for delivery in told:
        if delivery.channel == channel:
            known.setdefault(delivery.incident, []).append(delivery)
    for episode in _as_they_were_told(tuple(episodes), known):
        event = _event(episode, known.get(episode.id, ()), in_place=in_place, now=now)
        if event and (episode.id in known or episode.priority <= at_least):
            yield event, episode


def _as_they_were_told(episodes: Sequence[Episode], known: Known) -> Iterator[Episode]:
    """What the history now tells by another id, for damage or what came late, keeps the id by which people know it."""
    names = {episode.id for episode in episodes}
    lost = {name.partition("-")[0]: told for name, told in known.items() if name not in names}
    for episode in episodes:
        before = next((lost[one.fingerprint] for one in episode.incidents if one.fingerprint in lost), None)
        if before and episode.id not in known and _about(before, episode):
            yield episode.under(before[-1].incident)
        else:
            yield episode


def _about(told: Sequence[Delivery], episode: Episode) -> bool:
    """Whether what was told, of something that the history no longer knows, was this."""
    if ends := [delivery.at for delivery in told if delivery.event == "closed"]:
        return episode.closed_at is not None and episode.closed_at <= ends[-1]
    return told[-1].at > episode.began - NEWS


def _event(episode: Episode, known: Sequence[Delivery], *, in_place: bool, now: datetime) -> Event | None:
    if episode.closed_at:
        news = bool(known) or now - episode.closed_at <= NEWS
        return "closed" if news and all(delivery.event != "closed" for delivery in known) else None
    if not known:
        return "opened"
    told = [_parts(delivery.digest) for delivery in known]
    worse = episode.priority < min(priority for priority, _ in told)  # P0 sorts before P3
    larger = len(episode.incidents) > max(count for _, count in told)
    return "updated" if in_place or worse or larger else None


def _parts(digest: str) -> tuple[str, int]:
    """Priority and number of incidents, as they were told."""
    priority, _, count = digest.partition("+")
    return priority, int(count) if count.isdecimal() else 1
