"""Reading `Strict-Transport-Security` (RFC 6797, section 6.1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hsts:
    """What the header says; `max_age` in seconds, None when it is not usable."""

    max_age: int | None = None
    subdomains: bool = False
    preload: bool = False


def parsed(value: str) -> Hsts:
    """Directive names are read in any case, and a number may be quoted."""
    found: dict[str, str] = {}
    for part in value.split(";"):
        name, _, word = part.strip().partition("=")
        found.setdefault(name.strip().lower(), word.strip().strip('"'))
    digits = found.get("max-age", "")
    usable = digits.isascii() and digits.isdigit() and len(digits) < 16
    return Hsts(int(digits) if usable else None, "includesubdomains" in found, "preload" in found)
