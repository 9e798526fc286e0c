"""What has started a workflow: GitHub's event file, read as what it is, untrusted input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ci.config.shape.scalars import site
from ci.errors import CannotRun, ConfigError
from ci.model import ErrorKind

Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
"""A full commit hash, SHA-1 or SHA-256."""
DeploymentId = Annotated[str, StringConstraints(pattern=r"^dpl_[A-Za-z0-9]{8,64}$")]
ProjectId = Annotated[str, StringConstraints(pattern=r"^prj_[A-Za-z0-9]{8,64}$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
EnvironmentName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"), AfterValidator(str.lower)
]
PlainUrl = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:/._\-\[\]?=&%~+,@]{1,500}$"), AfterValidator(site)]
"""A URL of characters that no shell, log or Markdown could take for something else."""


def _absent(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class _Told(BaseModel):
    """A part of an event: frozen, blind to fields that nobody here has asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class _Name(_Told):
    full_name: str


class _Person(_Told):
    login: str = ""


class Push(_Told):
    """Commits were pushed to a branch."""

    ref: str
    after: Sha
    deleted: bool = False

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")


class _Head(_Told):
    sha: Sha
    repo: _Name | None = None
    """None when the fork has been deleted."""


class _Base(_Told):
    sha: Sha


class _Pull(_Told):
    number: int
    head: _Head
    base: _Base


class PullRequest(_Told):
    """A pull request was opened or has new commits."""

    pull_request: _Pull
    repository: _Name
    sender: _Person = _Person()

    @property
    def no_secrets(self) -> str | None:
        """Why GitHub gives it no secrets, as a sentence; None when it does."""
        head = self.pull_request.head.repo
        if head is None or head.full_name.lower() != self.repository.full_name.lower():
            return "this pull request comes from a fork"
        if self.sender.login == "dependabot[bot]":
            return "this pull request comes from Dependabot"
        return None


class ByHand(_Told):
    """Somebody has started the workflow: the inputs of `workflow_dispatch`."""

    action: Literal["gate", "promote", "rollback", "reconcile", "rehearse"]
    url: Annotated[PlainUrl | None, BeforeValidator(_absent)] = None
    deployment: Annotated[DeploymentId | None, BeforeValidator(_absent)] = None
    baseline: Annotated[PlainUrl | None, BeforeValidator(_absent)] = None
    run: Annotated[RunId | None, BeforeValidator(_absent)] = None


class _Git(_Told):
    sha: Sha
    ref: str = ""


class _Project(_Told):
    id: ProjectId
    name: str = ""


class Payload(_Told):
    """What Vercel says about the deployment; nothing of it is believed before its API has confirmed it."""

    id: DeploymentId
    url: PlainUrl = Field(description="The deployment's own URL.")
    environment: EnvironmentName
    git: _Git
    project: _Project


class VercelEvent(_Told):
    """Vercel's Git integration tells of a deployment: `repository_dispatch` with its payload."""

    action: Literal["vercel.deployment.ready", "vercel.deployment.promoted"]
    client_payload: Payload


Event: TypeAlias = Push | PullRequest | ByHand | VercelEvent
_KINDS: Mapping[str, type[Push | PullRequest | VercelEvent]] = {
    "push": Push,
    "pull_request": PullRequest,
    "repository_dispatch": VercelEvent,
}


def read_event(environ: Mapping[str, str]) -> Event:
    """The event of this run, by GITHUB_EVENT_NAME and GITHUB_EVENT_PATH.

    Raises ConfigError outside of GitHub Actions and for wrong inputs of a person, CannotRun for a payload that is not
    what Vercel or GitHub sends.
    """
    name, path = environ.get("GITHUB_EVENT_NAME"), environ.get("GITHUB_EVENT_PATH")
    if not name or not path:
        raise ConfigError(
            "GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are not set: this command plans a run of GitHub Actions. "
            "On your own machine use `gonogo check`, `release`, `promote` or `rehearse`"
        )
    try:
        data = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"the event in {path} cannot be read: {error}") from None
    return parse_event(name, data)


def parse_event(name: str, data: object) -> Event:
    """The event as a value. Raises as `read_event` does."""
    if name == "workflow_dispatch":
        inputs = data.get("inputs") if isinstance(data, dict) else None
        try:
            return ByHand.model_validate(inputs)
        except ValidationError as error:
            raise ConfigError(f"the inputs are not what they should be: {_places(error)}") from None
    kind = _KINDS.get(name)
    if kind is None:
        raise ConfigError(f"there is no way for the event `{name}`; known here: {', '.join(_KINDS)}, workflow_dispatch")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        message = f"the payload of `{name}` is not what it should be, and nothing of it was used: {_places(error)}"
        raise CannotRun(ErrorKind.BAD_OUTPUT, message) from None


def _places(error: ValidationError) -> str:
    """Where it is wrong and what was wanted, without a word of the input itself."""
    wanted = {"client_payload.id": "a deployment id such as dpl_…", "inputs": "an object"}
    told = []
    for item in error.errors(include_url=False, include_input=False):
        place = ".".join(map(str, item["loc"])) or "inputs"
        told.append(f"`{place}`: {wanted.get(place) or _reason(item)}")
    return "; ".join(told)


def _reason(item: Any) -> str:
    match item["type"]:
        case "missing":
            return "is missing"
        case "string_pattern_mismatch":
            return f"must match {item['ctx']['pattern']}"
        case "value_error":
            return "must be a URL such as https://app.example.com, without a user name"
        case _:
            return str(item["msg"])
