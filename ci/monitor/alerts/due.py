"""Which incidents a channel is to be told of now, and as what. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ci.monitor.alerts.notice import Event
from ci.monitor.facts import Delivery, Incident, Priority

NEWS = timedelta(days=1)
"""What was over for longer, and was never told, is history: a new channel is not flooded with it."""


def due(
    incidents: Iterable[Incident],
    told: Iterable[Delivery],
    *,
    channel: str,
    at_least: Priority,
    in_place: bool,
    now: datetime,
) -> Iterator[tuple[Event, Incident]]:
    """What `channel` does not know yet. Only what was delivered counts as told.

    A channel that is kept up to date `in_place` hears of an open incident every time; any other when it opens,
    when its priority rises, and when it is over.
    """
    known: dict[str, set[tuple[str, str]]] = {}
    for delivery in told:
        if delivery.channel == channel:
            known.setdefault(delivery.incident, set()).add((delivery.event, delivery.digest))
    for incident in incidents:
        event = _event(incident, known.get(incident.id, set()), in_place=in_place, now=now)
        if event and (incident.id in known or incident.priority <= at_least):
            yield event, incident


def _event(incident: Incident, known: set[tuple[str, str]], *, in_place: bool, now: datetime) -> Event | None:
    events = {event for event, _ in known}
    if incident.closed_at:
        news = bool(known) or now - incident.closed_at <= NEWS
        return "closed" if news and "closed" not in events else None
    if not known:
        return "opened"
    worse = str(incident.priority) < min(digest for _, digest in known)  # P0 sorts before P3
    return "updated" if in_place or worse else None
