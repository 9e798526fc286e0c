"""Tokens that no application may believe, each with what is wrong about it (RFC 8725). Nothing here asks anybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

MADE_UP = {"sub": "1", "role": "admin"}
"""Claims where there is no genuine token to take them from."""
LIFETIME_S = 600
WELL_KNOWN_KEYS = (
    *("secret", "your-256-bit-secret", "your-secret-key", "your_secret_key", "secretkey", "secret_key", "secret-key"),
    *("changeme", "change-me", "changethis", "password", "123456", "12345678", "admin", "test", "key", "jwt", "token"),
    *("mysecret", "my-secret", "my_secret_key", "supersecret", "super-secret", "super_secret_key", "jwtsecret"),
    *("jwt_secret", "jwt-secret", "JWT_SECRET", "SECRET", "SECRET_KEY", "secret123", "dev", "development", "default"),
    "a-string-secret-at-least-256-bits-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
)
"""Keys of tutorials, of frameworks' documentation and of jwt.io."""
_TO_BE_FETCHED = (
    ("that leads out of the folder of keys", "../" * 12 + "dev/null", b""),
    ("that is a piece of SQL", "gonogo' UNION SELECT 'gonogo' -- ", b"gonogo"),
)
"""Values of `kid` that make a careless application fetch a key that everybody has (CWE-22, CWE-89)."""


def claims_of(token: str) -> dict[str, Any] | None:
    """What a JSON Web Token claims, unverified; None when it is not one."""
    import jwt

    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except jwt.InvalidTokenError:
        return None


def head_of(token: str) -> dict[str, Any]:
    """Its header, unverified."""
    import jwt

    return dict(jwt.get_unverified_header(token))


def forgeries(genuine: str | None) -> Iterator[tuple[str, str]]:
    """What is wrong about each forged token, and the token. After a genuine one they prove more."""
    claims = {**((claims_of(genuine) if genuine else None) or MADE_UP), "exp": int(time.time()) + LIFETIME_S}
    head = head_of(genuine) if genuine else {}
    kid = {"kid": head["kid"]} if "kid" in head else {}
    for name in ("none", "None"):
        yield f"a token with alg `{name}`", f"{_part({'alg': name, 'typ': 'JWT', **kid})}.{_part(claims)}."
    yield "a token signed by another key", _signed(kid, claims, secrets.token_bytes(32))
    if genuine:
        head_part, _, signature = genuine.split(".")
        tampered = {**claims, "exp": claims["exp"] + 86_400, "role": "admin"}
        yield "a token whose claims were changed after signing", f"{head_part}.{_part(tampered)}.{signature}"
        yield "a token without its signature", genuine.rpartition(".")[0] + "."
    for what, odd, key in _TO_BE_FETCHED if kid else ():
        yield f"a token with a `kid` {what}", _signed({"kid": odd}, claims, key)


def confusions(genuine: str, published: Any) -> Iterator[tuple[str, str]]:
    """Tokens signed by HMAC with a public key as its secret (RFC 8725, section 2.1); `published` is a JWK Set."""
    import jwt
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    keys = published.get("keys") if isinstance(published, dict) else None
    claims = {**(claims_of(genuine) or MADE_UP), "exp": int(time.time()) + LIFETIME_S}
    for data in keys[:3] if isinstance(keys, list) else ():
        try:
            public = jwt.PyJWK.from_dict(data).key
            written = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
        kid = {"kid": data["kid"]} if "kid" in data else {}
        for key in (written, written.strip()):
            yield "a token signed by HMAC with the public key as its secret", _signed(kid, claims, key)


def well_known_key(token: str) -> str | None:
    """The key of an HMAC token, where it is one that stands in every tutorial."""
    signed, _, signature = token.rpartition(".")
    return next((key for key in WELL_KNOWN_KEYS if _signature(signed, key.encode()) == signature), None)


def _signed(head: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', **head})}.{_part(claims)}"
    return f"{signed}.{_signature(signed, key)}"


def _signature(signed: str, key: bytes) -> str:
    made = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _part(data: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
