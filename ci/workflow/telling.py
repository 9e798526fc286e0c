"""Telling GitHub what the gate has found: one comment on the pull request, and the status that holds a domain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ci.deploy.github import Repository, repository
from ci.deploy.judgement import stale
from ci.engine.evidence import EvidenceStore
from ci.engine.identity import same_commit
from ci.engine.progress import Progress
from ci.errors import CannotRun, ConfigError
from ci.model import Decision, ErrorKind, Reason, Subject, Verdict
from ci.report import markdown
from ci.workflow.inputs import TellInputs
from ci.workflow.routes import Route

COMMENTED = frozenset({Route.PREVIEW, Route.READY})


async def tell(
    told: TellInputs,
    results: Mapping[str, str],
    store: EvidenceStore,
    environ: Mapping[str, str],
    progress: Progress,
    *,
    max_age: timedelta,
) -> Verdict:
    """Publish the verdict about exactly this commit and deployment; no verdict, or another's, is HOLD.

    `results`: how the other jobs have ended. `max_age`: for how long evidence counts. Raises ConfigError without
    GitHub, CannotRun when the status that holds a domain could not be published: it stays at "being judged" then.
    """
    verdict = verdict_about(told, store, max_age)
    async with repository(environ, store.redact) as github:
        if github is None:
            raise ConfigError("GITHUB_TOKEN and GITHUB_REPOSITORY are not set, so nobody can be told")
        problem = await github.commit_status(verdict, context=f"gonogo/{told.environment}")
        if told.route in COMMENTED and told.commit:
            await _comment(github, told.commit, page(verdict, results, store), progress)
    if problem:
        raise CannotRun(ErrorKind.TOOL_FAILED, f"the status gonogo/{told.environment} was not published: {problem}")
    return verdict


def verdict_about(told: TellInputs, store: EvidenceStore, max_age: timedelta) -> Verdict:
    """The verdict in the evidence folder when it is about this commit and deployment; else a HOLD that says why.

    A GO on old evidence is a HOLD too: a job that is run again finds the folder that an earlier attempt has left.
    """
    subject = Subject(url="", commit=told.commit, deployment_id=told.deployment)
    try:
        verdict = store.verdict()
    except CannotRun as error:
        return _hold(subject, f"the gate has left no verdict: {error}")
    about = verdict.subject
    if not (told.commit and about.commit and same_commit(told.commit, about.commit)):
        return _hold(subject, f"the verdict is about {about}, not about commit {told.commit}")
    if told.deployment != about.deployment_id:
        return _hold(subject, f"the verdict is about {about}, not about {told.deployment}")
    if verdict.partial and verdict.decision is Decision.GO and told.environment == "production":
        return _hold(subject, "the verdict is GO, but only over a part of the stages")
    if verdict.decision is Decision.GO and (problem := stale(verdict, datetime.now(UTC), max_age)):
        return _hold(subject, problem)
    return verdict.model_copy(update={"subject": about.model_copy(update={"commit": told.commit})})


def page(verdict: Verdict, results: Mapping[str, str], store: EvidenceStore) -> str:
    """The comment: the other jobs in a line, then the verdict with its reasons."""
    others = [f"{name} **{result}**" for name, result in results.items() if name in {"tests", "code", "stage"}]
    line = " · ".join(others)
    return f"{markdown.render(store.reports(), verdict, None)}\n{line}\n"


async def _comment(github: Repository, commit: str, text: str, progress: Progress) -> None:
    if problem := await github.comment(commit, text):
        progress.say(problem)


def _hold(subject: Subject, why: str) -> Verdict:
    now = datetime.now(UTC)
    reason = Reason(rule="complete", message=why, decision=Decision.HOLD)
    return Verdict(
        decision=Decision.HOLD, subject=subject, stages=(), reasons=(reason,), decided_at=now, evidence_from=now
    )
