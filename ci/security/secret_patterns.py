"""Knowing a secret by its form. What is found is never repeated: only its kind, its first characters and its length."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

SHORTEST_OWN = 8
"""Characters of a value of the environment that is looked for: a shorter one is found anywhere."""
MOST_OF_A_KIND = 20
_LEAST_ENTROPY = 3.0
"""Bits per character below which a value is an example, such as `sk_live_xxxxxxxx`."""
_SHOWN = 4

_FORMS = {
    "a Stripe secret key": r"\b(?:sk|rk)_live_[A-Za-z0-9]{16,}",
    "a Stripe test key": r"\bsk_test_[A-Za-z0-9]{16,}",
    "a Stripe webhook secret": r"\bwhsec_[A-Za-z0-9+/]{24,}",
    "an OpenAI key": r"\bsk-(?!ant-)(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}",
    "an Anthropic key": r"\bsk-ant-[A-Za-z0-9_-]{32,}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "an AWS secret key": r"(?i)(?:aws_?)?secret_?access_?key[\"']?\s*[:=]\s*[\"'][A-Za-z0-9/+]{40}[\"']",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{60,}",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "a Slack webhook": r"https://hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
    "a Discord webhook": r"https://discord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{50,}",
    "a SendGrid key": r"\bSG\.[\w-]{20,24}\.[\w-]{39,50}",
    "a Mailgun key": r"\bkey-[0-9a-f]{32}\b",
    "a Twilio key": r"\bSK[0-9a-f]{32}\b",
    "a Telegram bot token": r"\b\d{8,10}:AA[\w-]{33}\b",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}",
    "a Vercel token": r"\bvc[pkac]_[A-Za-z0-9]{24,}",
    "a Supabase secret key": r"\bsb_secret_[A-Za-z0-9_-]{20,}",
    "a Supabase access token": r"\bsbp_[0-9a-f]{40}\b",
    "a DigitalOcean token": r"\bdo[opr]_v1_[0-9a-f]{64}\b",
    "a Shopify token": r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b",
    "a Google OAuth secret": r"\bGOCSPX-[\w-]{28}",
    "a Google service account": r"\"private_key_id\"\s*:\s*\"[0-9a-f]{40}\"",
    "a Hugging Face token": r"\bhf_[A-Za-z]{34}\b",
    "a Linear key": r"\blin_api_[A-Za-z0-9]{40}\b",
    "a Notion key": r"\b(?:secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,})\b",
    "a Postmark or Resend key": r"\bre_[A-Za-z0-9]{8,}_[A-Za-z0-9]{20,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*(?:\\n)?[A-Za-z0-9+/=\\n\s]{60,}",
    "a password's hash": r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"
    r"|\$argon2id?\$v=\d+\$m=\d+,t=\d+,p=\d+\$[\w+/]{11,200}\$[\w+/]{16,200}",
    "a database address with its password": r"\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|rediss?|amqps?)://"
    r"[^\s:/@\"'`<>]{1,100}:[^\s@/\"'`<>$]{6,200}@[\w.-]{3,}",
}
_PATTERNS = tuple((what, re.compile(form)) for what, form in _FORMS.items())
_TOKEN = re.compile(r"\beyJ[\w-]{10,2000}\.(eyJ[\w-]{10,4000})\.[\w-]{20,2000}")
_SERVER_ROLES = frozenset({"service_role", "supabase_admin", "postgres"})

_PUBLIC = r"(?:NEXT_PUBLIC_|VITE_|PUBLIC_|REACT_APP_|NUXT_PUBLIC_|EXPO_PUBLIC_|GATSBY_)"
_SERVER_KEY = re.compile(
    r"(?<![A-Za-z0-9_])[\"']?((?!" + _PUBLIC + r")[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){0,6}?_?"
    r"(?:SECRET(?:_KEY|_ACCESS_KEY)?|PRIVATE_KEY|SERVICE_ROLE_KEY|DATABASE_URL|DB_PASSWORD|ENCRYPTION_KEY|API_SECRET"
    r"|PASSWORD|ACCESS_TOKEN|AUTH_TOKEN|WEBHOOK_SECRET|SIGNING_KEY|MONGODB_URI|REDIS_URL)|DATABASE_URL|SECRET_KEY)"
    r"[\"']?\s*[:=]\s*[\"'`]([^\"'`\s]{8,300})[\"'`]"
)
_PUBLISHED_KEY = re.compile(
    r"(?<![A-Za-z0-9_])[\"']?(" + _PUBLIC + r"[A-Z0-9_]{0,60}?"
    r"(?:SECRET(?:_KEY|_ACCESS_KEY)?|PRIVATE_KEY|SERVICE_ROLE(?:_KEY)?|DATABASE_URL|DB_PASSWORD|ENCRYPTION_KEY"
    r"|SIGNING_KEY|MONGODB_URI))[\"']?\s*[:=]\s*[\"'`]([^\"'`\s]{8,300})[\"'`]"
)
"""What was given a public prefix although its name says that only the server may have it."""
_PLACEHOLDER = re.compile(r"(?i)example|your[-_]|changeme|placeholder|xxxx|\.\.\.|<[^>]+>|\$\{|process\.env|undefined")


@dataclass(frozen=True, slots=True)
class Found:
    """One secret, told without repeating it."""

    what: str
    masked: str
    mark: str = ""
    """Tells it apart from others of its kind: who accepts one has not accepted the next."""

    @property
    def key(self) -> str:
        return f"{self.what} {self.mark}".strip()


def secrets_in(text: str, own: Iterable[str] = ()) -> list[Found]:
    """Secrets that are known by their form, tokens of server roles, and these values themselves; each once."""
    found: dict[str, Found] = {}
    for what, pattern in _PATTERNS:
        secrets = dict.fromkeys(match[0] for match in pattern.finditer(text) if not _is_example(match[0]))
        for secret in list(secrets)[:MOST_OF_A_KIND]:
            found.setdefault(secret, Found(what, masked(secret), _mark(secret)))
    for match in _TOKEN.finditer(text):
        if (role := _role(match[1])) in _SERVER_ROLES:
            found.setdefault(match[0], Found(f"a token of the role {role}", masked(match[0]), _mark(match[0])))
    # Without a mark: these may be words that could be guessed by it.
    told = [Found("a secret of this run's environment", masked(value)) for value in own if value in text]
    return [*found.values(), *told[:1]]


def server_keys_in(text: str) -> list[Found]:
    """Settings with a server-only name that stand there with a value; each name once."""
    found: dict[str, Found] = {}
    for name, value in (*_SERVER_KEY.findall(text), *_PUBLISHED_KEY.findall(text)):
        if not _PLACEHOLDER.search(value) and value.upper() != value.replace("-", "_"):
            found.setdefault(name, Found(name, masked(value)))
    return list(found.values())


def own_values(environ: Mapping[str, str], names: Iterable[str]) -> tuple[str, ...]:
    """The values of these variables that are long enough to be looked for."""
    return tuple(value for name in names if len(value := environ.get(name, "")) >= SHORTEST_OWN)


def masked(secret: str) -> str:
    """The first characters and the length, which is enough to find it again."""
    return f"{secret[:_SHOWN]}… ({len(secret)} characters)"


def _mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def _is_example(secret: str) -> bool:
    """Whether it is too regular to be a real one."""
    tail = re.split(r"[_\-.:/@]", secret)[-1] if len(secret) < 200 else secret
    return _PLACEHOLDER.search(secret) is not None or (len(tail) >= 16 and _entropy(tail) < _LEAST_ENTROPY)


def _entropy(text: str) -> float:
    """Shannon's entropy in bits per character."""
    counts = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * log2(share) for share in counts)


def _role(payload: str) -> str | None:
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None
    role = claims.get("role") if isinstance(claims, dict) else None
    return role if isinstance(role, str) else None
