"""Score and grade of the start page by the published rules of MDN's HTTP Observatory.

Not known here, so never credited: whether the domain is on the browsers' preload list (up to +5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ci.engine.check import check, finding
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Evidence, Location, Measure, Severity
from ci.security.answer import Answer
from ci.security.csp_policy import BROAD, enforced, trusts_nonce_or_hash, without_ignored
from ci.security.hsts import parsed
from ci.security.judging import Judged
from ci.security.markup import markup_of
from ci.security.setcookie import SetCookie, cookies_of
from ci.security.surface import FOREIGN_ORIGIN, Surface

SIX_MONTHS_S = 15_552_000
EXTRA_CREDIT_FROM = 90
"""Bonuses count only for a site that has lost at most ten points."""

GRADES = (
    ("A+", 100),
    ("A", 90),
    ("A-", 85),
    ("B+", 80),
    ("B", 70),
    ("B-", 65),
    ("C+", 60),
    ("C", 50),
    ("C-", 45),
    ("D+", 40),
    ("D", 30),
    ("D-", 25),
    ("F", 0),
)
"""Grades with the least score of each, best first."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one of the Observatory's tests gives or takes."""

    test: str
    modifier: int
    because: str


@dataclass(frozen=True, slots=True)
class Score:
    """The sum of the parts, and its grade."""

    parts: tuple[Part, ...]

    @property
    def value(self) -> int:
        lost = 100 + sum(part.modifier for part in self.parts if part.modifier < 0)
        gained = sum(part.modifier for part in self.parts if part.modifier > 0)
        return max(0, lost + gained if lost >= EXTRA_CREDIT_FROM else lost)

    @property
    def grade(self) -> str:
        return next(grade for grade, least in GRADES if self.value >= least)


@check(
    CheckSpec(
        id="security/observatory-grade",
        title="The start page has the wanted grade by the rules of MDN's HTTP Observatory",
        severity=Severity.MEDIUM,
        why="Several small gaps together leave a page open although no single one looks bad.",
        remediation="Mend what the message lists, the largest loss first; `security.minimum_grade` says what is borne.",
        references=("https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring", "CWE-693"),
    )
)
def observatory_grade(surface: Surface) -> Judged:
    score, page = score_of(surface), surface.answers[0]
    told = f"{page.url} has {score.value} points, grade {score.grade}"
    losses = sorted((part for part in score.parts if part.modifier < 0), key=lambda part: part.modifier)
    reasons = "; ".join(f"{part.modifier} {part.test}: {part.because}" for part in losses)
    table = "\n".join(f"{part.modifier:+4d} {part.test}: {part.because}" for part in score.parts)
    least = dict(GRADES)[surface.minimum_grade]
    if score.value < least:
        yield finding(
            observatory_grade.spec,
            f"{told}; wanted {surface.minimum_grade} ({least} points) or better: {reasons}",
            at=Location(url=page.url),
            evidence=(Evidence(summary=told, excerpt=table),),
        )
    else:
        yield Evidence(summary=told, excerpt=table)


def measures(surface: Surface) -> tuple[Measure, ...]:
    """The score as a number for reports; none where nothing can be graded."""
    try:
        score = score_of(surface)
    except (CannotRun, NotApplicable):
        return ()
    return (Measure(name=f"HTTP Observatory score (grade {score.grade})", value=score.value, unit="points"),)


def score_of(surface: Surface) -> Score:
    """Raises CannotRun(NO_DATA) when the start page does not answer with 2xx, NotApplicable when there is no page."""
    _ = surface.pages
    page = surface.answers[0] if surface.answers else None
    if page is None or not page.succeeded:
        status = page.status if page else "an error"
        raise CannotRun(ErrorKind.NO_DATA, f"the first page answered {status}; only a page of status 2xx has a grade")
    tests: tuple[Callable[[Surface, Answer], tuple[int, str]], ...] = (
        _content_security_policy,
        _cookies,
        _cross_origin_resource_sharing,
        _redirection,
        _referrer_policy,
        _strict_transport_security,
        _subresource_integrity,
        _x_content_type_options,
        _x_frame_options,
        _cross_origin_resource_policy,
    )
    parts = ((test.__name__.strip("_").replace("_", "-"), *test(surface, page)) for test in tests)
    return Score(tuple(Part(*part) for part in parts))


