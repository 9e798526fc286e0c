"""Access tokens: short-lived JSON Web Tokens that name a session (RFC 7519, best practice of RFC 8725)."""

import time
from typing import Any
from uuid import UUID, uuid4

import jwt

LIFETIME_SECONDS = 15 * 60
TEN_YEARS_SECONDS = 10 * 365 * 24 * 60 * 60
_ISSUER = "https://harbour.example"
_AUDIENCE = "harbour-api"
_ALGORITHM = "HS256"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "jti"]


class Tokens:
    """Signs and reads access tokens with the application's secret key."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def issue(
        self, user: UUID, session: UUID, lifetime: int = LIFETIME_SECONDS, *, issued_at: float | None = None
    ) -> str:
        """An access token of ``user`` in ``session`` that lives for ``lifetime`` seconds."""
        now = int(time.time() if issued_at is None else issued_at)
        claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": str(user), "sid": str(session), "jti": uuid4().hex}
        return jwt.encode({**claims, "iat": now, "exp": now + lifetime}, self._secret_key, algorithm=_ALGORITHM)

    def session_of(self, token: str) -> UUID:
        """The session that a valid token names; ``jwt.InvalidTokenError`` says why a token is not valid."""
        claims = jwt.decode(
            token,
            self._secret_key,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            options={"require": _REQUIRED},
        )
        try:
            return UUID(claims["sid"])
        except (ValueError, AttributeError, TypeError) as error:
            raise jwt.InvalidTokenError("sid is not a session id") from error


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says, whoever wrote it: only for the flaws that trust it."""
    return dict(jwt.decode(token, options={"verify_signature": False}))
