"""Reading `Set-Cookie` as browsers do (RFC 6265bis, section 5.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ci.security.answer import Answer

_SESSION_NAME = re.compile(r"(?i)sess|sid\b|auth|token|jwt|login|remember|connect\.sid|^sb-")
_READ_BY_SCRIPTS = re.compile(r"(?i)csrf|xsrf")


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One cookie that an answer sets. Attribute names are in lower case; the last of a name counts."""

    name: str
    value: str
    attributes: dict[str, str]
    url: str

    @property
    def secure(self) -> bool:
        return "secure" in self.attributes

    @property
    def http_only(self) -> bool:
        return "httponly" in self.attributes

    @property
    def same_site(self) -> str | None:
        """`strict`, `lax` or `none`; None when it is not given, and any other word as it was written."""
        return self.attributes["samesite"].strip().lower() if "samesite" in self.attributes else None

    @property
    def is_csrf_token(self) -> bool:
        """A token that scripts read on purpose, to send it back in a header."""
        return _READ_BY_SCRIPTS.search(self.name) is not None

    @property
    def opens_session(self) -> bool:
        """Whether its name says that it is worth stealing."""
        return not self.is_csrf_token and _SESSION_NAME.search(self.name) is not None

    @property
    def lifetime_s(self) -> float | None:
        """Seconds that a browser keeps it, None when only until it is closed. Max-Age goes before Expires."""
        age = self.attributes.get("max-age", "").strip()
        if re.fullmatch(r"-?\d{1,15}", age):
            return float(age)
        try:
            expires = parsedate_to_datetime(self.attributes.get("expires", "").strip().replace("-", " "))
        except (ValueError, TypeError, OverflowError):
            return None
        expires = expires if expires.tzinfo else expires.replace(tzinfo=UTC)
        return (expires - datetime.now(UTC)).total_seconds()

    @property
    def removes(self) -> bool:
        """Whether the answer deletes the cookie: what it then says of it protects nothing and harms nobody."""
        return not self.value or ((age := self.lifetime_s) is not None and age <= 0)


def cookies_of(answer: Answer) -> tuple[SetCookie, ...]:
    """The cookies that an answer sets, in order."""
    return tuple(_parsed(answer.headers.get_list("set-cookie"), answer.url))


def _parsed(lines: list[str], url: str) -> Iterator[SetCookie]:
    for line in lines:
        pair, *rest = line.split(";")
        name, equals, value = pair.partition("=")
        if not equals:  # a pair without `=` is a value without a name (RFC 6265bis, 5.6)
            name, value = "", pair
        attributes = {}
        for part in rest:
            key, _, word = part.partition("=")
            attributes[key.strip().lower()] = word.strip()
        yield SetCookie(name.strip(), value.strip().strip('"'), attributes, url)