def _content_security_policy(surface: Surface, page: Answer) -> tuple[int, str]:
    policies = enforced(page)
    if not policies:
        return -25, "no policy"
    if any(set(policy.duplicates) - {"report-uri", "report-to"} for policy in policies):
        return -25, "a directive stands twice, so the policy is taken for broken"
    merged: dict[str, frozenset[str]] = {}
    for policy in policies:
        for name, sources in policy.directives.items():
            held = frozenset(sources) or frozenset({"'none'"})
            merged[name] = merged[name] & held or frozenset({"'none'"}) if name in merged else held
    default = merged.get("default-src", frozenset({"*"}))
    scripts, styles = merged.get("script-src", default), merged.get("style-src", default)
    if "'strict-dynamic'" in scripts and not trusts_nonce_or_hash(scripts):
        return -25, "'strict-dynamic' without a nonce or hash"
    scripts, styles = without_ignored(tuple(scripts)), _styles(styles)
    passive = merged.get("img-src", merged.get("default-src", frozenset())) | merged.get(
        "media-src", merged.get("default-src", frozenset())
    )
    active = scripts.union(
        *(held for name, held in merged.items() if name not in {"img-src", "media-src", "script-src"})
    )
    if scripts & (BROAD | {"'unsafe-inline'", "data:"}) or merged.get("object-src", default) & BROAD:
        return -20, "scripts or plug-ins from unsafe sources"
    if page.is_https and _insecure(active):
        return -20, "sources over plain HTTP"
    if "'unsafe-eval'" in scripts | styles:
        return -10, "'unsafe-eval'"
    if page.is_https and _insecure(passive):
        return -10, "images or media over plain HTTP"
    if styles & (BROAD | {"'unsafe-inline'", "data:"}):
        return 0, "unsafe styles only"
    return (10, "default-src 'none'") if default == {"'none'"} else (5, "nothing unsafe")


def _styles(sources: frozenset[str]) -> frozenset[str]:
    return sources - {"'unsafe-inline'"} if trusts_nonce_or_hash(sources) else sources


def _insecure(sources: frozenset[str]) -> bool:
    return any(source.startswith(("http:", "ftp:")) for source in sources)


def _cookies(surface: Surface, page: Answer) -> tuple[int, str]:
    cookies = [c for answer in (*surface.hops, page) for c in cookies_of(answer) if c.name and not c.removes]
    if not cookies:
        return 0, "no cookies"
    has_hsts = _strict_transport_security(surface, page)[0] >= 0
    worst = min((loss for cookie in cookies for loss in _losses(cookie, has_hsts)), default=None)
    if worst:
        return worst
    return (5, "all are Secure and SameSite") if all(cookie.same_site for cookie in cookies) else (0, "all are Secure")


def _losses(cookie: SetCookie, has_hsts: bool) -> Iterator[tuple[int, str]]:
    name = cookie.name.lower()
    opens_session, is_token = "login" in name or "sess" in name, "csrf" in name
    if not cookie.secure:
        if opens_session:
            yield (-10 if has_hsts else -40), f"session cookie {cookie.name} is not Secure"
        yield (-5 if has_hsts else -20), f"cookie {cookie.name} is not Secure"
    if opens_session and not cookie.http_only:
        yield -30, f"session cookie {cookie.name} is not HttpOnly"
    if is_token and not cookie.same_site:
        yield -20, f"anti-CSRF cookie {cookie.name} has no SameSite"
    if cookie.same_site is not None and (
        cookie.same_site not in {"strict", "lax", "none"} or (cookie.same_site == "none" and not cookie.secure)
    ):
        yield -20, f"cookie {cookie.name} has an invalid SameSite"


