"""Does the API keep what its own document promises?"""

from __future__ import annotations

import re

import httpx
import yaml

from ci.config.shape.smoke import Smoke
from ci.engine.check import declare
from ci.errors import CannotRun
from ci.model import CheckSpec, Severity
from ci.smoke.answers import json_of, media_type, refuses, text_of
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.openapi import Document, Operation
from ci.smoke.target import Target

MOST_OPERATIONS = 60
"""Documented endpoints that are asked in one run."""

_YAML_DOCUMENT = re.compile(rb"(?m)^openapi[ ]?:")


@declare(
    CheckSpec(
        id="smoke/openapi",
        title="Documented endpoints answer with the documented status, media type and shape",
        severity=Severity.HIGH,
        why="Clients are written against the document: an answer of another shape breaks them at run time.",
        remediation="Mend the endpoint, or the document when the answer is the right one.",
        references=("https://spec.openapis.org/oas/v3.1.1.html", "https://json-schema.org/draft/2020-12"),
        timeout_s=90,
    )
)
def test_openapi(target: Target, exam: Examination, smoke: Smoke, job: Job) -> None:
    if smoke.openapi is None:
        exam.skip(
            "no OpenAPI document is configured: write its path in gonogo.yaml, as in smoke.openapi: /openapi.json"
        )
    url = target.at(smoke.openapi)
    response = target.get(smoke.openapi)
    if response.status_code != 200:
        exam.finding(
            f"{smoke.openapi} answered {response.status_code}, wanted 200 with the OpenAPI document",
            url=url,
            key="document",
        )
        return
    try:
        document = Document(_data(response))
    except CannotRun as reason:
        exam.finding(f"{smoke.openapi} is not usable: {reason}", url=url, key="document", excerpt=text_of(response))
        return
    limit = job.config.security.rate_limit
    left_out = _acting(smoke) | ({limit.path} if limit else set())  # the security stage uses that one up meanwhile
    operations = [operation for operation in document.operations() if operation.path not in left_out]
    if not operations:
        exam.skip(
            f"{smoke.openapi} documents no GET that can be asked without arguments; remove smoke.openapi "
            "or document one"
        )
    for operation in operations[:MOST_OPERATIONS]:
        answer = target.get(operation.path)
        if operation.path in _judged_elsewhere(smoke) and (operation.needs_login or answer.is_server_error):
            exam.note(f"GET {operation.template} answered {answer.status_code}; a check of its own judges that")
        elif operation.needs_login:
            _judge_refusal(exam, operation, answer)
        else:
            _judge_answer(exam, document, operation, answer)
    exam.note(
        f"OpenAPI {document.version}: asked {min(len(operations), MOST_OPERATIONS)} of {len(operations)} endpoints"
    )


def _data(response: httpx.Response) -> object:
    """The document, in JSON or in YAML; None when it is neither, or has aliases, which can grow without end."""
    if (data := json_of(response)) is not None or not _YAML_DOCUMENT.search(response.content):
        return data
    try:
        text = response.content.decode()
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            return None
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _acting(smoke: Smoke) -> set[str]:
    """GETs that do something; they have checks of their own."""
    ways_out = {smoke.login.logout} if smoke.login and smoke.login.logout else set()
    return ways_out | set(smoke.cron) | {way.start for way in smoke.oauth} | set(smoke.webhooks)


def _judged_elsewhere(smoke: Smoke) -> set[str]:
    """Endpoints whose health or whose lock other checks look at; here it is the shape of their answers alone."""
    health = {smoke.health.path, smoke.health.detailed} if smoke.health else set()
    return {path for path in (*health, *smoke.protected_api, smoke.login and smoke.login.whoami) if path}


def _judge_answer(exam: Examination, document: Document, operation: Operation, answer: httpx.Response) -> None:
    path, status, kind = operation.template, answer.status_code, media_type(answer)
    url = str(answer.url)
    if not operation.promises(status):
        exam.finding(
            f"GET {path} answered {status}; its document promises {_either(operation.responses)}",
            url=url,
            key="status",
            excerpt=text_of(answer) if answer.is_error else "",
        )
        return
    content = operation.promised(status).get("content", {})
    if content and not any(_covers(promised, kind) for promised in content):
        exam.finding(
            f"GET {path} answered with `{kind or 'no media type'}`, documented is {_either(content)}",
            url=url,
            key="type",
        )
        return
    if kind != "application/json" and not kind.endswith("+json"):
        return
    if problem := document.problem_with(json_of(answer), operation, status, kind):
        exam.finding(
            f"GET {path} answered {status} with a body that breaks its schema: {problem}", url=url, key="shape"
        )


def _judge_refusal(exam: Examination, operation: Operation, answer: httpx.Response) -> None:
    path, status = operation.template, answer.status_code
    url = str(answer.url)
    documented = [code for code in ("401", "403") if code in operation.responses]
    if answer.is_success or answer.is_server_error:
        exam.finding(
            f"GET {path} is documented to need a login, but answered {status} without one; wanted 401 or 403",
            url=url,
            key="open",
        )
    elif documented and str(status) not in documented:
        exam.finding(
            f"GET {path} answered {status} without a login; its document promises {_either(documented)}",
            url=url,
            key="status",
        )
    elif not documented and not refuses(answer, None):
        exam.note(f"GET {path} answered {status} without a login; its document does not say how it refuses")


def _covers(promised: str, kind: str) -> bool:
    promised = promised.partition(";")[0].strip().lower()
    return promised in ("*/*", kind) or (promised.endswith("/*") and kind.startswith(promised[:-1]))


def _either(names: object) -> str:
    return " or ".join(str(name) for name in names) if names else "nothing"  # type: ignore[attr-defined]
