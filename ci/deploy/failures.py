"""How a call to Vercel's API fails, told apart by what is known afterwards.

ApiError
  Refused      the API said no: nothing has changed
    RateLimited  it said "not now": nothing has changed
  NotSent      no connection came about: nothing has changed
  Ambiguous    a write went out and its fate is not known
  Unreadable   a read stayed without a usable answer
"""

from __future__ import annotations

from ci.errors import CannotRun
from ci.model import ErrorKind


class ApiError(CannotRun):
    """A call to the API did not do what it should."""


class Refused(ApiError):
    """The API answered with an error of the caller's kind (4xx)."""

    def __init__(self, operation: str, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        kind = ErrorKind.MISCONFIGURED if status in {401, 403} else ErrorKind.TOOL_FAILED
        super().__init__(kind, f"Vercel refused to {operation}: {status} {code}: {message}{_ADVICE.get(status, '')}")


class RateLimited(Refused):
    """429: the API wants to be asked later."""

    def __init__(self, operation: str, code: str, message: str, retry_after_s: float | None) -> None:
        super().__init__(operation, 429, code, message)
        self.kind = ErrorKind.RATE_LIMITED
        self.retry_after_s = retry_after_s


class NotSent(ApiError):
    """No connection to the API came about."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(ErrorKind.UNREACHABLE, f"Vercel's API could not be reached to {operation}: {reason}")


class Ambiguous(ApiError):
    """A write went out, and no answer says whether it took effect."""

    def __init__(self, operation: str, reason: str) -> None:
        message = f"whether the request to {operation} took effect is not known: {reason}"
        super().__init__(ErrorKind.UNREACHABLE, message)


class Unreadable(ApiError):
    """A read stayed without a usable answer."""

    def __init__(self, operation: str, reason: str, kind: ErrorKind = ErrorKind.UNREACHABLE) -> None:
        super().__init__(kind, f"Vercel's API gave no usable answer to {operation}: {reason}")


_ADVICE = {
    401: "; VERCEL_TOKEN is missing, wrong or expired: create one at https://vercel.com/account/settings/tokens",
    402: "; the account's plan does not allow it",
    403: "; VERCEL_TOKEN may not do this here: check the token's scope, VERCEL_ORG_ID and VERCEL_PROJECT_ID",
    404: "; check VERCEL_ORG_ID and VERCEL_PROJECT_ID",
}
