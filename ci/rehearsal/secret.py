"""Comparing secrets."""

from __future__ import annotations

import hmac


def matches(given: str, secret: str) -> bool:
    """Whether `given`, as it came in a header, is the secret; takes equally long for every wrong guess."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), secret.encode())
