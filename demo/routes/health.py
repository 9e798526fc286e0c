"""Health and identity of this deployment."""

import asyncio
import itertools
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from .. import database, flaws, services
from ..errors import declared
from ..settings import Settings

_VENDOR_TIMEOUT_SECONDS = 2.0
_SOME_OTHER_COMMIT = "0" * 40
_log = structlog.get_logger("demo.health")
_started = datetime.now(UTC)
_asked = itertools.count(1)

router = APIRouter(prefix="/api/health", tags=["health"])


class Health(BaseModel):
    """Alive, and which build this is."""

    status: Literal["ok", "unhealthy"]
    commit: str
    deployment_id: str
    timestamp: datetime


class ServiceHealth(BaseModel):
    """One service that the application needs; disabled means that it is not configured here."""

    status: Literal["up", "down", "disabled"]
    latency_ms: float | None = None


class DetailedHealth(BaseModel):
    """Whether every configured service answers."""

    status: Literal["healthy", "degraded"]
    commit: str
    deployment_id: str
    timestamp: datetime
    services: dict[str, ServiceHealth]


@router.get("", responses=declared())
async def health(request: Request, response: Response) -> Health:
    """Say that this process is alive and which commit and deployment it is."""
    response.headers["cache-control"] = "no-store"
    settings = services.of(request).settings
    answer = Health(
        status="ok",
        commit=settings.vercel_git_commit_sha,
        deployment_id=settings.vercel_deployment_id,
        timestamp=datetime.now(UTC),
    )
    times_asked = next(_asked)
    if flaws.active(request, "identity-flickers") and times_asked >= 3 and times_asked % 2:
        answer.commit = _SOME_OTHER_COMMIT
    if flaws.active(request, "health-cached"):
        response.headers["cache-control"] = "public, max-age=3600"
        answer.timestamp = _started
    if flaws.active(request, "health-unhealthy"):
        response.status_code = 503
        answer.status = "unhealthy"
    return answer


@router.get("/detailed", responses={503: {"model": DetailedHealth, "description": "Degraded."}, **declared()})
async def detailed_health(request: Request, response: Response) -> DetailedHealth:
    """Ask every service that the application needs."""
    parts = services.of(request)
    found = await _ask_all(parts)
    if flaws.active(request, "database-down") or flaws.active(request, "health-lies"):
        found["database"] = ServiceHealth(status="down")
    if flaws.active(request, "health-leaks"):
        found["db-1.harbour.internal"] = found["database"]
    healthy = all(service.status != "down" for service in found.values()) or flaws.active(request, "health-lies")
    response.status_code = 200 if healthy else 503
    return DetailedHealth(
        status="healthy" if healthy else "degraded",
        commit=parts.settings.vercel_git_commit_sha,
        deployment_id=parts.settings.vercel_deployment_id,
        timestamp=datetime.now(UTC),
        services=found,
    )


async def _ask_all(parts: services.Services) -> dict[str, ServiceHealth]:
    probes: dict[str, Awaitable[ServiceHealth]] = {
        "database": _timed("database", run_in_threadpool(database.is_up, parts.engine)),
        **{name: _vendor(name, url) for name, url in _vendor_addresses(parts.settings).items()},
    }
    return dict(zip(probes, await asyncio.gather(*probes.values()), strict=True))


def _vendor_addresses(settings: Settings) -> dict[str, str | None]:
    """A cheap question to each vendor; any answer below 500 shows that it is there (no key is sent)."""
    return {
        "vector_store": settings.vector_store_url and f"{settings.vector_store_url.rstrip('/')}/health",
        "openai": settings.openai_base_url and f"{settings.openai_base_url.rstrip('/')}/models",
        "stripe": settings.stripe_base_url and f"{settings.stripe_base_url.rstrip('/')}/v1/balance",
        "supabase": settings.supabase_url and f"{settings.supabase_url.rstrip('/')}/auth/v1/health",
    }


async def _vendor(name: str, address: str | None) -> ServiceHealth:
    return await _timed(name, _answers(address)) if address else ServiceHealth(status="disabled")


async def _answers(address: str) -> bool:
    import httpx  # only when a vendor is configured: it would slow down every start

    async with httpx.AsyncClient(timeout=_VENDOR_TIMEOUT_SECONDS) as client:
        return (await client.get(address)).status_code < 500


async def _timed(name: str, question: Awaitable[bool]) -> ServiceHealth:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_VENDOR_TIMEOUT_SECONDS + 1):
            up = await question
    except Exception as error:  # whatever is wrong with a service, the answer is that it is down
        _log.warning("service down", service=name, reason=type(error).__name__)
        up = False
    return ServiceHealth(status="up" if up else "down", latency_ms=round((time.perf_counter() - started) * 1000, 1))
