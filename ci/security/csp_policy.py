"""Reading Content-Security-Policy (W3C CSP Level 3, sections 2.2 and 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ci.security.answer import Answer
from ci.security.markup import markup_of

BROAD = frozenset({"*", "http:", "https:", "ftp:", "http://*", "https://*", "http://*.*", "https://*.*"})
"""Sources that stand for nearly every host."""

_FOR_RENT = frozenset(
    {
        *(
            "vercel.app",
            "now.sh",
            "netlify.app",
            "pages.dev",
            "workers.dev",
            "herokuapp.com",
            "onrender.com",
            "fly.dev",
        ),
        *(
            "github.io",
            "gitlab.io",
            "githubusercontent.com",
            "web.app",
            "firebaseapp.com",
            "appspot.com",
            "windows.net",
        ),
        *("cloudfront.net", "amazonaws.com", "azurewebsites.net", "googleusercontent.com", "blogspot.com", "ngrok.io"),
        *("co.uk", "com.au", "co.jp", "com.br"),
    }
)
"""Domains below which anybody may have a host (an excerpt of publicsuffix.org)."""

_SCRIPTS_FOR_ALL = frozenset(
    {
        *("cdn.jsdelivr.net", "unpkg.com", "cdnjs.cloudflare.com", "ajax.googleapis.com", "esm.sh", "cdn.skypack.dev"),
        *("rawgit.com", "raw.githack.com", "raw.githubusercontent.com", "accounts.google.com", "www.google.com"),
        *("storage.googleapis.com", "s3.amazonaws.com", "yandex.st", "code.angularjs.org"),
    }
)
"""Hosts with everybody's packages, or with JSONP: a script may be had from them that does what an attacker wants."""

_NONCE_OR_HASH = re.compile(r"'(?:nonce-|sha256-|sha384-|sha512-)[^']+'")
_NONCE = re.compile(r"'nonce-([^']+)'", re.IGNORECASE)
_NOT_IN_META = frozenset({"frame-ancestors", "report-uri", "sandbox"})


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: directives by name with their sources. Names and keywords are in lower case, nonces as they came."""

    directives: dict[str, tuple[str, ...]]
    duplicates: tuple[str, ...] = ()
    """Directives that stand twice; browsers ignore all but the first."""

    def own(self, directive: str) -> tuple[str, ...] | None:
        """The sources of a directive itself, None when the policy does not have it."""
        return self.directives.get(directive)

    def effective(self, *directives: str) -> tuple[str, ...] | None:
        """The sources of the first of these that the policy has, else of default-src; None when it has none of them."""
        return next((self.directives[name] for name in (*directives, "default-src") if name in self.directives), None)

    @property
    def scripts(self) -> tuple[str, ...] | None:
        """What governs script elements."""
        return self.effective("script-src-elem", "script-src")

    @property
    def governs_scripts(self) -> str | None:
        """The name of the directive that governs scripts."""
        return next((name for name in ("script-src", "default-src") if name in self.directives), None)

    @property
    def nonces(self) -> frozenset[str]:
        return frozenset(match[1] for source in self.scripts or () if (match := _NONCE.fullmatch(source)))


def policy_of(text: str) -> Policy:
    """Parse one serialized policy. Whatever the standard ignores is left out."""
    directives: dict[str, tuple[str, ...]] = {}
    duplicates: list[str] = []
    for part in text.split(";"):
        name, *sources = part.split() or [""]
        name = name.lower()
        if not name:
            continue
        if name in directives:
            duplicates.append(name)
        else:
            directives[name] = tuple(source if _NONCE.fullmatch(source) else source.lower() for source in sources)
    return Policy(directives, tuple(duplicates))


def enforced(answer: Answer) -> tuple[Policy, ...]:
    """Every policy that a browser enforces on the answer: from its headers, and from `<meta>` in a page."""
    policies = list(_from_header(answer, "content-security-policy"))
    for name, content in markup_of(answer).equivalents:
        if name == "content-security-policy":
            policy = policy_of(content)
            usable = {key: value for key, value in policy.directives.items() if key not in _NOT_IN_META}
            policies.append(Policy(usable, policy.duplicates))
    return tuple(policy for policy in policies if policy.directives)


def reported(answer: Answer) -> tuple[Policy, ...]:
    """Policies that a browser only reports about."""
    return tuple(_from_header(answer, "content-security-policy-report-only"))


def everybodys(source: str) -> bool:
    """Whether a source is a wildcard over a domain below which anybody may have a host, as in `https://*.com`."""
    host = source.partition("://")[2] or source
    domain = host.partition("/")[0].partition(":")[0].removeprefix("*.")
    return host.startswith("*.") and ("." not in domain or domain in _FOR_RENT)


def serves_anybody(source: str) -> bool:
    """Whether a host is named as a whole from which anybody can have a script of their choice (CSP Level 3, 8.2)."""
    host, _, path = (source.partition("://")[2] or source).partition("/")
    return host.partition(":")[0] in _SCRIPTS_FOR_ALL and not path


def is_open(sources: Iterable[str]) -> bool:
    """Whether nearly every host is among the sources."""
    return bool(BROAD & set(sources))


def trusts_nonce_or_hash(sources: Iterable[str]) -> bool:
    return any(_NONCE_OR_HASH.fullmatch(source.lower()) for source in sources)


def without_ignored(sources: tuple[str, ...]) -> frozenset[str]:
    """The sources that count: nonces and hashes switch off 'unsafe-inline', 'strict-dynamic' besides every host.

    CSP Level 3, sections 6.7.3.2 and 8.2.
    """
    counted = set(sources)
    if trusts_nonce_or_hash(sources) or "'strict-dynamic'" in counted:
        counted.discard("'unsafe-inline'")
    if trusts_nonce_or_hash(sources) and "'strict-dynamic'" in counted:
        counted = {source for source in counted if source.startswith("'") and source != "'self'"}
    return frozenset(counted)


def _from_header(answer: Answer, header: str) -> Iterable[Policy]:
    for text in answer.headers.get_list(header, split_commas=True):
        if (policy := policy_of(text)).directives:
            yield policy
