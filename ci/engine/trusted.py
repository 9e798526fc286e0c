"""The way past deployment protection without a shared secret: Vercel trusts a token that GitHub issues for this job.

https://vercel.com/docs/deployment-protection/methods-to-bypass-deployment-protection (Trusted Sources);
https://docs.github.com/actions/reference/security/oidc
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Mapping

import httpx

from ci.errors import CannotRun
from ci.model import ErrorKind

TRUSTED_HEADER = "x-vercel-trusted-oidc-idp-token"
AUDIENCE_VARIABLE = "GONOGO_TRUSTED_AUDIENCE"
"""The audience that the project's Trusted Source expects; without it no token is asked for."""
URL_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

RENEW_BEFORE_S = 60.0
"""A token is renewed so long before it expires: what is under way must still arrive with it."""
SHORTEST_S = 60.0
"""How long a token is used that does not say when it expires."""
REQUEST_S = 15.0


class TrustedToken:
    """GitHub's token for this job, fetched when it is first needed and renewed before it expires."""

    def __init__(self, environ: Mapping[str, str], tls: ssl.SSLContext) -> None:
        self._audience = environ.get(AUDIENCE_VARIABLE, "").strip()
        self._url = environ.get(URL_VARIABLE, "")
        self._request_token = environ.get(REQUEST_VARIABLE, "")
        self._tls = tls
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    @property
    def wanted(self) -> bool:
        """Whether the environment asks for this way at all."""
        return bool(self._audience)

    @property
    def fresh(self) -> bool:
        """Whether the next call answers at once."""
        return time.time() < self._good_until

    def __call__(self) -> tuple[str, str]:
        """The header's name and value. Blocks when a token has to be fetched. Raises CannotRun when there is none."""
        with self._lock:
            if not self.fresh:
                self._token = self._fetch()
                self._good_until = max(_expiry(self._token) - RENEW_BEFORE_S, time.time() + 1)
            return TRUSTED_HEADER, self._token

    def _fetch(self) -> str:
        if not (self._url and self._request_token):
            raise CannotRun(
                ErrorKind.MISCONFIGURED,
                f"{AUDIENCE_VARIABLE} asks for Trusted Sources, but GitHub offers this job no token; give the job the "
                "permission `id-token: write`, or set VERCEL_AUTOMATION_BYPASS_SECRET instead",
            )
        try:
            answer = httpx.get(
                httpx.URL(self._url).copy_merge_params({"audience": self._audience}),
                headers={"authorization": f"Bearer {self._request_token}"},
                timeout=REQUEST_S,
                verify=self._tls,
                trust_env=False,
            )
            token = str(answer.raise_for_status().json()["value"])
        except httpx.HTTPStatusError as error:
            raise _no_token(f"it answered {error.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _no_token(type(error).__name__) from None
        except (ValueError, LookupError, TypeError):
            raise _no_token("its answer holds none") from None
        if not token:
            raise _no_token("its answer holds an empty one")
        return token


def _no_token(why: str) -> CannotRun:
    return CannotRun(ErrorKind.MISCONFIGURED, f"GitHub gave no token for Vercel's Trusted Sources: {why}")


def _expiry(token: str) -> float:
    """`exp` of a JSON Web Token (RFC 7519, 4.1.4), unverified: it is Vercel that has to believe it."""
    try:
        claims = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (ValueError, LookupError, TypeError):
        return time.time() + SHORTEST_S + RENEW_BEFORE_S
