"""status.json: what the page tells, for programs. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ci.monitor.facts import Incident
from ci.monitor.figures import Figures
from ci.monitor.page.view import Part, StatusPage

SCHEMA_VERSION = 1


def render(page: StatusPage) -> str:
    """Shares are from 0 to 1, times UTC, durations seconds; null where nothing is known."""
    return json.dumps(_page(page), indent=1, default=datetime.isoformat) + "\n"


def _page(page: StatusPage) -> dict[str, Any]:
    parts = [part for one in page.environments for part in (*one.serving, *one.behind)]
    return {
        "schema_version": SCHEMA_VERSION,
        "title": page.title,
        "generated_at": page.now,
        "last_round": page.last_round,
        "interval_s": page.every.total_seconds(),
        "state": page.headline.state,
        "summary": f"{page.headline.word}. {page.headline.sentence}",
        "uptime": {name: _figures(told) for name, told in page.windows},
        "objective": {"availability": page.objective, "days": page.objective_days, "budget": _budget(page)},
        "parts": [_part(page, part) for part in (*parts, *page.expiring, *page.vendors, *page.quotas)],
        "incidents": [_incident(page, incident) for incident in page.incidents],
        "rounds": {"made": page.rounds, "missed": page.missed, "corrupt_lines": page.corrupt},
    }


def _part(page: StatusPage, part: Part) -> dict[str, Any]:
    series = part.series
    told: dict[str, Any] = {"environment": series.environment or None, "kind": series.kind, "name": part.name}
    told |= {"state": part.state, "seen_at": part.last.at if part.last else None, "measure": part.measure}
    if series.kind.serves and part.told:
        told["uptime"] = _figures(part.told)
    if page.details and part.last:
        told["detail"] = part.last.detail
    return told


def _figures(told: Figures) -> dict[str, Any]:
    shares = {"uptime": told.uptime, "coverage": told.coverage, "at_least": told.low, "at_most": told.high}
    response = {"p50_ms": told.p50_ms, "p95_ms": told.p95_ms, "p99_ms": told.p99_ms, "apdex": told.apdex}
    rounded = {name: None if value is None else round(value, 6) for name, value in (shares | response).items()}
    return {"begins": told.begins, "ends": told.ends, "probes": told.probes, "failures": told.failures, **rounded}


def _budget(page: StatusPage) -> dict[str, Any] | None:
    if page.budget is None:
        return None
    told = page.budget.model_dump(mode="json")
    return {**told, "left": round(page.budget.left, 6), "left_at_worst": round(page.budget.left_at_worst, 6)}


def _incident(page: StatusPage, incident: Incident) -> dict[str, Any]:
    told = incident.model_dump(mode="json", exclude={"schema_version", "evidence", "series"})
    told |= {"id": incident.id, "title": incident.title, "open": incident.open}
    told |= {"lasted_s": incident.duration(page.now).total_seconds()}
    return {**told, "evidence": incident.evidence} if page.details else told
