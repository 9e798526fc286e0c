"""Is the application alive, is the answer of now, and is it the build that is being judged?"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ci.config.shape.smoke import Health, Smoke
from ci.engine.answers import came_from_cache, states_of
from ci.engine.check import declare
from ci.engine.identity import dotted, mismatch, same_commit, served_by
from ci.errors import CannotRun
from ci.model import CheckSpec, Severity, Subject
from ci.smoke.answers import is_json, json_of, may_be_cached, text_of
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.target import Target, unlikely_path

CONNECTIONS = 6
"""Fresh connections on which the identity is read: a load balancer with two builds behind it shows both."""
CLOCK_SLACK_S = 60
"""Seconds that a health answer's own time may differ from its Date header."""

_TIME_FIELDS = ("timestamp", "time", "now", "date", "checked_at", "checkedAt")


@declare(
    CheckSpec(
        id="smoke/health",
        title="The health endpoint answers 200 and says healthy",
        severity=Severity.CRITICAL,
        why="An application that says it is unwell, or says nothing, must not get the users' traffic.",
        remediation="Look at the candidate's logs for the reason, and deploy again when the endpoint answers healthy.",
        references=(
            "RFC 9110, section 15.3.1",
            "https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06",
        ),
    )
)
def test_health(target: Target, exam: Examination, smoke: Smoke) -> None:
    health = _configured(exam, smoke)
    response = target.get(health.path)
    url = target.at(health.path)
    if response.status_code != 200:
        exam.finding(
            f"{health.path} answered {response.status_code}, wanted 200; ask the application's logs what "
            "is wrong with it",
            url=url,
            key="status",
            excerpt=text_of(response),
        )
        return
    state = dotted(json_of(response), health.status_field)
    if not is_json(response) or state is None:
        exam.finding(
            f"{health.path} answered 200, but no JSON with the field `{health.status_field}`; "
            "let it say its status, or name the right field in smoke.health.status_field",
            url=url,
            key="status",
            excerpt=text_of(response),
        )
    elif not _is_one_of(state, health.healthy):
        exam.finding(
            f"{health.path} says `{state}`, wanted one of {', '.join(health.healthy)} (smoke.health.healthy)",
            url=url,
            key="status",
        )
    else:
        exam.note(f"it says `{state}`")


@declare(
    CheckSpec(
        id="smoke/health-fresh",
        title="The health answer is made for each request and never comes from a cache",
        severity=Severity.MEDIUM,
        why="A cached health answer says that the application is well while it is down.",
        remediation="Send `Cache-Control: no-store` with the health answer, and take it out of every CDN rule.",
        references=("RFC 9111, section 5.2.2.5", "https://vercel.com/docs/edge-cache"),
    )
)
def test_health_is_fresh(target: Target, exam: Examination, smoke: Smoke) -> None:
    health = _configured(exam, smoke)
    url = target.at(health.path)
    started = time.monotonic()
    answers = [target.get(health.path, fresh=True) for _ in range(3)]
    elapsed = time.monotonic() - started
    for answer in answers:
        if allowed := may_be_cached(answer):
            exam.finding(
                f"{health.path} allows caches to keep it ({allowed}); send `Cache-Control: no-store`",
                url=url,
                key="cacheable",
            )
        if cached := came_from_cache(answer):
            exam.finding(
                f"{health.path} was answered by a cache ({cached}), wanted the application itself",
                url=url,
                key="cached",
            )
    if frozen := _frozen(answers, elapsed):
        exam.finding(f"{health.path} {frozen}; make the answer anew for each request", url=url, key="frozen")


@declare(
    CheckSpec(
        id="smoke/identity",
        title="Every connection reaches the build that is being judged",
        severity=Severity.CRITICAL,
        why="Checks that ran against another build, or against two builds in turn, say nothing about this one.",
        remediation="Check the URL and the deployment; when two builds answer in turn, wait until the switch is over.",
        references=(
            "https://vercel.com/docs/deployments/generated-urls",
            "https://vercel.com/docs/environment-variables/system-environment-variables",
        ),
    )
)
def test_identity(target: Target, exam: Examination, job: Job, subject: Subject) -> None:
    identity = job.config.target.identity
    if identity is None:
        exam.skip(
            "the target is not asked for its commit: say in gonogo.yaml where it stands, as in "
            "target.identity: {json: commit}"
        )
    url = target.at(identity.path)
    named: dict[str, int] = {}
    for attempt in range(1, CONNECTIONS + 1):
        path = f"{identity.path}?gonogo={unlikely_path()[-16:]}"  # a cache cannot know this one
        response = target.get(path, fresh=True)
        try:
            served = served_by(response, identity)
        except CannotRun as reason:
            exam.finding(f"connection {attempt}: {reason}", url=url, key="unnamed", excerpt=text_of(response))
            continue
        named[served.commit] = named.get(served.commit, 0) + 1
        if wrong := mismatch(served, subject):
            exam.finding(f"connection {attempt} of {CONNECTIONS} to {identity.path}: {wrong}", url=url, key="other")
    exam.note("commits named: " + ", ".join(f"{commit[:12]} ({times} times)" for commit, times in named.items()))
    first = next(iter(named), "")
    if any(not same_commit(first, other) for other in named):
        exam.finding(
            f"{len(named)} builds answer in turn: {', '.join(commit[:12] for commit in named)}; wanted one",
            url=url,
            key="flicker",
        )


