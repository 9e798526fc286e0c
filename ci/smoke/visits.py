"""What a browser saw of a page, and the pure judgements of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ci.engine.http import origin
from ci.engine.inert import one_line
from ci.errors import CannotRun
from ci.model import Severity

SLACK_PX = 1
"""Pixels of overflow that come from rounding."""
TOLD_BY_OTHERS = ("Failed to load resource", "Mixed Content:")
"""Beginnings of console errors that smoke/failed-requests and smoke/mixed-content tell better."""
LONGEST_APOLOGY = 300
"""Characters of text up to which a page that begins with an error's words is an error page, and no article."""
_APOLOGY = re.compile(
    r"(?i)\W*(?:(?:sorry|oops|whoops)\W+)?(?:application error\b|something (?:went|has gone) wrong|"
    r"an? (?:\w+ )?(?:error|exception) (?:has )?occurred|internal (?:server )?error|unexpected (?:application )?error|"
    r"this page (?:couldn.t|could not|can.t|cannot) (?:load|be (?:loaded|found))|(?:page )?not found\b|no such page\b|"
    r"(?:404|50[0-3])\W+(?:error|(?:page )?not found|this page|internal|bad gateway|service unavailable))"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A request of a page that failed."""

    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong about a visit."""

    message: str
    key: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One page at one width, loaded once and judged by several checks."""

    path: str
    url: str
    screen: str
    width: int
    status: int | None = None
    title: str = ""
    text_length: int = 0
    shown: str = ""
    """The beginning of what stands in what covers the window, or else in <main>, or in the whole page."""
    is_waiting: bool = False
    """It says that it is loading, and nothing else."""
    hollow: str = ""
    """What is there with nothing in it: the page's `main`, or a `cover` over the whole window."""
    goes_round: bool = False
    """It sends its visitor on without end."""
    from_worker: str = ""
    """The title that a service worker gave to the second visit, when it was another one."""
    overflow_px: int = 0
    widest: str = ""
    """The element that sticks out the farthest."""
    console: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    insecure: tuple[str, ...] = ()
    """What the page takes over plain HTTP."""
    no_answer: CannotRun | None = None
    files: tuple[str, ...] = ()
    """Screenshot and trace in the evidence folder."""

    def __str__(self) -> str:
        title = one_line(self.title, 60) or "no title"
        return f"{self.place}: {self.status}, “{title}”, {self.text_length} characters of text"

    @property
    def place(self) -> str:
        return f"{self.path} at {self.width} px ({self.screen})"


def render_problems(visit: Visit) -> Iterator[Problem]:
    if visit.goes_round:
        yield Problem(
            f"{visit.place} sends its visitor on and on and never comes to rest; "
            "look for a redirect or a script that leads back: language, login, trailing slash",
            "loop",
        )
        return
    if visit.status is None or not 200 <= visit.status < 300:
        yield Problem(f"{visit.place} answered {visit.status}, wanted 200", "status")
        return
    if visit.from_worker:
        told = one_line(visit.from_worker, 60)
        yield Problem(
            f"{visit.place} becomes another page at the second visit: its service worker answers with “{told}”, "
            "perhaps from an old cache",
            "worker",
        )
    if not visit.title.strip():
        yield Problem(f"{visit.place} has no title; give it a <title>", "title")
    if not visit.text_length:
        yield Problem(f"{visit.place} shows no text at all; look at its screenshot and at the console", "text")
    elif visit.is_waiting:
        told = f"“{one_line(visit.shown, 60)}”" if visit.shown else "a sign that it is busy"
        yield Problem(f"{visit.place} still shows {told} and nothing else: what it waits for does not come", "waiting")
    elif visit.hollow:
        told = "has a <main> with" if visit.hollow == "main" else "is covered from edge to edge by an element with"
        yield Problem(f"{visit.place} {told} nothing in it; look at its screenshot", "hollow")
    elif len(visit.shown) <= LONGEST_APOLOGY and _APOLOGY.match(visit.shown):
        told = one_line(visit.shown, 80)
        yield Problem(f"{visit.place} answered {visit.status}, but shows an error: “{told}”", "apology")


def console_problems(visit: Visit, ignored: tuple[str, ...] = ()) -> Iterator[Problem]:
    # What a browser says about a file that it could not load belongs to smoke/failed-requests.
    known = (*ignored, *(failure.url for failure in visit.failures))
    for message in dict.fromkeys(visit.console):
        if message.startswith(TOLD_BY_OTHERS) or any(part in message for part in known):
            continue
        told = one_line(message, 300)
        yield Problem(f"{visit.place} wrote an error to the console: {told}", told[:120])


def request_problems(visit: Visit) -> Iterator[Problem]:
    """Other people's servers are told of, but do not decide: the application is not what failed."""
    insecure = {_schemeless(address) for address in visit.insecure}
    for failure in dict.fromkeys(visit.failures):
        if _schemeless(failure.url) in insecure:
            continue  # smoke/mixed-content tells of it; browsers try such addresses by HTTPS
        is_own = origin(failure.url) == origin(visit.url)
        address = failure.url.partition("?")[0]
        yield Problem(
            f"{visit.place} could not load {one_line(address, 200)}: {failure.reason}",
            address.removeprefix(visit.url.removesuffix(visit.path)),
            None if is_own else Severity.LOW,
        )


def mixed_content_problems(visit: Visit) -> Iterator[Problem]:
    for address in dict.fromkeys(visit.insecure):
        shown = one_line(address.partition("?")[0], 200)
        yield Problem(f"{visit.place} takes {shown} over plain HTTP; take it over HTTPS", shown)


def overflow_problems(visit: Visit) -> Iterator[Problem]:
    if visit.overflow_px > SLACK_PX:
        widest = f"; the widest element is {visit.widest}" if visit.widest else ""
        yield Problem(f"{visit.place} is {visit.overflow_px} px wider than the screen{widest}", visit.screen)


def problems(visit: Visit, ignored: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Everything that any check would find."""
    yield from render_problems(visit)
    yield from console_problems(visit, ignored)
    yield from request_problems(visit)
    yield from mixed_content_problems(visit)
    yield from overflow_problems(visit)


def _schemeless(url: str) -> str:
    return url.partition("://")[2]
