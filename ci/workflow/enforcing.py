"""Whether a run was what its plan demanded: the one job whose colour counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ci.errors import CannotRun
from ci.model import Decision, ErrorKind, ReleaseEnd
from ci.workflow.routes import JOBS, Route

BAD_ENDS = {
    ReleaseEnd.ROLLED_BACK: (20, "production was rolled back"),
    ReleaseEnd.ROLLBACK_FAILED: (21, "production is wrong and could not be rolled back: act now"),
    ReleaseEnd.HOLD: (3, "a condition for the promotion was not met, so production is as it was"),
    ReleaseEnd.SUPERSEDED: (3, "production has moved on to something newer meanwhile; this release was not made"),
    ReleaseEnd.QUEUED: (3, "Vercel will promote later, behind a rolling release"),
    ReleaseEnd.UNKNOWN: (3, "what serves production is not certain: run `reconcile`"),
}
GO, NO_GO, HOLD = 0, 1, 3


class _Job(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    result: str
    outputs: dict[str, Any] | None = None

    def told(self, name: str) -> str:
        """One of its outputs; empty when it has none."""
        return str((self.outputs or {}).get(name) or "")

    @property
    def end(self) -> ReleaseEnd | None:
        told = self.told("end")
        return ReleaseEnd(told) if told in set(ReleaseEnd) else None


class Ruling(NamedTuple):
    """The exit code of the run, and a sentence for each thing that was not as it had to be."""

    code: int
    problems: tuple[str, ...]
    route: str


_NEEDS = TypeAdapter(dict[str, _Job])


def enforce(needs: str) -> Ruling:
    """Judge the results of all jobs, as `toJSON(needs)` tells them. Raises CannotRun when they cannot be read.

    Every planned job has to have succeeded, no other may have run, and where there is a gate its verdict is GO.
    """
    try:
        jobs = _NEEDS.validate_json(needs)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the whole"
        message = f"GONOGO_NEEDS is not what `toJSON(needs)` gives (see {place}); set it as ci-cd.yml does"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message) from None
    plan = jobs.pop("plan", None)
    if plan is None or plan.result != "success":
        told = plan.result if plan else "missing"
        return Ruling(HOLD, (f"plan: {told}, so nobody knows what this run had to do",), "unknown")
    planned, route = _planned(plan), plan.told("route")
    if route not in set(Route) or set(planned) != set(JOBS[Route(route)]):
        told = f"plan: the jobs {planned} are not those of the route {route!r}, so nobody knows what had to run"
        return Ruling(HOLD, (told,), route)
    rulings = [_judge(name, jobs[name]) for name in planned if name in jobs]
    rulings += [(HOLD, f"{name}: was planned, but there is no such job") for name in planned if name not in jobs]
    rulings += [
        (HOLD, f"{name}: {job.result}, although it was not planned")
        for name, job in jobs.items()
        if name not in planned and job.result != "skipped"
    ]
    wrong = [ruling for ruling in rulings if ruling[1]]
    return Ruling(_worst(code for code, _ in wrong), tuple(told for _, told in wrong), route)


def _planned(plan: _Job) -> list[str]:
    try:
        return TypeAdapter(list[str]).validate_json(plan.told("jobs"))
    except ValidationError:
        raise CannotRun(ErrorKind.BAD_OUTPUT, "the plan names no jobs, so nothing can be demanded of them") from None


def _judge(name: str, job: _Job) -> tuple[int, str]:
    if name == "gate":
        verdict = job.told("verdict")
        if verdict != Decision.GO:
            code = NO_GO if verdict == Decision.NO_GO else HOLD
            return code, f"gate: {verdict or f'HOLD, for it has left no verdict ({job.result})'}"
    if job.end in BAD_ENDS:  # whatever colour the job has
        code, told = BAD_ENDS[job.end]
        return code, f"{name}: {told}"
    if job.result == "success":
        return GO, ""
    meanings: Mapping[str, tuple[int, str]] = {
        "failure": (NO_GO, "failed"),
        "cancelled": (HOLD, "was cancelled, so nothing is known"),
        "skipped": (HOLD, "was planned, but did not run"),
    }
    code, told = meanings.get(job.result, (HOLD, f"ended as {job.result!r}"))
    return code, f"{name}: {told}"


def _worst(codes: Iterable[int]) -> int:
    order = (GO, HOLD, NO_GO, 20, 21)
    return max(codes, key=order.index, default=GO)


def results(needs: str) -> dict[str, str]:
    """The result of each job by its id; nothing when there is nothing to read."""
    try:
        return {name: job.result for name, job in _NEEDS.validate_json(needs).items()}
    except ValidationError:
        return {}
