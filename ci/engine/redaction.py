"""Keeping secrets out of everything that is written or printed."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from ci.model import Model

M = TypeVar("M", bound=Model)

MASK = "[redacted]"

SECRET_VARIABLES = (
    "VERCEL_TOKEN",
    "VERCEL_AUTOMATION_BYPASS_SECRET",
    "GITHUB_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
)
"""Environment variables whose values are always secret; the configuration names more."""

MIN_SECRET_LENGTH = 6
"""A shorter value is not masked: it would turn innocent words into holes."""

_HEADERS = re.compile(
    r"""(?ix) \b (authorization | proxy-authorization | cookie | set-cookie | x-vercel-protection-bypass
        | x-vercel-trusted-oidc-idp-token | x-csrf-token | x-api-key) (["']? \s* [:=] \s* ["']?) ([^\r\n"']+)"""
)
_TOKENS = re.compile(
    r"""(?x)
    \b eyJ[\w-]{8,} \. [\w-]{4,} \. [\w-]*      # JSON Web Token (RFC 7519)
    | \b gh[pousr]_[A-Za-z0-9]{20,}             # GitHub
    | \b github_pat_\w{20,}
    | \b [sr]k_(?:live|test)_[A-Za-z0-9]{10,}   # Stripe
    | \b whsec_[A-Za-z0-9]{10,}
    | \b sk-[A-Za-z0-9_-]{20,}                  # OpenAI
    | \b AKIA[0-9A-Z]{16} \b                    # AWS
    | \b xox[abprs]-[A-Za-z0-9-]{10,}           # Slack
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    """
)
_PARAMETERS = re.compile(
    r"(?i)([?&](?:access_token|refresh_token|id_token|token|code|key|api_?key|secret|password|sig|signature|_vercel_share)=)[^&#\s\"'<>]+"
)
_URL_PASSWORD = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@")


class Redactor:
    """Masks known secret values and whatever looks like a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first, so that a secret which contains another leaves nothing of itself behind.
        self._forms = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    @classmethod
    def of_environment(cls, environ: Mapping[str, str], names: Iterable[str] = ()) -> Redactor:
        """Masks the values of the named variables and of those that are always secret."""
        return cls(environ[name] for name in {*SECRET_VARIABLES, *names} if environ.get(name))

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._without_torn(self._known.sub(MASK, text))
        text = _TOKENS.sub(MASK, text)
        text = _HEADERS.sub(lambda m: m[1] + m[2] + MASK, text)
        text = _PARAMETERS.sub(lambda m: m[1] + MASK, text)
        return _URL_PASSWORD.sub(lambda m: f"{m[1]}:{MASK}@", text)

    def _without_torn(self, text: str) -> str:
        """Masks the begin of a secret at the end: an excerpt may have been cut in the middle of one."""
        body = text.removesuffix("…")
        for form in self._forms:
            at = body.find(form[:MIN_SECRET_LENGTH], max(0, len(body) - len(form)))
            while at != -1:
                if form.startswith(body[at:]):
                    return f"{body[:at]}{MASK}{text[len(body) :]}"
                at = body.find(form[:MIN_SECRET_LENGTH], at + 1)
        return text

    def model(self, fact: M) -> M:
        """The same fact with every string redacted; a mask can never break its JSON."""
        return type(fact).model_validate(self._clean(fact.model_dump(mode="json")))

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {key: self._clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        return value


def _forms(secret: str) -> set[str]:
    """The secret as it is, and as it looks inside a URL, a JSON string, a message of Python or a header."""
    if len(secret) < MIN_SECRET_LENGTH:
        return set()
    in_json = secret.replace("\\", "\\\\").replace('"', '\\"')
    in_python = secret.encode("unicode_escape").decode()
    in_header = in_a_header(secret)
    return {secret, quote(secret, safe=""), quote_plus(secret), in_json, in_python, in_header}


def in_a_header(secret: str) -> str:
    """A secret as it can travel in a header.

    What no token holds, such as a line end or a letter beyond ASCII, is percent-encoded: then whoever is asked
    refuses it, where the client's own error would repeat it.
    """
    return quote(secret.strip(), safe=string.punctuation)
