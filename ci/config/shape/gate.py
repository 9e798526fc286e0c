"""`gate`: what a GO demands, and what is accepted until a date."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ci.config.shape.scalars import Duration, Section
from ci.model import Severity

STAGES = ("smoke", "security", "load")


def _required(value: str) -> str:
    stage = value.partition("/")[0]
    if stage not in STAGES:
        raise ValueError(f"{value!r} is neither a stage nor a check of one; the stages are {', '.join(STAGES)}")
    return value


Required = Annotated[str, AfterValidator(_required)]


class Waiver(Section):
    """Accepted until a date: one finding by its fingerprint, or what a check finds at a path."""

    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] | None = None
    check: str | None = Field(default=None, pattern="^[a-z]+/[a-z0-9-]+$", description="Id of a check.")
    path: str | None = Field(
        default=None, min_length=1, description="File in the repository or path on the target; `*` stands for anything."
    )
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.fingerprint is None) == (self.check is None or self.path is None):
            raise ValueError("say what is waived: either `fingerprint`, or `check` and `path` together")
        if self.fingerprint and (self.check or self.path):
            raise ValueError("a waiver by `fingerprint` needs neither `check` nor `path`")
        return self


class Gate(Section):
    """What a GO demands."""

    required: tuple[Required, ...] = Field(
        default=STAGES, min_length=1, description="Stages, and single checks that must not even be skipped."
    )
    fail_on: Severity = Field(default=Severity.MEDIUM, description="The mildest severity that means NO-GO.")
    max_age: Duration = Field(default=timedelta(hours=1), description="Older reports and verdicts count for nothing.")
    waivers: tuple[Waiver, ...] = ()
