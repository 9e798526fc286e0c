"""Deployments, aliases and the project as JSON, with every field that Vercel's document requires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ci.rehearsal.alias_requests import AliasRequest, JobStatus, JobType
from ci.rehearsal.aliases import Alias
from ci.rehearsal.deployments import Deployment, Source
from ci.rehearsal.state import Project
from ci.rehearsal.variables import Variable

Json = dict[str, Any]

CREATOR = {"uid": "usr_rehearsal", "username": "rehearsal", "email": "rehearsal@example.test"}
REGIONS = ["iad1"]


def deployment(project: Project, item: Deployment) -> Json:
    """`GET /v13/deployments/{id}`, and the answer to its creation."""
    answer: Json = {
        **_common(project, item),
        "id": item.id,
        "ownerId": project.account_id,
        "status": item.ready_state,
        "aliasAssigned": item.alias_assigned_at is not None,
        "aliasAssignedAt": item.alias_assigned_at,
        "alias": [alias.domain for alias in project.aliases.of(item.id)],
        "autoAssignCustomDomains": item.auto_assign,
        "bootedAt": item.created_at,
        "buildingAt": item.building_at or item.created_at,
        "buildSkipped": False,
        "build": {"env": list(item.env_names)},
        "env": list(item.env_names),
        "createdIn": "iad1",
        "isInConcurrentBuildsQueue": False,
        "isInSystemBuildsQueue": False,
        "plan": project.plan,
        "projectSettings": {},
        "project": {"id": project.id, "name": project.name, "framework": None},
        "public": False,
        "regions": REGIONS,
        "routes": None,
        "type": "LAMBDAS",
        "version": 2,
    }
    if project.team_slug:
        answer["team"] = {"id": project.account_id, "slug": project.team_slug, "name": "Rehearsal"}
    if item.failure:
        answer |= {"errorCode": item.failure.code, "errorMessage": item.failure.message}
    if item.source.sha and item.source.integrated:
        answer["gitSource"] = _git_source(item.source)
    return answer


def listed_deployment(project: Project, item: Deployment) -> Json:
    """One item of `GET /v7/deployments`, whose id is called `uid`."""
    return {
        **_common(project, item),
        "uid": item.id,
        "created": item.created_at,
        "state": item.ready_state,
        "aliasAssigned": item.alias_assigned_at,
        "isRollbackCandidate": is_rollback_candidate(project, item),
        "type": "LAMBDAS",
    }


def build(item: Deployment) -> Json:
    """The one build of a deployment, as the command line shows it."""
    return {
        "id": f"bld_{item.id}",
        "deploymentId": item.id,
        "entrypoint": ".",
        "readyState": item.ready_state,
        "readyStateAt": item.ready_at,
        "createdAt": item.created_at,
        "output": [],
    }


def is_rollback_candidate(project: Project, item: Deployment) -> bool:
    """Whether `rollbackCandidate=true` lists it: it has served production, and does not serve it now."""
    return item.has_served and project.current_id != item.id


def project_settings(project: Project, request: AliasRequest | None) -> Json:
    """`GET /v9/projects/{id}`. `request` is None without `rollbackInfo=true`: `lastAliasRequest` is null then."""
    current = project.deployments.get(project.current_id or "")
    rolling_back = request is not None and request.open and request.type is JobType.ROLLBACK
    return {
        "id": project.id,
        "name": project.name,
        "accountId": project.account_id,
        "createdAt": project.created_at,
        "updatedAt": project.created_at,
        "alias": [_project_alias(project, alias) for alias in project.aliases],
        "autoAssignCustomDomains": project.auto_assign,
        "autoExposeSystemEnvs": True,
        "defaultResourceConfig": {"functionDefaultRegions": REGIONS},
        "resourceConfig": {"functionDefaultRegions": REGIONS},
        "deploymentExpiration": {},
        "directoryListing": False,
        "framework": None,
        "lastAliasRequest": _alias_request(request) if request else None,
        "lastRollbackTarget": {"id": request.to_id} if rolling_back and request else None,
        "latestDeployments": [_summary(project, item) for item in newest_first(project)[:2]],
        "live": True,
        "nodeVersion": "22.x",
        "rollingRelease": {"target": "production"} if project.rolling_release else None,
        "targets": {"production": _summary(project, current)} if current else {},
    }


def newest_first(project: Project) -> list[Deployment]:
    """All deployments, the youngest first."""
    return sorted(project.deployments.values(), key=lambda item: item.created_at, reverse=True)


def alias(project: Project, item: Alias) -> Json:
    """`GET /v4/aliases/{alias}`; also an item of a deployment's aliases."""
    return {
        "uid": f"als_{item.domain}",
        "alias": item.domain,
        "created": datetime.fromtimestamp(project.created_at / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "createdAt": project.created_at,
        "deploymentId": item.deployment_id,
        "projectId": project.id,
        "redirect": item.redirect,
    }


def job_aliases(request: AliasRequest | None, failed_only: bool, document_shape: bool) -> Json:
    """`GET …/promote/aliases`. The document names the alias by a string, the command line reads an object."""
    items: list[Json] = []
    for name, status in request.domains.items() if request else ():
        if failed_only and status is not JobStatus.FAILED:
            continue
        assert request is not None
        shown = "completed" if status is JobStatus.SUCCEEDED else status
        target: Json | str = name if document_shape else {"alias": name, "deploymentId": request.to_id}
        items.append({"id": f"als_{name}", "alias": target, "status": shown})
    return {"aliases": items, "pagination": {"count": len(items), "next": None, "prev": None}}


def domain(project: Project, item: Alias) -> Json:
    """One item of `GET /v9/projects/{id}/domains`."""
    return {
        "name": item.domain,
        "apexName": item.domain,
        "projectId": project.id,
        "redirect": item.redirect,
        "verified": True,
        "createdAt": project.created_at,
        "updatedAt": project.created_at,
    }


def variable(item: Variable) -> Json:
    """One item of `GET /v10/projects/{id}/env`; a sensitive value never leaves."""
    return {
        "id": item.id,
        "key": item.key,
        "value": "" if item.type == "sensitive" else item.value,
        "target": list(item.targets),
        "type": item.type,
        "securityIssues": [],
    }


def _common(project: Project, item: Deployment) -> Json:
    return {
        "name": item.name,
        "url": item.url,
        "projectId": project.id,
        "target": item.target,
        "readyState": item.ready_state,
        "readySubstate": item.substate,
        "createdAt": item.created_at,
        "ready": item.ready_at,
        "meta": item.meta,
        "creator": CREATOR,
        "inspectorUrl": None,
        "source": "cli",
        "aliasError": {"code": item.alias_failure.code, "message": item.alias_failure.message}
        if item.alias_failure
        else None,
        "checksState": "completed",
        "checksConclusion": "succeeded",
    }


def _git_source(source: Source) -> Json:
    return {"type": "github", "repoId": 1, "ref": source.branch, "sha": source.sha, "prId": None}


def _summary(project: Project, item: Deployment) -> Json:
    return {
        "id": item.id,
        "name": item.name,
        "url": item.url,
        "deploymentHostname": item.url,
        "createdAt": item.created_at,
        "createdIn": "iad1",
        "creator": CREATOR,
        "plan": project.plan,
        "private": False,
        "readyState": item.ready_state,
        "readySubstate": item.substate,
        "target": item.target,
        "meta": item.meta,
        "type": "LAMBDAS",
        "alias": [alias.domain for alias in project.aliases.of(item.id)],
    }


def _project_alias(project: Project, item: Alias) -> Json:
    pointed_at = project.deployments.get(item.deployment_id or "")
    entry: Json = {
        "domain": item.domain,
        "environment": "production",
        "target": "PRODUCTION",
        "deployment": _summary(project, pointed_at) if pointed_at else None,
    }
    return entry | ({"redirect": item.redirect} if item.redirect else {})


def _alias_request(request: AliasRequest) -> Json:
    return {
        "fromDeploymentId": request.from_id,
        "toDeploymentId": request.to_id,
        "jobStatus": request.status,
        "requestedAt": request.requested_at,
        "type": request.type,
    }
