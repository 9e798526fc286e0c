"""`target`: the application that is judged."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from ci.config.shape.scalars import Duration, Path, Place, Section


class Identity(Section):
    """Where the target says which commit it is."""

    path: Path = "/api/health"
    json_field: str | None = Field(default=None, alias="json", description="Dotted path in the JSON answer.")
    header: str | None = Field(default=None, description="Response header that holds the commit.")
    deployment: str | None = Field(
        default=None, description="Dotted path of the deployment id, when the answer has one."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.json_field is None) == (self.header is None):
            raise ValueError("say where the commit is: either `json` (a dotted path) or `header`, and only one of them")
        return self


class Target(Section):
    """The application that is judged."""

    production: Place = Field(description="The production URL.")
    identity: Identity | None = Field(default=None, description="How the running target names its commit.")
    request_budget: int = Field(default=1000, ge=1, description="Requests that one stage may make, load excepted.")
    timeout: Duration = Field(default=timedelta(seconds=10), description="For one answer of the target.")
