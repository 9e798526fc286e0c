"""Requests that no honest client sends: each must be refused, and none may break the server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ci.config.shape.smoke import Request
from ci.engine.check import check
from ci.engine.internals import internals
from ci.errors import NotApplicable
from ci.model import CheckSpec, Evidence, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, wrong
from ci.security.surface import fetch_surface
from ci.security.visit import Visit, gather

MOST_ENDPOINTS = 3
MOST_PAGES = 5
ODD_QUERIES = (
    ("a null character in the query", "q=%00&id=%00"),
    ("bytes that are no text in the query", "q=%ff%fe&id=%ff"),
    ("a number of 30 digits in the query", f"page={10**29}&id={10**29}"),
    ("a list in the query", "q[]=1&q[a]=2&id[]=1"),
)
UNKNOWN = "gonogo_unknown_field"
DEPTH = 200
"""Lists within lists: more than anybody means, fewer than a parser must bear."""
KEYS: dict[str, Any] = {"__proto__": {}, "constructor": {"prototype": {}}}
"""Names at which a careless copy of an object breaks (CWE-1321); empty, so that nobody's prototype is changed."""
_JSON = {"content-type": "application/json"}
NOTHING_TAKES_JSON = "no endpoint that takes JSON is configured: list one under smoke.api, or the login as smoke.login"


@dataclass(frozen=True, slots=True)
class Fed:
    """One unusual request and what came of it."""

    what: str
    url: str
    answer: Answer | None
    """None when the server broke the connection, which is a refusal as well."""


@dataclass(frozen=True, slots=True)
class Meal:
    """Everything that was fed to the target."""

    malformed: tuple[Fed, ...]
    oversize: tuple[Fed, ...]
    unknown: tuple[Fed, ...]
    odd: tuple[Fed, ...]
    """Well-formed, so that it may be taken, but nothing may break over it."""
    mark: str
    """What stood in the requests, unmistakable."""


async def feed(visit: Visit) -> Meal:
    """Send malformed, oversize and unknown input to the endpoints that take JSON, and odd queries to pages."""
    config = visit.run.config
    surface = await fetch_surface(visit)
    mark = f"gonogo{secrets.token_hex(4)}"
    endpoints = _taking_json(visit)
    user = {}
    if any(request.login for request in endpoints):
        user = (await visit.user()).headers

    async def one(request: Request, what: str, content: bytes) -> Fed:
        headers = {**_JSON, **(user if request.login else {})}
        answer = await visit.ask_boldly(request.method, request.path, headers=headers, content=content)
        return Fed(what, visit.url + request.path, answer)

    malformed = [one(request, what, content) for request in endpoints for what, content in _malformed(request)]
    oversize = [
        one(request, f"{config.security.max_body} bytes", _large(request, config.security.max_body))
        for request in endpoints
    ]
    known = [request for request in endpoints if request.body]
    unknown = [one(r, "an unknown field", json.dumps({**(r.body or {}), UNKNOWN: mark}).encode()) for r in known]
    odd = [one(request, what, content) for request in endpoints for what, content in _odd(request)]
    pages = tuple(dict.fromkeys(page.url.partition("?")[0] for page in surface.answers if page.succeeded))[:MOST_PAGES]

    async def look(page: str, what: str, query: str) -> Fed:
        return Fed(what, page, await visit.ask_boldly("GET", f"{page}?{query}"))

    return Meal(
        malformed=await gather(malformed),
        oversize=await gather(oversize),
        unknown=await gather(unknown),
        odd=await gather([*odd, *(look(page, what, query) for page in pages for what, query in ODD_QUERIES)]),
        mark=mark,
    )


@check(
    CheckSpec(
        id="security/malformed-input",
        title="Malformed input and wrong types are refused without breaking anything",
        severity=Severity.HIGH,
        why="Input that makes the code fail finds its way into queries, files and error pages.",
        remediation="Validate every body against a schema before the code sees it, and answer 400 or 422 otherwise.",
        references=("CWE-20", "CWE-1287", "CWE-1321", "OWASP Input Validation Cheat Sheet", "OWASP ASVS 2.2.1"),
    )
)
def malformed_input(meal: Meal) -> Judged:
    if not meal.malformed and not meal.odd:
        raise NotApplicable(NOTHING_TAKES_JSON)
    yield from _judge(malformed_input.spec, meal.malformed)
    yield from _judge(malformed_input.spec, meal.odd, may_take=True)


@check(
    CheckSpec(
        id="security/oversize-input",
        title="A body that is too large is refused",
        severity=Severity.MEDIUM,
        why="Without a bound a few requests fill the memory, and the bill.",
        remediation="Set a limit for bodies where they come in, and answer 413 above it; "
        "security.max_body says what is too large here.",
        references=("RFC 9110, section 15.5.14", "CWE-770", "CWE-400", "OWASP API Security Top 10 API4:2023"),
    )
)
def oversize_input(meal: Meal) -> Judged:
    if not meal.oversize:
        raise NotApplicable(NOTHING_TAKES_JSON)
    yield from _judge(oversize_input.spec, meal.oversize)


