"""What a job is told by its environment, `GONOGO_<NAME>`: untrusted until it has its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from ci.errors import ConfigError
from ci.workflow.events import DeploymentId, EnvironmentName, PlainUrl, Sha
from ci.workflow.routes import Route, Target

PREFIX = "GONOGO_"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Inputs(BaseModel):
    """Frozen. An empty variable is an absent one, as GitHub passes absent values on."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The values in the environment. Raises ConfigError that names each wrong variable, and never its value."""
        given = {name: environ.get(PREFIX + name.upper(), "").strip() for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            wrong = (f"{PREFIX}{str(item['loc'][0]).upper()}: {_reason(item['type'])}" for item in error.errors())
            raise ConfigError("; ".join(dict.fromkeys(wrong))) from None


def _reason(kind: str) -> str:
    return "is not set" if kind == "missing" else "has not the shape that is wanted; see ci/workflow/inputs.py"


class GateInputs(Inputs):
    """What is to be judged."""

    url: PlainUrl
    baseline: PlainUrl | None = None
    commit: Sha | None = None
    deployment: DeploymentId | None = None
    stages: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()


class StageInputs(Inputs):
    """What is to be deployed, and for what."""

    target: Target
    commit: Sha


class TellInputs(Inputs):
    """What the verdict has to be about, and where it is told."""

    route: Route
    environment: EnvironmentName
    commit: Sha | None = None
    deployment: DeploymentId | None = None


class CandidateInputs(Inputs):
    """A deployment that was judged before, or that serves already."""

    deployment: DeploymentId
    commit: Sha | None = None


class LoadInputs(Inputs):
    """How heavy a load, and against what."""

    profile: str | None = None
    url: PlainUrl | None = None
