"""What the target serves although nobody was meant to have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ci.engine.check import check
from ci.engine.internals import addresses, internals
from ci.model import CheckSpec, Evidence, Severity
from ci.security.answer import Answer
from ci.security.exposed_paths import BACKUPS, DEBUG, DOCUMENTS, EVERYTHING, FILES, LISTINGS, REPOSITORY, Lair
from ci.security.judging import Judged, seen, wrong
from ci.security.likeness import Strangers, meet_strangers
from ci.security.surface import Surface, fetch_surface
from ci.security.visit import Visit, gather

_READ = 20_000
"""Bytes that are enough to know a file by."""
_PROVOKED = (
    ("GET", "/%00"),
    ("GET", "/%c0%ae%c0%ae/"),
    ("GET", "/?id[]=1&id=%27"),
    ("GET", "/" + "a" * 4_000),
    ("PUT", "/"),
    ("PROPFIND", "/"),
)
"""Requests at which careless error pages tell too much."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What lay where it should not, and what errors told."""

    found: dict[str, Answer | None]
    strangers: Strangers
    provoked: tuple[Answer, ...]
    surface: Surface
    public: frozenset[str]

    def visible(self, lair: Lair) -> Answer | None:
        """The answer when the real thing is there, and not the page that any unknown path gets."""
        answer = self.found.get(lair.path)
        if answer is None or lair.path in self.public or not lair.shows_in(answer):
            return None
        return None if any(lair.shows_in(stranger) for stranger in self.strangers.answers) else answer


async def look_around(visit: Visit) -> Exposure:
    """Ask for every path at which something might lie, and for some that do not make sense."""
    config = visit.run.config
    surface = await fetch_surface(visit)
    answers = await gather(visit.ask_boldly("GET", lair.path, limit=_READ) for lair in EVERYTHING)
    provoked = await gather(visit.ask_boldly(method, path) for method, path in _PROVOKED)
    described = {config.smoke.openapi} if config.smoke.openapi else set()
    return Exposure(
        found={lair.path: answer for lair, answer in zip(EVERYTHING, answers, strict=True)},
        strangers=await meet_strangers(visit),
        provoked=tuple(answer for answer in provoked if answer is not None),
        surface=surface,
        public=frozenset({*config.security.public, *described}),
    )


@check(
    CheckSpec(
        id="security/exposed-files",
        title="Settings, keys and source are not served",
        severity=Severity.CRITICAL,
        why="Such a file holds the keys to the database, the payment provider and the cloud.",
        remediation="Serve one folder of built files and nothing else; replace every key that was in the file.",
        references=("OWASP Top 10 A05:2021", "CWE-538", "CWE-540", "OWASP WSTG-CONF-04"),
    )
)
def exposed_files(exposure: Exposure) -> Judged:
    yield from _judge(exposed_files.spec, exposure, FILES)


@check(
    CheckSpec(
        id="security/exposed-repository",
        title="The repository behind the site is not served",
        severity=Severity.CRITICAL,
        why="From .git the whole source can be put together, with every secret that was ever committed.",
        remediation="Deploy built files without the repository; replace every secret in its history.",
        references=("CWE-527", "CWE-538", "OWASP WSTG-CONF-04"),
    )
)
def exposed_repository(exposure: Exposure) -> Judged:
    yield from _judge(exposed_repository.spec, exposure, REPOSITORY)


@check(
    CheckSpec(
        id="security/exposed-backups",
        title="Backups, dumps and archives are not served",
        severity=Severity.CRITICAL,
        why="A forgotten dump is the whole database for whoever guesses its name.",
        remediation="Delete it from the served folder, keep backups in a private store, and treat the data as leaked.",
        references=("CWE-530", "CWE-552", "OWASP WSTG-CONF-04"),
    )
)
def exposed_backups(exposure: Exposure) -> Judged:
    yield from _judge(exposed_backups.spec, exposure, BACKUPS)