@check(
    CheckSpec(
        id="security/unknown-fields",
        title="Fields that an endpoint does not know are refused",
        severity=Severity.LOW,
        why="Fields that nobody looks at today may be taken into an object tomorrow: `role`, `price`, `owner`.",
        remediation="Forbid unknown fields in the schema (pydantic: `extra='forbid'`; zod: `.strict()`), "
        "and never copy a body into a record.",
        references=("CWE-915", "OWASP API Security Top 10 API3:2023", "OWASP Mass Assignment Cheat Sheet"),
    )
)
def unknown_fields(meal: Meal) -> Judged:
    if not meal.unknown:
        raise NotApplicable("no endpoint with a JSON body is configured: write one under smoke.api with its `body`")
    for fed in meal.unknown:
        answer = fed.answer
        if answer is None or 400 <= answer.status < 500:
            yield _refused(fed)
        elif meal.mark in answer.text:
            told = f"{answer.method} {fed.url} took an unknown field and gave it back ({answer.status})"
            yield wrong(unknown_fields.spec, answer, told, key="returned", severity=Severity.MEDIUM)
        else:
            told = f"{answer.method} {fed.url} answered {answer.status} to an unknown field; wanted 400 or 422"
            yield wrong(unknown_fields.spec, answer, told, key="accepted")


def _judge(spec: CheckSpec, fed: tuple[Fed, ...], *, may_take: bool = False) -> Judged:
    for item in fed:
        answer = item.answer
        if answer is None:
            yield _refused(item)
            continue
        sent = f"{answer.method} {item.url} answered {answer.status} to {item.what}"
        if answer.failed:
            yield wrong(spec, answer, f"{sent}; wanted 400 or 422", key=f"failed {item.what}", shows=answer.excerpt)
        elif answer.succeeded and not may_take:
            more = "; wanted 413, or write a larger security.max_body" if spec is oversize_input.spec else ""
            yield wrong(spec, answer, f"{sent}, as if it were in order{more}", key=f"accepted {item.what}")
        elif what := internals(answer.text, of_error=True):
            yield wrong(spec, answer, f"{sent} with {what}", key=f"traces {item.what}", shows=answer.excerpt)
        else:
            yield _refused(item)


def _refused(fed: Fed) -> Evidence:
    how = f"answered {fed.answer.status}" if fed.answer else "connection closed"
    return Evidence(summary=f"{fed.url[:120]}: {fed.what}: {how}")


def _taking_json(visit: Visit) -> tuple[Request, ...]:
    """The login, and the configured requests with a body."""
    smoke = visit.run.config.smoke
    with_body = [request for request in smoke.api if request.body is not None and request.method != "GET"]
    login = []
    if smoke.login and not smoke.login.form:
        fields = {smoke.login.username_field: "gonogo@example.com", smoke.login.password_field: secrets.token_hex(8)}
        login = [Request(path=smoke.login.path, method="POST", body=fields)]
    return tuple([*login, *with_body][:MOST_ENDPOINTS])


def _malformed(request: Request) -> Iterator[tuple[str, bytes]]:
    body: dict[str, Any] = request.body or {}
    yield "malformed JSON", b'{"gonogo": '
    yield "bytes that are no text", b'{"gonogo": "\xff\xfe"}'
    yield "a list in place of an object", b"[]"
    yield f"{DEPTH} nested lists", b"[" * DEPTH + b"]" * DEPTH
    for name in list(body)[:1]:  # few requests: an endpoint such as the login may limit them
        for kind, value in (("a number", 7), ("an object", {"$ne": None})):
            yield f"{kind} as `{name}`", json.dumps({**body, name: value}).encode()


def _odd(request: Request) -> Iterator[tuple[str, bytes]]:
    """Valid JSON with values and names over which a database, a number type, an encoder or a copy may break.

    One request for all fields: an endpoint such as the login may limit them.
    """
    body: dict[str, Any] = request.body or {}
    texts = [name for name, value in body.items() if isinstance(value, str)]
    numbers = [name for name, value in body.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    for what, names, odd in (
        ("a null character in", texts, "gonogo\0"),
        ("half a character in", texts, "gonogo\ud800"),
        ("a number of 30 digits as", numbers, 10**29),
    ):
        if names:
            told = f"{what} `{'`, `'.join(names[:3])}`"
            yield told, json.dumps({**body, **dict.fromkeys(names, odd)}).encode()
    if body:
        yield "keys of JavaScript's prototypes", json.dumps({**body, **KEYS}).encode()


def _large(request: Request, size: int) -> bytes:
    """A body that is too large in a field that the endpoint knows: an unknown one might be why it is refused."""
    body: dict[str, Any] = request.body or {}
    name = next((name for name, value in body.items() if isinstance(value, str)), "gonogo")
    return json.dumps({**body, name: "a" * size}).encode()
