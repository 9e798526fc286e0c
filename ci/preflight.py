"""Preflight: is the target there, is it the application itself, and is it the build that is meant?

Its checks never find fault with the application; without an answer to them no other stage can be trusted,
so what they cannot make certain is HOLD.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urljoin

import httpx

from ci.engine.identity import Served, mismatch, served_by
from ci.engine.run import Run
from ci.engine.runner import errored, explain
from ci.engine.walls import login_elsewhere, password_wanted
from ci.errors import CannotRun
from ci.model import CheckError, CheckResult, CheckSpec, ErrorKind, Evidence, Outcome, Severity, StageReport, Subject

STAGE = "preflight"

REACHABLE = CheckSpec(
    id="preflight/reachable",
    title="The target answers, and it is the application that answers",
    severity=Severity.CRITICAL,
    why="Nothing can be said about an application that does not answer or stands behind a login wall or a firewall.",
    remediation="Open the URL yourself. For a protected deployment set VERCEL_AUTOMATION_BYPASS_SECRET; "
    "for a firewall challenge add a bypass rule for the checks.",
    references=("https://vercel.com/docs/deployment-protection/methods-to-bypass-deployment-protection",),
)
IDENTITY = CheckSpec(
    id="preflight/identity",
    title="The target serves the build that is to be judged",
    severity=Severity.CRITICAL,
    why="A verdict about one build must not be given on the behaviour of another.",
    remediation="Let the application name its commit (VERCEL_GIT_COMMIT_SHA) at target.identity, "
    "and call the checks with the URL of exactly that deployment.",
    references=("https://vercel.com/docs/environment-variables/system-environment-variables",),
)
HELD = CheckSpec(
    id="preflight/identity-held",
    title="The target still serves the same build after the checks",
    severity=Severity.CRITICAL,
    why="When the build changed while it was checked, nobody knows which of the two was judged.",
    remediation="Check the immutable URL of a deployment rather than a domain that moves, and run again.",
)


def specs() -> tuple[CheckSpec, ...]:
    return (REACHABLE, IDENTITY, HELD)


async def before(run: Run) -> tuple[Subject, tuple[CheckResult, ...]]:
    """Look at the target before the other stages do.

    Returns the subject, completed by what the target says of itself, and the results so far.
    """
    identity = run.config.target.identity
    path = identity.path if identity else next(iter(run.config.smoke.pages), "/")
    started = time.perf_counter()
    try:
        answer, attempts = await _ask(run, path)
        _refuse_wall(answer)
    except Exception as error:
        why = explain(error)
        wait = time.perf_counter() - started
        return run.subject, (errored(REACHABLE, why).model_copy(update={"duration_s": wait}),)
    if nothing := _nothing_there(answer):
        return run.subject, (errored(REACHABLE, explain(nothing)),)
    seen = Evidence(summary=f"GET {path} → {answer.status_code} after {time.perf_counter() - started:.2f} s")
    reachable = CheckResult(spec=REACHABLE, outcome=Outcome.PASS, evidence=(seen,), attempts=attempts)
    if identity is None:
        if run.subject.commit:
            message = "a commit was given, but target.identity does not say how the target names its own"
            wrong = CannotRun(ErrorKind.WRONG_SUBJECT, message)
            return run.subject, (reachable, errored(IDENTITY, explain(wrong)))
        reason = "target.identity is not configured, so nobody knows which commit was judged"
        return run.subject, (reachable, CheckResult(spec=IDENTITY, outcome=Outcome.SKIP, skip_reason=reason))
    result, served = _identify(answer, run, IDENTITY)
    subject = run.subject
    if served and not subject.commit:
        subject = subject.model_copy(update={"commit": served.commit})
    if served and served.deployment_id and not subject.deployment_id:
        subject = subject.model_copy(update={"deployment_id": served.deployment_id})
    return subject, (reachable, result)


def awaited(run: Run) -> tuple[CheckResult, ...]:
    """What stands in the report until `after` has looked: a run that ends in between is no GO."""
    if run.config.target.identity is None:
        return ()
    message = "the target was not looked at again after the checks, so it may have changed meanwhile; run again"
    return (errored(HELD, CheckError(kind=ErrorKind.INTERRUPTED, message=message)),)


async def after(run: Run) -> tuple[CheckResult, ...]:
    """Look again when the other stages have ended. Nothing to add when no identity is configured."""
    identity = run.config.target.identity
    if identity is None:
        return ()
    try:
        answer, _ = await _ask(run, identity.path)
    except Exception as error:
        return (errored(HELD, explain(error)),)
    return (_identify(answer, run, HELD)[0],)


def report(subject: Subject, started_at: datetime, results: Sequence[CheckResult]) -> StageReport:
    return StageReport(
        stage=STAGE, subject=subject, started_at=started_at, finished_at=datetime.now(UTC), results=tuple(results)
    )


def _nothing_there(answer: httpx.Response) -> CannotRun | None:
    """Whether Vercel itself said that no deployment serves this address."""
    code = answer.headers.get("x-vercel-error", "")
    if not code.startswith(("DEPLOYMENT_", "DNS_")):
        return None
    return CannotRun(
        ErrorKind.UNREACHABLE,
        f"Vercel answered {answer.url} itself with `{code[:60]}`: no deployment serves this address; "
        "correct --url, or look at the deployment in Vercel's dashboard",
    )


async def _ask(run: Run, path: str) -> tuple[httpx.Response, int]:
    async with run.http.async_client(timeout_s=run.config.target.timeout.total_seconds(), fresh=True) as client:
        answer = await client.get(run.url + path, headers={"cache-control": "no-cache"})
        return answer, 1 + client.retries


def _refuse_wall(answer: httpx.Response) -> None:
    location = urljoin(str(answer.url), answer.headers["location"]) if answer.has_redirect_location else None
    if there := login_elsewhere(location):
        raise CannotRun(
            ErrorKind.LOGIN_WALL,
            f"{answer.url} leads to a login at {there} in the application's place; let the checks pass it, or name a "
            "public page first in smoke.pages",
        )
    challenge = password_wanted(answer.status_code, answer.headers)
    if challenge and challenge.lower().startswith("basic"):
        raise CannotRun(
            ErrorKind.LOGIN_WALL,
            f"{answer.url} answers 401 (WWW-Authenticate: {challenge}), so a password protection answered in the "
            "application's place; let the checks pass it, or name a public page first in smoke.pages",
        )


def _identify(answer: httpx.Response, run: Run, spec: CheckSpec) -> tuple[CheckResult, Served | None]:
    assert run.config.target.identity
    try:
        served = served_by(answer, run.config.target.identity)
        if difference := mismatch(served, run.subject):
            raise CannotRun(ErrorKind.WRONG_SUBJECT, f"{answer.url} is not the subject: {difference}")
    except CannotRun as error:
        return errored(spec, explain(error)), None
    seen = Evidence(summary=f"{answer.url} names commit {served.commit}")
    return CheckResult(spec=spec, outcome=Outcome.PASS, evidence=(seen,)), served
