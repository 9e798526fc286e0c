"""Telling GitHub: a deployment with its statuses, a commit status with the verdict, one comment per pull request.

Nothing here decides anything: whatever goes wrong is reported as a sentence, and a run without GitHub is as good.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from ci.engine.github import GitHub, connect
from ci.engine.issues import Issues
from ci.engine.redaction import Redactor
from ci.model import Decision, Release, ReleaseEnd, Subject, Verdict

CONTEXT = "gonogo"
ENVIRONMENT = "production"
MARKER = "<!-- gonogo: this comment is updated in place -->"
DESCRIPTION_LIMIT = 140
"""Characters of a status' description."""
COMMENT_LIMIT = 65_000
"""Characters of a comment."""

ISSUE_LABEL = "gonogo-rollback"
_ISSUE_WORDS = {
    ReleaseEnd.ROLLED_BACK: "Production was rolled back",
    ReleaseEnd.ROLLBACK_FAILED: "Production is wrong, and could not be rolled back",
    ReleaseEnd.UNKNOWN: "What serves production is not certain",
}
ISSUE_ENDS = frozenset(_ISSUE_WORDS)
"""Ends that somebody has to look into."""

State = Literal["error", "failure", "pending", "success"]
DeploymentState = Literal["error", "failure", "inactive", "in_progress", "queued", "pending", "success"]

_VERDICT_STATES: dict[Decision, State] = {
    Decision.GO: "success",
    Decision.NO_GO: "failure",
    Decision.HOLD: "error",
}
_END_STATES: dict[ReleaseEnd, DeploymentState] = {
    ReleaseEnd.PROMOTED: "success",
    ReleaseEnd.NO_GO: "failure",
    ReleaseEnd.HOLD: "error",
    ReleaseEnd.SUPERSEDED: "inactive",
    ReleaseEnd.QUEUED: "queued",
    ReleaseEnd.UNKNOWN: "error",
    ReleaseEnd.ROLLED_BACK: "failure",
    ReleaseEnd.ROLLBACK_FAILED: "error",
}


@dataclass(slots=True)
class Repository:
    """One repository. Its methods return None, or a sentence about what did not work."""

    github: GitHub
    _deployment_id: int | None = field(default=None, init=False)

    async def deployment_began(self, candidate: Subject) -> str | None:
        """A deployment of the candidate's commit, in progress."""

        async def tell() -> None:
            wanted = {
                "ref": str(candidate.commit),
                "environment": ENVIRONMENT,
                "auto_merge": False,
                "required_contexts": [],
                "description": _cut(f"Gonogo: {candidate.deployment_id}"),
                "production_environment": True,
            }
            made = await self.github.post("/deployments", wanted)
            # 202 announces a merge of the default branch, which was not asked for and makes no deployment.
            self._deployment_id = made.get("id")
            await self._deployment_status("in_progress", "in preparation", None)

        return await self.github.told("create a deployment", tell)

    async def deployment_ended(self, release: Release, production_url: str) -> str | None:
        """How the deployment that began has ended."""
        if release.end is None or self._deployment_id is None:
            return None
        end, last = release.end, release.events[-1].message if release.events else ""

        async def tell() -> None:
            await self._deployment_status(_END_STATES[end], f"{end}: {last}", production_url)

        return await self.github.told("set the deployment's status", tell)

    async def commit_status(self, verdict: Verdict, context: str = CONTEXT) -> str | None:
        """The verdict on the commit that it is about, under the name of a status."""
        commit = verdict.subject.commit
        if commit is None:
            return None
        reasons = "; ".join(reason.message for reason in verdict.reasons)
        told = f"{verdict.decision}: {reasons}" if reasons else str(verdict.decision)

        async def tell() -> None:
            status = {
                "state": _VERDICT_STATES[verdict.decision],
                "context": context,
                "description": _cut(self.github.redact(told)),
                "target_url": self.github.run_url,
            }
            await self.github.post(f"/statuses/{commit}", status)

        return await self.github.told("set the commit's status", tell)

    async def comment(self, commit: str, markdown: str) -> str | None:
        """One comment on each open pull request of the commit, created once and updated in place ever after."""

        async def tell() -> None:
            for pull in await self.github.get(f"/commits/{commit}/pulls"):
                if pull.get("state") == "open":
                    await self._comment_on(pull["number"], markdown)

        return await self.github.told("comment on the pull request", tell)

    async def open_issue(self, release: Release, markdown: str) -> str | None:
        """One issue for a release that production did not bear, kept up to date ever after."""
        candidate, end = release.candidate, release.end
        title = f"{_ISSUE_WORDS.get(end, end) if end else 'Unfinished'}: {candidate.deployment_id or candidate.url}"
        since = release.events[0].at if release.events else datetime.now(UTC)
        run = f"\n\nRun: {self.github.run_url}" if self.github.run_url else ""

        async def tell() -> None:
            issues = Issues(self.github, ISSUE_LABEL)
            await issues.keep(f"release {candidate.deployment_id}", title, f"{markdown}{run}", since=since)

        return await self.github.told("open an issue", tell)

    async def _comment_on(self, number: int, markdown: str) -> None:
        body = {"body": f"{MARKER}\n{self.github.redact(markdown)}"[:COMMENT_LIMIT]}
        if (found := await self._own_comment(number)) is None:
            await self.github.post(f"/issues/{number}/comments", body)
        else:
            await self.github.patch(f"/issues/comments/{found}", body)

    async def _own_comment(self, number: int) -> int | None:
        """The comment with the marker at its beginning: a quotation of it further down is somebody else's."""
        async for comment in self.github.each(f"/issues/{number}/comments"):
            if str(comment.get("body") or "").startswith(MARKER):
                return int(comment["id"])
        return None

    async def _deployment_status(self, state: DeploymentState, description: str, url: str | None) -> None:
        if self._deployment_id is None:
            return
        status = {
            "state": state,
            "description": _cut(self.github.redact(description)),
            "environment": ENVIRONMENT,
            "environment_url": url or "",
            "log_url": self.github.run_url or "",
        }
        await self.github.post(f"/deployments/{self._deployment_id}/statuses", status)


@asynccontextmanager
async def repository(environ: Mapping[str, str], redact: Redactor) -> AsyncIterator[Repository | None]:
    """The repository of GITHUB_REPOSITORY by GITHUB_TOKEN at GITHUB_API_URL; None without the first two."""
    async with connect(environ, redact) as github:
        yield Repository(github) if github else None


def _cut(text: str) -> str:
    return text if len(text) <= DESCRIPTION_LIMIT else text[: DESCRIPTION_LIMIT - 1] + "…"
