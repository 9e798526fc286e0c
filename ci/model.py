"""The facts that travel through the pipeline.

    gonogo.yaml -> probe -> evidence -> check -> CheckResult -> StageReport -> gate -> Verdict

Every type is frozen, refuses unknown fields and does no I/O. A `StageReport` and a `Verdict` are also
the files that travel between jobs, so a change of their fields means a new `schema_version`.
"""

from __future__ import annotations

import enum
import hashlib
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ci.address import lasting, path_of

EXCERPT_LIMIT = 2_000
"""Characters of an excerpt that are kept; the rest is cut and the cut is marked."""


class Model(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Severity(enum.StrEnum):
    """How bad it is when a check fails, mildest first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Outcome(enum.StrEnum):
    """What became of one check, best first: the order decides which outcome is the worst."""

    PASS = "pass"
    SKIP = "skip"
    ERROR = "error"
    """The check could not run, so nothing is known."""
    FAIL = "fail"
    """The check ran and the answer is no."""

    @property
    def rank(self) -> int:
        return list(Outcome).index(self)


class ErrorKind(enum.StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    """The TLS handshake failed: over the certificate, or the protocol."""
    TIMEOUT = "timeout"
    LOGIN_WALL = "login-wall"
    """A protection page answered in the application's place."""
    CHALLENGED = "challenged"
    """A firewall answered in the application's place."""
    RATE_LIMITED = "rate-limited"
    WRONG_SUBJECT = "wrong-subject"
    TOOL_MISSING = "tool-missing"
    TOOL_FAILED = "tool-failed"
    BAD_OUTPUT = "bad-output"
    NO_DATA = "no-data"
    NOT_REACHED = "not-reached"
    """The load that was intended did not come about."""
    NOT_REFUTED = "not-refuted"
    """Nothing speaks against it, but too little was seen to certify it."""
    INCONCLUSIVE = "inconclusive"
    """Enough was seen, and it shows neither that it is right nor that it is wrong."""
    UNHEALTHY = "unhealthy"
    """What serves production fails in the same way, so nothing is known about the candidate."""
    BUDGET = "budget"
    """The run's request budget is used up."""
    MISCONFIGURED = "misconfigured"
    INTERRUPTED = "interrupted"
    BUG = "bug"


class Subject(Model):
    """What is being judged. Reports about different subjects never mix."""

    url: str
    commit: str | None = None
    deployment_id: str | None = None

    def __str__(self) -> str:
        parts = [self.url]
        if self.commit:
            parts.append(f"commit {self.commit[:12]}")
        if self.deployment_id:
            parts.append(self.deployment_id)
        return " · ".join(parts)


class Location(Model):
    """Where a finding is: a file and line, or a URL."""

    path: str | None = None
    line: int | None = None
    url: str | None = None

    def __str__(self) -> str:
        if self.path:
            return f"{self.path}:{self.line}" if self.line else self.path
        return self.url or ""


class Evidence(Model):
    """One observed fact, redacted, small enough to print."""

    summary: str
    excerpt: str = ""

    @model_validator(mode="before")
    @classmethod
    def _cut(cls, data: object) -> object:
        if isinstance(data, dict) and len(excerpt := data.get("excerpt", "")) > EXCERPT_LIMIT:
            data = {**data, "excerpt": excerpt[: EXCERPT_LIMIT - 1] + "…"}
        return data


class CheckSpec(Model):
    """A check's declaration: what reports, docs, the catalogue and the SARIF rule are derived from."""

    id: str = Field(pattern=r"^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    """What holds when the check passes, as a sentence without a full stop."""
    severity: Severity
    why: str
    """What goes wrong for the users or the owners when it does not hold."""
    remediation: str
    references: tuple[str, ...] = ()
    timeout_s: float = Field(default=30.0, gt=0)

    @property
    def stage(self) -> str:
        return self.id.partition("/")[0]

    @property
    def docs_path(self) -> str:
        return f"docs/checks/{self.id}.md"


class Finding(Model):
    """One concrete thing that is wrong."""

    check_id: str
    message: str
    severity: Severity
    location: Location = Location()
    evidence: tuple[Evidence, ...] = ()
    key: str = ""
    """Tells two findings of one check at one place apart."""

    @property
    def place(self) -> str:
        """Where it is, across commits and deployments: a file, or a path on the target."""
        return self.location.path or (path_of(self.location.url) if self.location.url is not None else "")

    @property
    def fingerprint(self) -> str:
        """Identity across commits, builds and deployments: no line number, wording, host or content hash takes part."""
        place = self.location.path or lasting(self.place)
        return hashlib.sha256(f"{self.check_id}\0{place}\0{self.key}".encode()).hexdigest()[:16]


class CheckError(Model):
    """Why a check has no answer."""

    kind: ErrorKind
    message: str


class CheckResult(Model):
    """What became of one check. A result that contradicts itself cannot be constructed."""

    spec: CheckSpec
    outcome: Outcome
    evidence: tuple[Evidence, ...] = ()
    """What was examined. A pass without evidence cannot be constructed."""
    findings: tuple[Finding, ...] = ()
    error: CheckError | None = None
    skip_reason: str | None = None
    attempts: int = Field(default=1, ge=1)
    duration_s: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _one_story(self) -> Self:
        told = Outcome.PASS
        if self.error:
            told = Outcome.ERROR
        elif self.skip_reason:
            told = Outcome.SKIP
        elif self.findings:
            told = Outcome.FAIL
        if self.outcome is not told:
            raise ValueError(f"{self.spec.id}: the outcome is {self.outcome}, but its fields tell {told}")
        if self.outcome is not Outcome.FAIL and self.findings:
            raise ValueError(f"{self.spec.id}: {self.outcome} cannot carry findings")
        if self.outcome is Outcome.PASS and not self.evidence:
            raise ValueError(f"{self.spec.id}: a pass needs evidence that something was examined")
        if strangers := {f.check_id for f in self.findings} - {self.spec.id}:
            raise ValueError(f"{self.spec.id}: findings of another check: {', '.join(sorted(strangers))}")
        return self

    @property
    def flaky(self) -> bool:
        """It passed, but not at the first try."""
        return self.outcome is Outcome.PASS and self.attempts > 1


class Measure(Model):
    """One measured number and, where there is one, its limit in the same unit."""

    name: str
    value: float
    unit: str
    limit: float | None = None


class Series(Model):
    """Points of one line in a plot."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    """Where the line may truly be: place on the axis, lower end, upper end."""


class Plot(Model):
    """A figure for people: lines over a common axis, horizontal limits, and vertical marks of moments."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    limits: tuple[Measure, ...] = ()
    moments: tuple[Measure, ...] = ()
    """Places on the horizontal axis where something happened."""


class StageReport(Model):
    """What one stage found out about one subject: the file `<stage>.json`."""

    schema_version: Literal[1] = 1
    stage: str
    subject: Subject
    started_at: AwareDatetime
    finished_at: AwareDatetime
    results: tuple[CheckResult, ...]
    not_run: str | None = None
    """Why the stage was not run at all."""
    left_out: str | None = None
    """What of the stage was left out on purpose: the results answer for the rest alone."""
    measures: tuple[Measure, ...] = ()
    plots: tuple[Plot, ...] = ()

    @model_validator(mode="after")
    def _one_story(self) -> Self:
        if self.not_run and self.results:
            raise ValueError(f"{self.stage}: a stage that was not run has no results")
        ids = [result.spec.id for result in self.results]
        if doubles := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"{self.stage}: more than one result for {', '.join(sorted(doubles))}")
        if self.finished_at < self.started_at:
            raise ValueError(f"{self.stage}: finished before it started")
        return self

    @property
    def outcome(self) -> Outcome:
        """The worst outcome. A stage that checked nothing is an ERROR, never a pass."""
        ran = [result.outcome for result in self.results if result.outcome is not Outcome.SKIP]
        return max(ran, key=lambda outcome: outcome.rank, default=Outcome.ERROR)

    @property
    def duration_s(self) -> float:
        return (self.finished_at - self.started_at).total_seconds()


class Decision(enum.StrEnum):
    """The launch director's answer."""

    GO = "GO"
    HOLD = "HOLD"
    """Not known: something required is missing, errored, stale or about another subject."""
    NO_GO = "NO-GO"
    """Known to be wrong: an unwaived finding stands."""


class Reason(Model):
    """Why a verdict is not GO, or (in `Verdict.notes`) what a reader of it should know."""

    rule: str
    message: str
    decision: Decision | None = None
    """The decision that this reason alone would lead to; none for a note."""
    stage: str | None = None
    check_id: str | None = None
    fingerprint: str | None = None


class Verdict(Model):
    """The gate's answer about one subject: the file `verdict.json`."""

    schema_version: Literal[1] = 1
    decision: Decision
    subject: Subject
    stages: tuple[str, ...]
    """The stages that this verdict demanded."""
    partial: bool = False
    """Fewer stages were demanded than the policy does: never good enough for a promotion."""
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    decided_at: AwareDatetime
    evidence_from: AwareDatetime
    """When the oldest report behind this verdict was finished."""

    @model_validator(mode="after")
    def _one_story(self) -> Self:
        wanted = {reason.decision for reason in self.reasons}
        told = Decision.GO
        if Decision.NO_GO in wanted:
            told = Decision.NO_GO
        elif wanted:
            told = Decision.HOLD
        if self.decision is not told:
            raise ValueError(f"the decision is {self.decision}, but its reasons tell {told}")
        if self.decision is Decision.GO and not self.stages:
            raise ValueError("GO needs at least one stage behind it")
        return self


class ReleaseEnd(enum.StrEnum):
    """How a release ended."""

    PROMOTED = "PROMOTED"
    NO_GO = "NO_GO"
    HOLD = "HOLD"
    SUPERSEDED = "SUPERSEDED"
    """Somebody else has changed production meanwhile; nothing of theirs was touched."""
    QUEUED = "QUEUED"
    """Vercel will promote later, behind a rolling release."""
    UNKNOWN = "UNKNOWN"
    """What serves production could not be made certain."""
    ROLLED_BACK = "ROLLED_BACK"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"


class Event(Model):
    """One line of a release's journal."""

    at: AwareDatetime
    phase: str
    message: str
    facts: dict[str, str] = {}
    """What a later `reconcile` needs to know, by name."""


class Release(Model):
    """A release and its journal: the file `release.json`."""

    schema_version: Literal[1] = 1
    project_id: str
    candidate: Subject
    previous: Subject | None = None
    events: tuple[Event, ...] = ()
    end: ReleaseEnd | None = None
    """None while the release is under way, or when its process was killed."""
    serving: str | None = None
    """Id of the deployment that production was last seen to serve."""