def _cross_origin_resource_sharing(surface: Surface, page: Answer) -> tuple[int, str]:
    shared = surface.foreign.headers if surface.foreign else page.headers
    allowed = shared.get("access-control-allow-origin", "")
    with_credentials = shared.get("access-control-allow-credentials", "").strip().lower() == "true"
    if allowed == FOREIGN_ORIGIN and with_credentials:
        return -50, "any site may read the page with its visitor's cookies"
    return 0, f"Access-Control-Allow-Origin: {allowed[:60]}" if allowed else "not shared"


def _redirection(surface: Surface, page: Answer) -> tuple[int, str]:
    if not page.is_https:
        return -20, "the target has no HTTPS"
    route = [urlsplit(step) for step in (surface.plain.route if surface.plain else ())]
    if not route:
        return 0, "no plain HTTP"
    if len(route) == 1:
        return -20, "plain HTTP is not redirected"
    if route[-1].scheme != "https":
        return -20, "plain HTTP ends at plain HTTP"
    if route[1].scheme == "http":
        return -10, "plain HTTP is redirected to plain HTTP first"
    if route[0].hostname != route[1].hostname:
        return -5, "plain HTTP is redirected to another host"
    return 0, "plain HTTP is redirected to HTTPS"


def _referrer_policy(surface: Surface, page: Answer) -> tuple[int, str]:
    private = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
    unsafe = {"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"}
    value = page.headers.get("referrer-policy")
    if value is None:
        return 0, "not sent"
    known = [word for part in value.split(",") if (word := part.strip().lower()) in private | unsafe]
    return (5, known[-1]) if known and known[-1] in private else (-5, "unsafe or unknown")


def _strict_transport_security(surface: Surface, page: Answer) -> tuple[int, str]:
    value = page.headers.get("strict-transport-security")
    if not page.is_https:
        return -20, "the target has no HTTPS"
    if value is None:
        return -20, "not sent"
    age = parsed(value).max_age
    if age is None or "," in value:
        return -20, "not readable"
    return (0, f"max-age={age}") if age >= SIX_MONTHS_S else (-10, f"max-age={age}, less than six months")


def _subresource_integrity(surface: Surface, page: Answer) -> tuple[int, str]:
    if not page.is_page:
        return 0, "no page"
    markup, own = markup_of(page), urlsplit(page.url).hostname or ""
    losses, foreign, sealed = [], False, False
    for script in markup.scripts:
        is_absolute = script.written.lower().startswith(("http://", "https://"))
        if script.written.startswith("//") or (
            is_absolute and not _same_site(own, urlsplit(script.url).hostname or "")
        ):
            foreign = True
            secure = script.written.lower().startswith("https://")
            if not secure:
                losses.append(-20 if script.integrity else -50)
            elif not script.integrity:
                losses.append(-5)
        else:
            sealed = sealed or bool(script.integrity)
    if losses:
        return min(losses), "scripts of other sites without integrity or over plain HTTP"
    if foreign or sealed:
        return 5, "scripts carry their integrity"
    return 0, "no scripts of other sites"


def _same_site(one: str, other: str) -> bool:
    """Whether two hosts share their last two labels: near enough to the registrable domain for a score."""
    return one.split(".")[-2:] == other.split(".")[-2:]


def _x_content_type_options(surface: Surface, page: Answer) -> tuple[int, str]:
    value = page.headers.get("x-content-type-options", "").split(",")[0].strip().lower()
    return (0, "nosniff") if value == "nosniff" else (-5, "not sent or unknown")


def _x_frame_options(surface: Surface, page: Answer) -> tuple[int, str]:
    if any(policy.own("frame-ancestors") is not None for policy in enforced(page)):
        return 5, "by frame-ancestors"
    value = page.headers.get("x-frame-options", "").strip().lower()
    if value in {"deny", "sameorigin"} or value.startswith("allow-from"):
        return 0, value
    return -20, "not sent or unknown"


def _cross_origin_resource_policy(surface: Surface, page: Answer) -> tuple[int, str]:
    value = page.headers.get("cross-origin-resource-policy")
    word = (value or "").strip().lower()
    if value is None or word == "cross-origin":
        return 0, "open to all"
    return (10, word) if word in {"same-origin", "same-site"} else (-5, "unknown")
