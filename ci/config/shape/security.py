"""`security`: what must be closed, and the repository as the code scan sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from ci.config.shape.scalars import Duration, Method, Path, Section, Site
from ci.config.shape.smoke import Request

CodeCheck = Literal[
    "security/secrets-tree",
    "security/secrets-history",
    "security/python-dependencies",
    "security/node-dependencies",
    "security/python-code",
    "security/workflows",
]


class RateLimit(Section):
    """A limit that the target promises, and that is really tried."""

    path: Path = Field(description="An endpoint whose limit may be used up by a check.")
    method: Method = "GET"
    body: dict[str, Any] | None = Field(default=None, description="JSON body to send.")
    burst: int = Field(ge=1, le=1000, description="Requests of one client that the limit lets through at most.")
    excluded: tuple[Path, ...] = Field(default=(), description="Paths that must not be limited.")
    recovery: Duration = Field(
        default=timedelta(seconds=15),
        description="Longest time to wait until the limit lets requests through again, which is then tried.",
    )


class Lookup(Section):
    """An endpoint that is given a user's name, as for a forgotten password or a registration."""

    path: Path
    field: str = Field(default="email", description="Name of the field that holds the user's name.")
    body: dict[str, Any] = Field(default={}, description="Further fields to send.")


class Tls(Section):
    """What the target's transport must be like."""

    min_days_left: int = Field(default=14, ge=1, description="Days that the certificate must still be valid.")
    plain_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of plain HTTP; 80 when the target is on 443."
    )


class Code(Section):
    """The application's repository, as the code scan sees it. Files that git ignores are no part of it."""

    baseline: str = Field(default=".secrets.baseline", description="Baseline of detect-secrets, from the root.")
    exclude: tuple[str, ...] = Field(
        default=(), description="Globs of files that no scanner reads, such as `vendor/*`; they are counted."
    )
    leave_out: tuple[CodeCheck, ...] = Field(default=(), description="Checks of the code that are not made.")
    python_severity: Literal["low", "medium", "high"] = Field(
        default="medium", description="The mildest severity of bandit that counts as a finding."
    )
    osv_url: Site = Field(
        default="https://api.osv.dev/v1/query", description="Where advisories about Python packages are asked for."
    )
    npm_registry: Site | None = Field(
        default=None,
        description="Where advisories about Node.js packages are asked for; npm's own setting if not given.",
    )
    timeout: Duration = Field(default=timedelta(minutes=5), description="For each scanner; they run side by side.")


class Security(Section):
    """Is it closed where it must be?"""

    pages: Annotated[tuple[Path, ...], Field(min_length=1)] = ("/",)
    minimum_grade: Literal["A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "F"] = Field(
        default="B", description="The worst grade by the rules of MDN's HTTP Observatory that is borne."
    )
    session_cookies: tuple[str, ...] = Field(
        default=(), description="Names of the cookies that open a session, where their names do not say so."
    )
    max_session_age: Duration = Field(
        default=timedelta(days=30), description="Longest time that a session cookie may live."
    )
    csrf: Request | None = Field(
        default=None,
        description="A request that changes something, to try without a CSRF token; "
        "the first of smoke.api that is no GET and needs a login when not given.",
    )
    redirects: tuple[Path, ...] = Field(
        default=(), description="Pages that send their visitor on; the login page and protected pages are known."
    )
    lookup: Lookup | None = None
    rate_limit: RateLimit | None = None
    public: tuple[Path, ...] = Field(
        default=(), description="Paths that are open on purpose although a check would call them exposed."
    )
    max_body: int = Field(
        default=1_000_000, ge=1, le=20_000_000, description="Bytes of a body that is too large for every endpoint."
    )
    tls: Tls = Tls()
    code: Code | None = Field(default=None, description="Scan the repository that Gonogo is run in, too.")
    timeout: Duration = Field(default=timedelta(minutes=5), description="For the whole stage.")