@check(
    CheckSpec(
        id="security/debug-pages",
        title="No debug page, profiler, metrics or draft mode is open",
        severity=Severity.HIGH,
        why="They show settings, queries, memory and what is not published yet, and some run code for whoever asks.",
        remediation="Switch debugging off in production, put metrics behind a login, and let draft mode want a secret; "
        "security.public names what is open on purpose.",
        references=("CWE-489", "CWE-215", "OWASP WSTG-CONF-02"),
    )
)
def debug_pages(exposure: Exposure) -> Judged:
    yield from _judge(debug_pages.spec, exposure, DEBUG)


@check(
    CheckSpec(
        id="security/directory-listing",
        title="No folder lists its files",
        severity=Severity.MEDIUM,
        why="A listing shows every file that is there, the ones that nobody links to included.",
        remediation="Switch automatic indexes off (nginx: `autoindex off`; Apache: `Options -Indexes`).",
        references=("CWE-548", "OWASP WSTG-CONF-04"),
    )
)
def directory_listing(exposure: Exposure) -> Judged:
    yield from _judge(directory_listing.spec, exposure, LISTINGS)


@check(
    CheckSpec(
        id="security/api-docs",
        title="API documentation is open only on purpose",
        severity=Severity.LOW,
        why="It lists every endpoint with its parameters, the internal ones too.",
        remediation="Switch it off in production, or name it in security.public (or as smoke.openapi).",
        references=("OWASP API Security Top 10 API9:2023", "CWE-200", "OWASP WSTG-INFO-06"),
    )
)
def api_docs(exposure: Exposure) -> Judged:
    yield from _judge(api_docs.spec, exposure, DOCUMENTS)


@check(
    CheckSpec(
        id="security/stack-traces",
        title="Errors do not show the server's inside",
        severity=Severity.HIGH,
        why="Stack traces, queries and paths show an attacker the code, its libraries and where it breaks.",
        remediation="Answer every error by one handler with a short text and an id; keep the rest for the log.",
        references=("CWE-209", "CWE-497", "OWASP ASVS 16.5.1", "OWASP WSTG-ERRH-01"),
    )
)
def stack_traces(exposure: Exposure) -> Judged:
    told_of: set[tuple[str, int]] = set()
    for answer in (*exposure.surface.everything, *exposure.provoked, *exposure.strangers.answers):
        if what := internals(answer.text, of_error=answer.status >= 400):
            if answer not in exposure.surface.everything and (what, answer.status) in told_of:
                continue  # one error page answers all that is unknown
            told_of.add((what, answer.status))
            shown = answer.url[:120]
            told = f"{answer.method} {shown} answers {answer.status} with {what}"
            yield wrong(stack_traces.spec, answer, told, key=what, shows=answer.excerpt)
        else:
            yield Evidence(summary=f"{answer.method} {answer.url[:120]} → {answer.status}: nothing of the inside")


@check(
    CheckSpec(
        id="security/internal-addresses",
        title="No answer names internal machines",
        severity=Severity.LOW,
        why="Private addresses and host names are a map for whoever has got one foot in.",
        remediation="Take such headers away at the edge, and write public addresses into pages and answers.",
        references=("CWE-200", "RFC 1918", "RFC 6762", "OWASP WSTG-INFO-08"),
    )
)
def internal_addresses(exposure: Exposure) -> Judged:
    for answer in exposure.surface.everything:
        told = sorted({*addresses(answer.head), *addresses(answer.text)})
        if told:
            yield wrong(internal_addresses.spec, answer, f"{answer.url} names {', '.join(told[:5])}", shows=answer.head)
        else:
            yield seen(answer, "no internal address")


def _judge(spec: CheckSpec, exposure: Exposure, lairs: Iterable[Lair]) -> Judged:
    """What is found is told, never shown: the excerpt would be the leak."""
    lairs = tuple(lairs)
    hidden = 0
    for lair in lairs:
        if answer := exposure.visible(lair):
            told = f"{answer.url} serves {lair.kind} ({len(answer.body)} bytes were read)"
            yield wrong(spec, answer, told, key=lair.kind)
        else:
            hidden += 1
    if any(exposure.found.get(lair.path) is not None for lair in lairs) and hidden:
        yield Evidence(summary=f"nothing at {hidden} of {len(lairs)} paths, among them {lairs[0].path}")
