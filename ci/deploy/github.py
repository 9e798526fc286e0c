"""Telling GitHub: a deployment with its statuses, a commit status with the verdict, one comment per pull request.

Nothing here decides anything: whatever goes wrong is reported as a sentence, and a run without GitHub is as good.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ci.engine.http import tls_context
from ci.engine.redaction import Redactor
from ci.model import Decision, Release, ReleaseEnd, Subject, Verdict

if TYPE_CHECKING:
    from githubkit import GitHub

API_URL = "https://api.github.com"
CONTEXT = "gonogo"
ENVIRONMENT = "production"
MARKER = "<!-- gonogo: this comment is updated in place -->"
DESCRIPTION_LIMIT = 140
"""Characters of a status' description."""
COMMENT_LIMIT = 65_000
"""Characters of a comment."""
TIMEOUT_S = 20.0
PAGE = 100

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

    github: GitHub[Any]
    owner: str
    name: str
    redact: Redactor
    run_url: str | None = None
    _deployment_id: int | None = field(default=None, init=False)

    async def deployment_began(self, candidate: Subject) -> str | None:
        """A deployment of the candidate's commit, in progress."""

        async def tell() -> None:
            made = await self.github.rest.repos.async_create_deployment(
                self.owner,
                self.name,
                ref=str(candidate.commit),
                environment=ENVIRONMENT,
                auto_merge=False,
                required_contexts=[],
                description=_cut(f"Gonogo: {candidate.deployment_id}"),
                production_environment=True,
            )
            # 202 announces a merge of the default branch, which was not asked for and makes no deployment.
            self._deployment_id = made.json().get("id")
            await self._deployment_status("in_progress", "in preparation", None)

        return await self._told("create a deployment", tell)

    async def deployment_ended(self, release: Release, production_url: str) -> str | None:
        """How the deployment that began has ended."""
        if release.end is None or self._deployment_id is None:
            return None
        end, last = release.end, release.events[-1].message if release.events else ""

        async def tell() -> None:
            await self._deployment_status(_END_STATES[end], f"{end}: {last}", production_url)

        return await self._told("set the deployment's status", tell)

    async def commit_status(self, verdict: Verdict) -> str | None:
        """The verdict on the commit that it is about."""
        commit = verdict.subject.commit
        if commit is None:
            return None
        reasons = "; ".join(reason.message for reason in verdict.reasons)

        async def tell() -> None:
            await self.github.rest.repos.async_create_commit_status(
                self.owner,
                self.name,
                commit,
                state=_VERDICT_STATES[verdict.decision],
                context=CONTEXT,
                description=_cut(self.redact(f"{verdict.decision}: {reasons}" if reasons else str(verdict.decision))),
                target_url=self.run_url,
            )

        return await self._told("set the commit's status", tell)

    async def comment(self, commit: str, markdown: str) -> str | None:
        """One comment on each open pull request of the commit, created once and updated in place ever after."""

        async def tell() -> None:
            pulls = await self.github.rest.repos.async_list_pull_requests_associated_with_commit(
                self.owner, self.name, commit
            )
            for pull in pulls.json():
                if pull.get("state") == "open":
                    await self._comment_on(pull["number"], markdown)

        return await self._told("comment on the pull request", tell)

    async def _comment_on(self, number: int, markdown: str) -> None:
        body = f"{MARKER}\n{self.redact(markdown)}"[:COMMENT_LIMIT]
        issues = self.github.rest.issues
        if (found := await self._own_comment(number)) is None:
            await issues.async_create_comment(self.owner, self.name, number, body=body)
        else:
            await issues.async_update_comment(self.owner, self.name, found, body=body)

    async def _own_comment(self, number: int) -> int | None:
        """The comment with the marker at its beginning: a quotation of it further down is somebody else's."""
        page = 1
        while True:
            answer = await self.github.rest.issues.async_list_comments(
                self.owner, self.name, number, per_page=PAGE, page=page
            )
            # Not `parsed_data`: it refuses an answer that lacks a field which nobody here asks for.
            comments: list[dict[str, Any]] = answer.json()
            for item in comments:
                if str(item.get("body") or "").startswith(MARKER):
                    return int(item["id"])
            if len(comments) < PAGE:
                return None
            page += 1

    async def _deployment_status(self, state: DeploymentState, description: str, url: str | None) -> None:
        if self._deployment_id is None:
            return
        await self.github.rest.repos.async_create_deployment_status(
            self.owner,
            self.name,
            self._deployment_id,
            state=state,
            description=_cut(self.redact(description)),
            environment=ENVIRONMENT,
            environment_url=url or "",
            log_url=self.run_url or "",
        )

    async def _told(self, operation: str, tell: Callable[[], Awaitable[None]]) -> str | None:
        from githubkit.exception import GitHubException, RequestFailed

        try:
            await tell()
        except RequestFailed as error:
            return f"GitHub refused to {operation}: {error.response.status_code}"
        except (GitHubException, ValueError, LookupError, TypeError, AttributeError) as error:
            return f"GitHub could not be asked to {operation}: {type(error).__name__}"
        return None


@asynccontextmanager
async def repository(
    environ: Mapping[str, str], redact: Redactor, say: Callable[[str], None]
) -> AsyncIterator[Repository | None]:
    """The repository of GITHUB_REPOSITORY by GITHUB_TOKEN at GITHUB_API_URL; None without the first two.

    `say` is told when the library for it is missing, which yields None, too.
    """
    token, full_name = environ.get("GITHUB_TOKEN"), environ.get("GITHUB_REPOSITORY", "")
    owner, _, name = full_name.partition("/")
    if not (token and owner and name):
        yield None
        return
    try:
        from githubkit import GitHub
    except ImportError as error:
        say(f"GitHub is not told: its library cannot be loaded ({error}); install the extra, gonogo[deploy]")
        yield None
        return
    url = environ.get("GITHUB_API_URL") or API_URL
    async with GitHub(
        token,
        base_url=url,
        timeout=TIMEOUT_S,
        ssl_verify=tls_context(environ),
        trust_env=False,
        auto_retry=False,
        http_cache=False,
    ) as github:
        yield Repository(github, owner, name, redact, _run_url(environ))


def _run_url(environ: Mapping[str, str]) -> str | None:
    server, repo, run = (environ.get(f"GITHUB_{key}") for key in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repo}/actions/runs/{run}" if server and repo and run else None


def _cut(text: str) -> str:
    return text if len(text) <= DESCRIPTION_LIMIT else text[: DESCRIPTION_LIMIT - 1] + "…"
