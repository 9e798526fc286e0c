"""Forged tokens: believed by a careless verifier, each in its own way, and by no careful one."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from ci.smoke.forgeries import claims_of, confusions, forgeries, well_known_key

CLAIMS = {"sub": "7", "exp": int(time.time()) + 60}


def test_a_public_key_as_the_secret() -> None:
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key()
    genuine = jwt.encode(CLAIMS, private, algorithm="RS256", headers={"kid": "main"})
    published = {"keys": ["nonsense", {"kty": "odd"}, {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": "main"}]}
    made = [token for _, token in confusions(genuine, published)]
    written = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    believed = [hmac_of(token, written) == token.rpartition(".")[2] for token in made]
    assert believed == [True, False], "with the line feed at its end, and without"
    assert all(jwt.get_unverified_header(token)["kid"] == "main" for token in made)
    for token in made:
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(token, public, algorithms=["RS256"])


@pytest.mark.parametrize("published", [None, [], {"keys": None}, {"keys": [None, 7, {}]}, "no"])
def test_a_key_set_that_is_none(published: object) -> None:
    genuine = jwt.encode(CLAIMS, "k" * 32)
    assert list(confusions(genuine, published)) == []


def test_no_forgery_is_believed_by_a_careful_verifier() -> None:
    genuine = jwt.encode(CLAIMS, "k" * 32, headers={"kid": "main"})
    made = dict(forgeries(genuine))
    assert len(made) == 7
    for token in made.values():
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(token, "k" * 32, algorithms=["HS256"])
    assert claims_of(made["a token signed by another key"]) is not None
    assert len(dict(forgeries(None))) == 3


def test_a_key_of_the_tutorials() -> None:
    head = urlsafe_b64encode(json.dumps({"alg": "HS256"}).encode()).decode().rstrip("=")
    signed = f"{head}.e30"
    assert well_known_key(f"{signed}.{hmac_of(signed + '.', b'secret')}") == "secret"
    assert well_known_key(f"{signed}.{hmac_of(signed + '.', b'of my own')}") is None


def hmac_of(token: str, key: bytes) -> str:
    made = hmac.new(key, token.rpartition(".")[0].encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")