@declare(
    CheckSpec(
        id="smoke/health-detailed",
        title="Every service behind the application is in order, and the overall status tells the truth",
        severity=Severity.HIGH,
        why="With its database or a provider down the application answers, but does not work.",
        remediation=(
            "Restore the named service; when the overall status hides it, derive that status from the services."
        ),
        references=(
            "https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06",
            "RFC 9110, section 15.6.4",
        ),
    )
)
def test_health_in_detail(target: Target, exam: Examination, smoke: Smoke) -> None:
    health = _configured(exam, smoke)
    if health.detailed is None:
        exam.skip("no detailed health is configured: write its path in gonogo.yaml as smoke.health.detailed")
    url = target.at(health.detailed)
    response = target.get(health.detailed)
    answer = json_of(response)
    services = _services(answer, health)
    overall = dotted(answer, health.status_field)
    if not services:
        exam.finding(
            f"{health.detailed} answered {response.status_code} without naming any service; "
            "let it list them under `services` or `checks`, or set smoke.health.services_field",
            url=url,
            key="services",
            excerpt=text_of(response),
        )
        return
    exam.note("services: " + ", ".join(f"{name} {state}" for name, state in services.items()))
    failing = {name: state for name, state in services.items() if not _is_one_of(state, health.fine)}
    for name, state in failing.items():
        exam.finding(
            f"{health.detailed} says that `{name}` is `{state}`; restore it before users need it", url=url, key=name
        )
    says_well = response.status_code == 200 and _is_one_of(overall, health.healthy)
    if failing and says_well:
        exam.finding(
            f"{health.detailed} says `{overall}` overall although {', '.join(failing)} is not in order",
            url=url,
            key="lies",
        )
    if not failing and not says_well:
        exam.finding(
            f"{health.detailed} answered {response.status_code} and `{overall}`, although every service "
            "that it names is in order",
            url=url,
            key="overall",
        )


def _configured(exam: Examination, smoke: Smoke) -> Health:
    if smoke.health is None:
        exam.skip("no health endpoint is configured: write it in gonogo.yaml, as in smoke.health: {path: /api/health}")
    return smoke.health


def _is_one_of(state: Any, words: tuple[str, ...]) -> bool:
    return str(state).lower() in {word.lower() for word in words}


def _services(answer: Any, health: Health) -> dict[str, str]:
    fields = (health.services_field,) if health.services_field else ("services", "checks")
    return next((found for field in fields if (found := dict(states_of(dotted(answer, field))))), {})


def _frozen(answers: list[httpx.Response], elapsed_s: float) -> str | None:
    """How the answers' own time shows that they were made earlier, or None."""
    for field in _TIME_FIELDS:
        stamps = [dotted(json_of(answer), field) for answer in answers]
        moments = [moment for stamp in stamps if (moment := _moment(stamp))]
        if len(moments) < len(answers):
            continue
        resolution_s = 0.001 if any(moment.microsecond for moment in moments) else 1.0
        if len(set(moments)) == 1 and elapsed_s > 2 * resolution_s and resolution_s < 1:
            return f"gave the same {field} `{stamps[0]}` three times within {elapsed_s * 1000:.0f} ms"
        if (date := _date_of(answers[-1])) and abs((date - moments[-1]).total_seconds()) > CLOCK_SLACK_S:
            return f"was answered at {date:%H:%M:%S} UTC, but says it is of `{stamps[-1]}`"
    return None


def _moment(stamp: Any) -> datetime | None:
    """The moment that a time stamp names: ISO 8601, or seconds or milliseconds since 1970."""
    try:
        if isinstance(stamp, str):
            moment = datetime.fromisoformat(stamp)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(stamp, int | float) and not isinstance(stamp, bool):
            return datetime.fromtimestamp(stamp / 1000 if stamp > 1e11 else stamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _date_of(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return None
