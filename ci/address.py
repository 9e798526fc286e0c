"""The part of an address on the target that stays the same from one build and deployment to the next."""

from __future__ import annotations

import re
from itertools import pairwise

_ASSET = re.compile(
    r"[-._/](?P<hash>[\w-]{8}|[0-9a-zA-Z]{6,64})"
    r"(?P<rest>(?:\.(?:chunk|bundle|module|min|async|legacy))*\.(?:m?js|css|json|wasm|woff2?|svg|png|webp|avif|jpe?g)(?:\.map)?)$"
)
"""A file that a bundler made: its name, a separator, perhaps a hash of its content, its kind."""
_BUILD = re.compile(r"(?<=/_next/static/)[\w-]{8,64}(?=/_(?:build|ssg)Manifest\.js$)")
"""Next.js' id of a build."""
_TURBOPACK = re.compile(r"(?<=/_next/static/chunks/)(?P<name>(?:\w+-)?)[0-3][0-9a-z_~-]{12}(?=\.(?:js|css)(?:\.map)?$)")
"""Next.js' chunks by Turbopack: 64 bits in base 38, whatever they come to."""
_HEX = re.compile(r"[0-9a-f]{6,64}|[0-9A-F]{6,64}")
_BASE_32 = re.compile(r"[A-Z2-7]{8}")
"""What esbuild writes."""
_WORDS = re.compile(r"\d*(?:[A-Za-z]?[a-z]{2,}(?:[A-Z][a-z]{2,})*|[A-Z]{2,}|[A-Za-z])?\d{0,4}")
"""A part of an ordinary name: words in small letters or CamelCase, capitals, numbers."""


def path_of(url: str) -> str:
    """The path of a URL, without host and query."""
    without_scheme = url.partition("://")[2] or url
    return "/" + without_scheme.partition("/")[2].partition("?")[0].partition("#")[0]


def lasting(path: str) -> str:
    """The path with `*` in place of the hash of a bundle's content: `/assets/index-*.js`, whatever was built."""
    path = _TURBOPACK.sub(r"\g<name>*", _BUILD.sub("*", path))
    found = _ASSET.search(path)
    if found is None or not _is_hash(found["hash"]):
        return path
    return f"{path[: found.start('hash')]}*{found['rest']}"


def _is_hash(token: str) -> bool:
    """Whether no person chose it. Rather a hash taken for a name than a name for a hash."""
    letters, digits = re.search("[A-Za-z]", token), re.search("[0-9]", token)
    if _HEX.fullmatch(token):
        # Six or seven figures also make a word with a number, such as `cafe24`.
        return bool(letters and digits) and (len(token) >= 8 or _changes(token) >= 2)
    if _BASE_32.fullmatch(token):
        return True
    mixed = re.search("[a-z]", token) and re.search("[A-Z]", token)
    return bool(mixed) and len(token) >= 8 and not all(_WORDS.fullmatch(part) for part in re.split("[-_]", token))


def _changes(token: str) -> int:
    """How often letters and figures take turns."""
    kinds = [character.isdigit() for character in token]
    return sum(one is not other for one, other in pairwise(kinds))
