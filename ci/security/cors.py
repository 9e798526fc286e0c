"""Which other sites may read what the API answers (WHATWG Fetch, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ci.engine.check import check
from ci.errors import NotApplicable
from ci.model import CheckSpec, Severity
from ci.security.answer import Answer
from ci.security.judging import Judged, seen, wrong
from ci.security.surface import FOREIGN_HOST, FOREIGN_ORIGIN
from ci.security.visit import Visit, gather

MOST_PATHS = 5
_CHANGING = frozenset({"PUT", "PATCH", "DELETE", "*"})


@dataclass(frozen=True, slots=True)
class Shared:
    """An endpoint's answer to a script of another site."""

    answer: Answer
    origin: str
    protected: bool
    """Whether the endpoint answers logged-in users alone."""
    preflight: bool = False

    @property
    def allowed(self) -> str:
        return str(self.answer.headers.get("access-control-allow-origin", "")).strip()

    @property
    def reflects(self) -> bool:
        return self.allowed == self.origin

    @property
    def with_credentials(self) -> bool:
        return str(self.answer.headers.get("access-control-allow-credentials", "")).strip().lower() == "true"

    @property
    def methods(self) -> frozenset[str]:
        words = self.answer.headers.get("access-control-allow-methods", "").split(",")
        return frozenset(word.strip().upper() for word in words if word.strip())


async def ask_from_elsewhere(visit: Visit) -> tuple[Shared, ...]:
    """Ask the API as scripts of other sites would, whose names look like the target's or production's, or are none."""
    smoke = visit.run.config.smoke
    protected = {*smoke.protected_api, *([smoke.login.whoami] if smoke.login else [])}
    public = [request.path for request in smoke.api if request.method == "GET" and not request.login]
    protected |= {request.path for request in smoke.api if request.method == "GET" and request.login}
    health = [smoke.health.path] if smoke.health else []
    paths = (*sorted(protected), *public, *health)[:MOST_PATHS]
    if not paths:
        raise NotApplicable("no endpoint is configured: list them under smoke.api or smoke.protected_api")
    hosts = dict.fromkeys(urlsplit(url).hostname or "" for url in (visit.url, visit.run.config.target.production))
    lookalikes = [alike for host in hosts for alike in (f"https://{host}.{FOREIGN_HOST}", f"https://gonogo{host}")]
    origins = (FOREIGN_ORIGIN, "null", *lookalikes)

    async def plain(path: str, origin: str) -> Shared:
        return Shared(await visit.get(path, headers={"origin": origin}), origin, path in protected)

    async def preflight(path: str, origin: str) -> Shared:
        asked = {"origin": origin, "access-control-request-method": "DELETE"}
        asked["access-control-request-headers"] = "authorization, content-type"
        return Shared(await visit.ask("OPTIONS", path, headers=asked), origin, path in protected, preflight=True)

    answers = await gather(plain(path, origin) for path in dict.fromkeys(paths) for origin in origins)
    preflights = await gather(preflight(path, FOREIGN_ORIGIN) for path in dict.fromkeys(paths))
    return (*answers, *preflights)


@check(
    CheckSpec(
        id="security/cors-origin",
        title="Other sites' scripts cannot read what the API answers to a user",
        severity=Severity.HIGH,
        why="An API that allows every origin by repeating it gives each user's data to any site that they visit.",
        remediation="Compare Origin as a whole with a list of your own origins; match no prefix, suffix or substring.",
        references=("WHATWG Fetch: CORS protocol", "CWE-942", "CWE-346", "OWASP WSTG-CLNT-07"),
    )
)
def cors_origin(shared: tuple[Shared, ...]) -> Judged:
    yield from _judge_origins(cors_origin.spec, [item for item in shared if item.origin != "null"])


@check(
    CheckSpec(
        id="security/cors-null",
        title="The origin `null` is not trusted",
        severity=Severity.HIGH,
        why="Any site can make a script whose origin is `null`, by a sandboxed frame.",
        remediation="Take `null` out of the list of allowed origins.",
        references=("WHATWG Fetch: CORS protocol", "CWE-942", "CWE-346"),
    )
)
def cors_null(shared: tuple[Shared, ...]) -> Judged:
    yield from _judge_origins(cors_null.spec, [item for item in shared if item.origin == "null"])


@check(
    CheckSpec(
        id="security/cors-wildcard",
        title="Endpoints that need a login are not shared with every site",
        severity=Severity.MEDIUM,
        why="`Access-Control-Allow-Origin: *` lets any site's script use a token that it has got hold of.",
        remediation="Name the allowed origins for everything behind the login; `*` is for public data alone.",
        references=("WHATWG Fetch: CORS protocol", "CWE-942"),
    )
)
def cors_wildcard(shared: tuple[Shared, ...]) -> Judged:
    protected = [item for item in shared if item.protected and not item.preflight]
    if shared and not protected:
        raise NotApplicable("no endpoint that needs a login is configured: list them under smoke.protected_api")
    for item in protected:
        if item.allowed == "*":
            told = f"{item.answer.url} needs a login, but is shared with every site (Access-Control-Allow-Origin: *)"
            yield wrong(cors_wildcard.spec, item.answer, told)
        else:
            yield seen(item.answer, f"Origin {item.origin}: {_told(item)}")


@check(
    CheckSpec(
        id="security/cors-preflight",
        title="Other sites are not allowed to send changing requests",
        severity=Severity.MEDIUM,
        why="A preflight that allows PUT or DELETE to any site lets its scripts change what users own.",
        remediation="Answer a foreign origin's preflight without Access-Control-Allow-Origin.",
        references=("WHATWG Fetch: CORS-preflight request", "CWE-942", "CWE-352"),
    )
)
def cors_preflight(shared: tuple[Shared, ...]) -> Judged:
    for item in shared:
        if not item.preflight:
            continue
        methods = sorted(item.methods & _CHANGING)
        allowed = item.answer.succeeded and (item.reflects or item.allowed == "*")
        if methods and allowed and (item.with_credentials or item.protected):
            told = f"{item.answer.url} allows {', '.join(methods)} to scripts of {item.origin}"
            yield wrong(cors_preflight.spec, item.answer, told)
        else:
            yield seen(item.answer, f"preflight of {item.origin}: {_told(item)}")


def _judge_origins(spec: CheckSpec, asked: list[Shared]) -> Judged:
    for item in asked:
        if item.preflight:
            continue
        if item.reflects and (item.with_credentials or item.protected):
            told = f"{item.answer.url} lets scripts of {item.origin} read its answers"
            told += " with the user's cookies" if item.with_credentials else ""
            severity = spec.severity if item.with_credentials else Severity.MEDIUM
            yield wrong(spec, item.answer, told, key=_kind(item.origin), severity=severity)
        else:
            yield seen(item.answer, f"Origin {item.origin}: {_told(item)}")


def _kind(origin: str) -> str:
    """What sort of foreign origin it was, without the target's name."""
    return {FOREIGN_ORIGIN: "foreign", "null": "null"}.get(origin, "lookalike")


def _told(item: Shared) -> str:
    return f"allowed is {item.allowed[:80]}" if item.allowed else "nothing is allowed"
