"""A rolling release as JSON."""

from __future__ import annotations

from typing import Any

from ci.rehearsal.deployments import Deployment
from ci.rehearsal.rolling import RollingRelease
from ci.rehearsal.state import Project

Json = dict[str, Any]


def rolling_release(project: Project, rolling: RollingRelease | None) -> Json:
    """`GET /v1/projects/{id}/rolling-release`."""
    if rolling is None:
        return {"rollingRelease": None}
    following = rolling.stage + 1
    more = rolling.active and not rolling.last_stage
    return {
        "rollingRelease": {
            "state": rolling.state,
            "substate": None,
            "activeStage": _stage(rolling, rolling.stage) if rolling.active else None,
            "nextStage": _stage(rolling, following) if more else None,
            "stages": [_stage(rolling, index) for index in range(len(rolling.percentages))],
            "advancementType": "manual-approval",
            "currentDeployment": _deployment(project.deployments[rolling.current_id]),
            "canaryDeployment": _deployment(project.deployments[rolling.canary_id]),
            "queuedDeploymentId": rolling.queued[-1] if rolling.queued else None,
            "startedAt": rolling.started_at,
            "updatedAt": rolling.updated_at,
        }
    }


def _stage(rolling: RollingRelease, index: int) -> Json:
    last = index == len(rolling.percentages) - 1
    return {
        "index": index,
        "isFinalStage": last,
        "targetPercentage": rolling.percentages[index],
        "requireApproval": not last,
        "duration": None,
    }


def _deployment(item: Deployment) -> Json:
    return {
        "id": item.id,
        "name": item.name,
        "url": item.url,
        "target": item.target,
        "source": "cli",
        "createdAt": item.created_at,
        "readyState": item.ready_state,
        "readyStateAt": item.ready_at,
    }
