"""Protected paths, asked for in the ways that guards forget."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.likeness import Strangers, meet_strangers
from ci.security.visit import Visit, gather

MOST_PATHS = 6
METHODS = ("HEAD", "POST", "PUT", "PATCH", "DELETE")
"""Besides GET, which the smoke stage asks."""

SKIPPED_MIDDLEWARE = (
    "middleware",
    "src/middleware",
    "pages/_middleware",
    ":".join(["middleware"] * 5),
    ":".join(["src/middleware"] * 5),
)
"""Values of `x-middleware-subrequest` that made Next.js leave its middleware out (CVE-2025-29927)."""
_SENT_AWAY = ("NEXT_REDIRECT", "__N_REDIRECT")
"""What Next.js answers, with status 200, in place of a component or of data that has sent its visitor away."""
_BUILD = re.compile(r"/_next/static/([\w-]{1,100})/_(?:build|ssg)Manifest\.js|\"buildId\":\"([\w-]{1,100})\"")


@dataclass(frozen=True, slots=True)
class Tried:
    """A stranger's request for a protected path, and how it differed from the usual one."""

    path: str
    how: str
    answer: Answer | None
    """None when the server broke the connection."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What protected paths answered to strangers."""

    by_method: tuple[Tried, ...]
    by_spelling: tuple[Tried, ...]
    by_header: tuple[Tried, ...]
    strangers: Strangers
    open_anyway: frozenset[str]
    """Paths that open to everybody's GET: another check says so, and nothing more can be learnt from them."""


async def try_guards(visit: Visit) -> Guarded:
    """Ask for protected paths as a stranger: by every method, spelled otherwise, with headers that bypass guards."""
    smoke = visit.run.config.smoke
    endpoints = (*smoke.protected_api, *([smoke.login.whoami] if smoke.login else []))
    paths = tuple(dict.fromkeys((*smoke.protected, *endpoints)))[:MOST_PATHS]
    if not paths:
        raise NotApplicable("nothing protected is configured: list it under smoke.protected and smoke.protected_api")

    async def one(path: str, how: str, method: str, spelled: str, headers: dict[str, str] | None = None) -> Tried:
        body: dict[str, str] | None = {} if method in {"POST", "PUT", "PATCH"} else None
        return Tried(path, how, await visit.ask_boldly(method, spelled, headers=headers, json=body))

    usual = await gather(visit.get(path) for path in paths)
    start = await visit.get("/")
    methods = [one(path, method, method, path) for path in paths for method in METHODS]
    spellings = [one(path, f"as {other}", "GET", other) for path in paths for other in _spellings(path)]
    if build := _BUILD.search(start.text):
        data = f"/_next/data/{build[1] or build[2]}"
        spellings += [one(path, "as its data alone", "GET", f"{data}{path}.json") for path in smoke.protected]
    headers = [one(path, f"with {_told(extra)}", "GET", at, extra) for path in paths for at, extra in _bypasses(path)]
    return Guarded(
        by_method=await gather(methods),
        by_spelling=await gather(spellings),
        by_header=await gather(headers),
        # The start page answers a header that it does not know with itself.
        strangers=Strangers((*(await meet_strangers(visit)).answers, start)),
        open_anyway=frozenset(path for path, answer in zip(paths, usual, strict=True) if answer.succeeded),
    )


@check(
    CheckSpec(
        id="security/protected-methods",
        title="Protected paths are closed by every method",
        severity=Severity.CRITICAL,
        why="A guard that knows GET alone lets anybody change or delete what nobody may even see.",
        remediation="Guard the path, not the method; answer 401 before anything else is looked at, and 405 after that.",
        references=("OWASP Top 10 A01:2021", "CWE-650", "CWE-306", "OWASP WSTG-CONF-06"),
    )
)
def protected_methods(guarded: Guarded) -> Judged:
    yield from _judge(protected_methods.spec, guarded, guarded.by_method)


@check(
    CheckSpec(
        id="security/protected-spellings",
        title="Protected paths are closed however they are spelled",
        severity=Severity.HIGH,
        why="Where guard and router read a path differently, another spelling walks around the guard.",
        remediation="Normalise the path once, before the guard; let the guard cover everything below a prefix.",
        references=("CWE-288", "CWE-647", "CWE-22", "OWASP WSTG-ATHZ-02"),
    )
)
def protected_spellings(guarded: Guarded) -> Judged:
    yield from _judge(protected_spellings.spec, guarded, guarded.by_spelling)


@check(
    CheckSpec(
        id="security/guard-bypass",
        title="No request header switches the guard off",
        severity=Severity.CRITICAL,
        why="Frameworks have skipped their guards at a header that anybody can send.",
        remediation="Update the framework (Next.js 15.2.3, 14.2.25 or newer); drop such headers at the edge, and check "
        "the session again where the data is read.",
        references=("CVE-2025-29927", "CWE-285", "CWE-807", "OWASP WSTG-ATHZ-02"),
    )
)
def guard_bypass(guarded: Guarded) -> Judged:
    yield from _judge(guard_bypass.spec, guarded, guarded.by_header)


def _judge(spec: CheckSpec, guarded: Guarded, tries: tuple[Tried, ...]) -> Judged:
    closed = [tried for tried in tries if tried.path not in guarded.open_anyway]
    if tries and not closed:
        raise NotApplicable("every protected path opens to everybody's GET already; see smoke/protected-pages")
    for tried in closed:
        answer = tried.answer
        if answer is None:
            continue
        sent_away = any(mark in answer.text for mark in _SENT_AWAY)
        if answer.succeeded and not sent_away and not guarded.strangers.explain(answer):
            told = f"{tried.path} opens to strangers {tried.how if ' ' in tried.how else f'by {tried.how}'}"
            key = f"{tried.path} {tried.how}"
            yield wrong(spec, answer, f"{told}: it answered {answer.status}", key=key, shows=answer.excerpt)
        else:
            yield seen(answer, f"{tried.path} stays closed {tried.how}")


def _spellings(path: str) -> tuple[str, ...]:
    """Other ways to write the path that routers, but not all guards, take for the same."""
    first, rest = path[1:2], path[2:]
    others = [f"{path}/", f"/{path}", f"/.{path}", f"{path}/.", f"{path};gonogo", path.upper(), f"{path}%20"]
    return tuple(dict.fromkeys([*others, f"/%{ord(first):02x}{rest}"] if first else others))


def _bypasses(path: str) -> list[tuple[str, dict[str, str]]]:
    skipped = [(path, {"x-middleware-subrequest": value}) for value in SKIPPED_MIDDLEWARE]
    return [*skipped, (path, {"rsc": "1"}), ("/", {"x-original-url": path}), ("/", {"x-rewrite-url": path})]


def _told(headers: dict[str, str]) -> str:
    return ", ".join(f"`{name}: {value}`" for name, value in headers.items())
