"""What Vercel's API answers, as far as a release needs it. Fields that are not named here are ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

META_COMMIT = "gonogoCommit"
META_RUN = "gonogoRun"
META_ATTEMPT = "gonogoAttempt"
_COMMIT_KEYS = (META_COMMIT, "githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha", "gitCommitSha")


class Answer(BaseModel):
    """A part of an answer: frozen, in the API's camel case, blind to fields that nobody here has asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class GitSource(Answer):
    """The commit that Vercel itself has fetched."""

    sha: str | None = None
    ref: str | None = None


class Deployment(Answer):
    """An immutable deployment. States are plain strings, so that one we have never heard of is simply no success."""

    id: str
    url: str
    project_id: str | None = None
    target: str | None = None
    ready_state: str = ""
    ready_substate: str | None = None
    created_at: int = 0
    """Unix milliseconds."""
    git_source: GitSource | None = None
    meta: dict[str, Any] = {}
    checks_conclusion: str | None = None
    error_message: str | None = None

    @property
    def base_url(self) -> str:
        """Its own immutable URL, without a trailing slash."""
        return self.url.rstrip("/") if "://" in self.url else f"https://{self.url.rstrip('/')}"

    @property
    def commit(self) -> str | None:
        """The commit it was built from: Vercel's own word first, then what the deploying client has noted."""
        if self.git_source and self.git_source.sha:
            return self.git_source.sha
        return next((str(self.meta[key]) for key in _COMMIT_KEYS if self.meta.get(key)), None)

    @property
    def ready(self) -> bool:
        """It is built and answers."""
        return self.ready_state == "READY"


class ListedDeployment(Deployment):
    """An item of the list, where the id is called `uid` and the state `state`."""

    id: str = Field(alias="uid")
    ready_state: str = Field(default="", alias="state")
    created_at: int = Field(default=0, alias="created")


class Pagination(Answer):
    """Where the next page begins: to be passed as `until`."""

    next: int | None = None


class DeploymentPage(Answer):
    """One page of the list."""

    deployments: tuple[ListedDeployment, ...] = ()
    pagination: Pagination = Pagination()


class Job(Answer):
    """`lastAliasRequest`: the last promotion or rollback that was asked for, by whomever."""

    type: str = ""
    to_deployment_id: str = ""
    from_deployment_id: str | None = None
    job_status: str = ""
    requested_at: int = 0
    """Unix milliseconds; what tells two jobs apart."""

    @property
    def open(self) -> bool:
        """It may still move domains. A state we have never heard of may, too."""
        return self.job_status not in {"succeeded", "failed", "skipped"}


class Reference(Answer):
    """A deployment named inside another answer."""

    id: str


class Domain(Answer):
    """One domain of the project, and the deployment behind it."""

    domain: str
    target: str | None = None
    environment: str | None = None
    redirect: str | None = None
    git_branch: str | None = None
    custom_environment_id: str | None = None
    deployment: Reference | None = None

    @property
    def serves_production(self) -> bool:
        """It shows production itself: no redirect, no branch, no custom environment."""
        kind = (self.environment or self.target or "").lower()
        return kind == "production" and not (self.redirect or self.git_branch or self.custom_environment_id)


class AliasAnswer(Answer):
    """One domain, by its name."""

    alias: str
    deployment_id: str | None = None


class Project(Answer):
    """The project with its live map of domains."""

    id: str
    name: str = ""
    alias: tuple[Domain, ...] = ()
    targets: dict[str, Reference | None] = {}
    auto_assign_custom_domains: bool = True
    last_alias_request: Job | None = None

    @field_validator("alias", "targets", mode="before")
    @classmethod
    def _absent_is_empty(cls, value: Any, info: Any) -> Any:
        return value if value is not None else ({} if info.field_name == "targets" else ())


class RollingRelease(Answer):
    """A release that takes traffic in steps."""

    state: str = ""


class RollingReleaseAnswer(Answer):
    """The project's rolling release in the state asked for, if there is one."""

    rolling_release: RollingRelease | None = None
