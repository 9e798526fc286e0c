"""What may go wrong, on demand: answers that differ, arrive late, get lost, or are beaten by somebody else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ci.rehearsal.refusal import RefusedError

CODES = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "gone",
    422: "unprocessable_entity",
    429: "rate_limited",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}


class Fault(BaseModel):
    """One disturbance of an API operation.

    `operation`: its name in the routes of `ci.rehearsal.api` (for example `promote`), or `*` for all.
    `skip`, `times`: leave the first `skip` calls alone, then disturb `times` calls (None: all that follow).
    `applied`: whether the operation takes effect before the answer is replaced or lost.
    `status`, `code`, `message`, `retry_after`: the answer instead of the true one.
    `lost`: the connection is closed without an answer. `malformed`: the answer is JSON cut short.
    `delay`: seconds before the answer.
    `other_writer`: id of a deployment that somebody else promotes, `when` before or after the operation is applied.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = 1
    applied: bool = False
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: str | None = None
    message: str = "This answer was asked for by the rehearsal"
    retry_after: str | None = None
    lost: bool = False
    malformed: bool = False
    delay: Annotated[float, Field(ge=0)] = 0.0
    other_writer: str | None = None
    when: Literal["before", "after"] = "before"

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if sum((self.status is not None, self.lost, self.malformed)) > 1:
            raise ValueError("`status`, `lost` and `malformed` exclude each other: one call has one answer")
        return self

    @property
    def replaces_answer(self) -> bool:
        """The true answer is not sent."""
        return self.status is not None or self.lost or self.malformed


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0

    def fires(self, operation: str) -> bool:
        fault = self.fault
        if fault.operation not in (operation, "*"):
            return False
        self.seen += 1
        return self.seen > fault.skip and (fault.times is None or self.seen <= fault.skip + fault.times)


class Faults:
    """The faults in force, in the order in which they were added; the first that fires is the one that counts."""

    def __init__(self, operations: frozenset[str]) -> None:
        self._operations = operations | {"*"}
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force. Raises ValueError when there is no such operation: the fault would never fire."""
        if fault.operation not in self._operations:
            known = ", ".join(sorted(self._operations))
            raise ValueError(f"there is no operation `{fault.operation}`; wanted one of {known}")
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Put all faults out of force."""
        self._armed.clear()

    def next(self, operation: str) -> Fault | None:
        """The fault that hits this call. Every armed fault counts the call, whichever fires."""
        firing = [armed.fault for armed in self._armed if armed.fires(operation)]
        return firing[0] if firing else None


def faulty_answer(fault: Fault, request: web.Request) -> web.StreamResponse:
    """The answer that a fault puts in place of the true one."""
    if fault.lost:
        if request.transport:
            request.transport.abort()
        return web.Response()
    if fault.malformed:
        return web.Response(body=b'{"id": "dpl_', content_type="application/json")
    assert fault.status is not None
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    if fault.status < 400:
        return web.json_response({}, status=fault.status, headers=headers)
    details = {"limit": {"total": 100, "remaining": 0, "reset": round(time.time()) + 60}} if fault.status == 429 else {}
    code = fault.code or CODES.get(fault.status, "error")
    return error_answer(RefusedError(fault.status, code, fault.message, **details), headers)


def error_answer(refusal: RefusedError, headers: dict[str, str] | None = None) -> web.Response:
    """Vercel's error model: `{"error": {"code", "message", …}}`."""
    body = {"error": {"code": refusal.code, "message": refusal.message, **refusal.details}}
    return web.json_response(body, status=refusal.status, headers=headers)


async def pause(fault: Fault) -> None:
    """Wait as long as the fault says."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
