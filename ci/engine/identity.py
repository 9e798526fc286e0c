"""Reading which build a URL serves."""

from __future__ import annotations

import json
from typing import Any

import httpx

from ci.config.shape.target import Identity
from ci.errors import CannotRun
from ci.model import ErrorKind, Model, Subject

SHORTEST_COMMIT = 7
"""Characters of a commit's hash that name it well enough."""


class Served(Model):
    """What a URL says it serves."""

    commit: str
    deployment_id: str | None = None


def dotted(data: Any, path: str) -> Any:
    """The value at a dotted path in parsed JSON, as in `checks.0.status`; None when there is none."""
    for step in path.split("."):
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def served_by(response: httpx.Response, identity: Identity) -> Served:
    """What the answer says. Raises CannotRun(WRONG_SUBJECT) when it does not say."""
    if identity.header:
        commit: Any = response.headers.get(identity.header)
        return Served(commit=_named(commit, f"the header `{identity.header}`", response))
    try:
        data = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CannotRun(
            ErrorKind.WRONG_SUBJECT,
            f"{response.url} answered {response.status_code} without JSON, so it does not say which commit it serves; "
            "see target.identity",
        ) from None
    assert identity.json_field
    commit = _named(dotted(data, identity.json_field), f"the field `{identity.json_field}`", response)
    deployment = dotted(data, identity.deployment) if identity.deployment else None
    return Served(commit=commit, deployment_id=str(deployment) if deployment else None)


def mismatch(served: Served, subject: Subject) -> str | None:
    """How what is served differs from the subject, or None when it does not."""
    if subject.commit and not same_commit(served.commit, subject.commit):
        return f"it serves commit {served.commit[:40]}, wanted {subject.commit}"
    if subject.deployment_id and served.deployment_id and served.deployment_id != subject.deployment_id:
        return f"it serves deployment {served.deployment_id[:60]}, wanted {subject.deployment_id}"
    return None


def same_commit(one: str, other: str) -> bool:
    """Whether two hashes, one of them perhaps shortened, name the same commit."""
    shorter, longer = sorted((one.lower(), other.lower()), key=len)
    return shorter == longer or (len(shorter) >= SHORTEST_COMMIT and longer.startswith(shorter))


def _named(commit: Any, place: str, response: httpx.Response) -> str:
    if not isinstance(commit, str) or not commit.strip():
        raise CannotRun(
            ErrorKind.WRONG_SUBJECT,
            f"{response.url} answered {response.status_code}, but {place} names no commit; see target.identity",
        )
    return commit.strip()
