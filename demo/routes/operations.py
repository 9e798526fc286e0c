"""What machines call: the payment vendor's webhook, the scheduled backup, browsers reporting errors."""

import gzip
import hmac
import json
import time
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from .. import flaws, services
from ..database import backups, billing_events, error_logs, users
from ..errors import ApiError, declared
from ..inputs import RequestBody, Text

_SIGNATURE_TOLERANCE_SECONDS = 5 * 60
_BACKUPS_KEPT = 4
_MAX_METADATA_CHARACTERS = 4000
_log = structlog.get_logger("demo.operations")
router = APIRouter(prefix="/api", tags=["operations"])


class WebhookReceipt(BaseModel):
    """The event has arrived; ``duplicate`` when it had arrived before."""

    received: Literal[True] = True
    duplicate: bool


class BackupReceipt(BaseModel):
    """What has been saved."""

    id: UUID
    rows: dict[str, int]
    bytes: int
    sha256: str


class ErrorReport(RequestBody):
    """An error that happened in a browser."""

    message: Annotated[Text, Field(min_length=1, max_length=2000)]
    stack: Annotated[Text | None, Field(max_length=8000)] = None
    source: Annotated[Text | None, Field(max_length=500)] = None
    severity: Literal["debug", "info", "warning", "error", "critical"] = "error"
    metadata: dict[Text, Text | int | float | bool | None] = Field(default_factory=dict, max_length=20)


class ErrorReceipt(BaseModel):
    """Under which id the error was stored."""

    id: UUID


@router.post("/billing/webhook", responses=declared(400, 413))
async def billing_webhook(
    request: Request, stripe_signature: Annotated[str | None, Header(max_length=1000)] = None
) -> WebhookReceipt:
    """Take a signed event from the payment vendor, once."""
    body = await request.body()
    secret = services.of(request).settings.stripe_webhook_secret
    if not flaws.active(request, "webhook-unsigned") and not _signed(body, stripe_signature, secret):
        raise ApiError(400, "invalid_signature", "The event is not signed by the payment vendor, or too old.")
    event = _event(body)
    fresh = await run_in_threadpool(_store_event, services.of(request).engine, event)
    return WebhookReceipt(duplicate=not fresh)


@router.get("/cron/backup", responses=declared(401))
async def cron_backup(
    request: Request, authorization: Annotated[str | None, Header(max_length=1000)] = None
) -> BackupReceipt:
    """Save a copy of the data; called by the platform's scheduler, which knows the secret."""
    secret = services.of(request).settings.cron_secret
    if not flaws.active(request, "cron-open") and not _is_scheduler(authorization, secret):
        raise ApiError(401, "unauthorized", "Only the scheduler may call this.", {"www-authenticate": "Bearer"})
    return await run_in_threadpool(_back_up, services.of(request).engine)


@router.post("/errors/log", status_code=201, responses=declared(400, 413))
async def log_error(request: Request, report: ErrorReport) -> ErrorReceipt:
    """Store an error that happened in a browser."""
    if len(json.dumps(report.metadata)) > _MAX_METADATA_CHARACTERS:
        raise ApiError(400, "invalid_request", f"metadata may have at most {_MAX_METADATA_CHARACTERS} characters.")
    receipt = ErrorReceipt(id=uuid4())
    await run_in_threadpool(_store_error, services.of(request).engine, receipt.id, report)
    return receipt


def _signed(body: bytes, header: str | None, secret: SecretStr | None) -> bool:
    """Whether ``t=<time>,v1=<hex>,…`` holds a recent HMAC-SHA256 of ``<time>.<body>`` (Stripe's scheme)."""
    if secret is None or header is None:
        return False
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamp = next((value for key, _, value in pairs if key == "t"), "")
    if not (stamp.isascii() and stamp.isdigit() and abs(time.time() - int(stamp)) <= _SIGNATURE_TOLERANCE_SECONDS):
        return False
    expected = hmac.new(secret.get_secret_value().encode(), f"{stamp}.".encode() + body, sha256).hexdigest()
    return any(key == "v1" and hmac.compare_digest(value.encode(), expected.encode()) for key, _, value in pairs)


def _event(body: bytes) -> dict[str, str]:
    """The event's id and type; an event that has no id goes by what it says."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    event: dict[str, Any] = content if isinstance(content, dict) else {}
    identifier = str(event.get("id") or sha256(body).hexdigest())
    return {"id": identifier[:255], "type": str(event.get("type") or "unknown")[:100]}


def _store_event(engine: Engine, event: dict[str, str]) -> bool:
    try:
        with engine.begin() as connection:
            connection.execute(insert(billing_events).values(**event))
    except IntegrityError:
        return False
    return True


def _is_scheduler(authorization: str | None, secret: SecretStr | None) -> bool:
    if secret is None or authorization is None:
        return False
    return hmac.compare_digest(authorization.encode(), f"Bearer {secret.get_secret_value()}".encode())


def _back_up(engine: Engine) -> BackupReceipt:
    """Save users (without password hashes) and error logs; keep the last few copies."""
    with engine.begin() as connection:
        saved = {
            "users": connection.execute(select(users.c.id, users.c.email, users.c.name, users.c.tier)).mappings().all(),
            "error_logs": connection.execute(select(error_logs)).mappings().all(),
        }
        plain = json.dumps({table: [dict(row) for row in rows] for table, rows in saved.items()}, default=_as_text)
        content = gzip.compress(plain.encode())
        receipt = BackupReceipt(
            id=uuid4(),
            rows={table: len(rows) for table, rows in saved.items()},
            bytes=len(content),
            sha256=sha256(content).hexdigest(),
        )
        connection.execute(insert(backups).values(id=receipt.id, sha256=receipt.sha256, content=content))
        newest = select(backups.c.id).order_by(backups.c.created_at.desc(), backups.c.id).limit(_BACKUPS_KEPT)
        connection.execute(delete(backups).where(backups.c.id.not_in(newest.scalar_subquery())))
    _log.info("backup", id=str(receipt.id), bytes=receipt.bytes)
    return receipt


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _store_error(engine: Engine, identifier: UUID, report: ErrorReport) -> None:
    with engine.begin() as connection:
        connection.execute(insert(error_logs).values(id=identifier, **report.model_dump()))
