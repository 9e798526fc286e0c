"""Vendors' own status pages: whether our trouble is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from ci.config.shape.monitor import Vendor
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.facts import Condition, Kind, Series
from ci.monitor.probing.probe import Eyes, Seen

# Statuspage's words for the whole and for a component (https://metastatuspage.com/api), and Stripe's own.
_MEANINGS = {
    "none": Condition.UP,
    "operational": Condition.UP,
    "up": Condition.UP,
    "maintenance": Condition.DEGRADED,
    "under_maintenance": Condition.DEGRADED,
    "minor": Condition.DEGRADED,
    "degraded": Condition.DEGRADED,
    "degraded_performance": Condition.DEGRADED,
    "partial_outage": Condition.DEGRADED,
    "major": Condition.DOWN,
    "critical": Condition.DOWN,
    "major_outage": Condition.DOWN,
    "down": Condition.DOWN,
}
_WORST_LAST = (Condition.UP, Condition.UNKNOWN, Condition.DEGRADED, Condition.DOWN)


async def look_at_vendor(eyes: Eyes, vendor: Vendor) -> Sequence[Seen]:
    """What a vendor says of itself. Raises CannotRun when it says nothing that can be read."""
    async with eyes.client(vendor.url, follow=True) as client:
        response = await client.get(vendor.url)
    try:
        data = response.json()
        told = _stripe(data) if vendor.format == "stripe" else _statuspage(data)
        overall, parts, incidents = told
    except (ValueError, LookupError, TypeError, AttributeError):
        raise CannotRun(
            ErrorKind.BAD_OUTPUT, f"{vendor.url} answered {response.status_code} without a status that can be read"
        ) from None
    series = Series(environment="", target=vendor.name, kind=Kind.VENDOR)
    if not vendor.components:
        condition, detail = _MEANINGS.get(overall[0], Condition.UNKNOWN), overall[1]
    else:
        mine = {n: word for n, word in parts.items() if any(fnmatchcase(n, p) for p in vendor.components)}
        if not mine:
            raise CannotRun(ErrorKind.NO_DATA, f"{vendor.name} has no component {' or '.join(vendor.components)}")
        condition = max((_MEANINGS.get(word, Condition.UNKNOWN) for word in mine.values()), key=_WORST_LAST.index)
        wrong = [f"{n}: {word}" for n, word in mine.items() if _MEANINGS.get(word) is not Condition.UP]
        detail = "; ".join(wrong) or f"{len(mine)} components operational"
    if condition is not Condition.UP and incidents:
        detail = f"{detail} ({'; '.join(incidents[:3])})"
    return [Seen(series, condition, detail)]


Told = tuple[tuple[str, str], dict[str, str], list[str]]
"""The overall word and its description, each component's word, and the names of open incidents."""


def _statuspage(data: Any) -> Told:
    status = data["status"]
    parts = {str(part["name"]): str(part["status"]) for part in data.get("components", [])}
    incidents = [str(incident["name"]) for incident in data.get("incidents", [])]
    return (str(status["indicator"]), str(status["description"])), parts, incidents


def _stripe(data: Any) -> Told:
    parts = {str(name): str(word) for name, word in data.get("statuses", {}).items()}
    return (str(data["largestatus"]), str(data["message"])), parts, []
