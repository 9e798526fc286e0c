"""How the API says no."""

from __future__ import annotations


class RefusedError(Exception):
    """A request that Vercel would answer with an error: `status`, a machine-readable `code`, a sentence."""

    def __init__(self, status: int, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def not_found(what: str) -> RefusedError:
    """The thing does not exist, or this scope may not see it."""
    return RefusedError(404, "not_found", f"{what} not found")
