"""Shaking hands with every address of the target: once verified, once more only to read what was refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from ci.engine.http import tls_context
from ci.errors import CannotRun, NotApplicable
from ci.model import ErrorKind
from ci.security.visit import Visit, gather

MOST_ADDRESSES = 8
_EVERY_CIPHER = "ALL:@SECLEVEL=0"  # whatever the server offers: it is only looked at


@dataclass(frozen=True, slots=True)
class Handshake:
    """What one address answered."""

    address: str
    silent: str = ""
    """Why there was no handshake at all."""
    problem: str = ""
    """Why the certificate was refused."""
    code: str = ""
    """OpenSSL's number of that reason."""
    protocol: str = ""
    legacy: str = ""
    """A protocol older than TLS 1.2 that was accepted."""
    not_after: datetime | None = None
    key: str = ""
    key_bits: int = 0
    signature_hash: str = ""
    names: str = ""
    fingerprint: str = ""

    @property
    def days_left(self) -> float:
        assert self.not_after
        return (self.not_after - datetime.now(UTC)).total_seconds() / 86_400


@dataclass(frozen=True, slots=True)
class Transport:
    """The handshakes with all addresses of the target."""

    url: str
    host: str
    port: int
    handshakes: tuple[Handshake, ...]
    min_days_left: int
    legacy_unknown: str = ""
    """Why it could not be tried whether old protocols are accepted."""

    @property
    def answering(self) -> tuple[Handshake, ...]:
        return tuple(hand for hand in self.handshakes if not hand.silent)

    @property
    def certified(self) -> tuple[Handshake, ...]:
        """Those whose certificate could be read."""
        return tuple(hand for hand in self.answering if hand.not_after)


async def shake_hands(visit: Visit) -> Transport:
    """Raises NotApplicable for a target without HTTPS, CannotRun when no address answers."""
    parts = urlsplit(visit.url)
    if parts.scheme != "https":
        raise NotApplicable("the target is served over plain HTTP, so there is no certificate; see security/hsts")
    host, port = parts.hostname or "", parts.port or 443
    loop = asyncio.get_running_loop()
    timeout_s = visit.run.config.target.timeout.total_seconds()
    try:
        async with asyncio.timeout(timeout_s):
            resolved = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotRun(ErrorKind.UNREACHABLE, f"{host} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in resolved))[:MOST_ADDRESSES]
    trusted = tls_context(visit.run.environ)
    legacy = _legacy()
    made = await gather(_shake(address, port, host, trusted, legacy, timeout_s) for address in addresses)
    if all(hand.silent for hand in made):
        raise CannotRun(ErrorKind.UNREACHABLE, f"{host}:{port} does not answer: {made[0].silent}")
    unknown = legacy if isinstance(legacy, str) else ""
    return Transport(visit.url, host, port, made, visit.run.config.security.tls.min_days_left, unknown)


async def _shake(
    address: str, port: int, host: str, trusted: ssl.SSLContext, legacy: ssl.SSLContext | str, timeout_s: float
) -> Handshake:
    found: dict[str, Any] = {"address": address}
    try:
        der, protocol = await _connect(address, port, host, trusted, timeout_s)
    except ssl.SSLCertVerificationError as error:
        found |= {"problem": error.verify_message, "code": str(error.verify_code)}
        der, protocol = await _look(address, port, host, timeout_s)
    except ssl.SSLError as error:
        found["problem"] = f"the handshake fails: {error.reason or error}"
        der, protocol = await _look(address, port, host, timeout_s)
    except (OSError, TimeoutError) as error:
        # Some servers hang up without a word on whoever speaks no protocol that they know.
        der, protocol = await _look(address, port, host, timeout_s)
        if not protocol:
            return Handshake(address, silent=str(error) or f"no answer within {timeout_s:g} s")
        found["problem"] = f"the handshake fails: it speaks {protocol} alone"
    if isinstance(legacy, ssl.SSLContext):
        with contextlib.suppress(OSError, TimeoutError):  # refused, as it should be
            found["legacy"] = (await _connect(address, port, host, legacy, timeout_s))[1]
    return Handshake(**found, protocol=protocol, **(_read(der) if der else {}))


async def _look(address: str, port: int, host: str, timeout_s: float) -> tuple[bytes, str]:
    """Take any certificate and any protocol, only to be able to say what they are."""
    try:
        return await _connect(address, port, host, _unverified(ssl.TLSVersion.TLSv1), timeout_s)
    except (OSError, TimeoutError):
        return b"", ""


async def _connect(address: str, port: int, host: str, context: ssl.SSLContext, timeout_s: float) -> tuple[bytes, str]:
    async with asyncio.timeout(timeout_s):
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
        try:
            tls = writer.get_extra_info("ssl_object")
            return tls.getpeercert(True) or b"", tls.version() or ""
        finally:
            writer.transport.abort()


def _unverified(oldest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(_EVERY_CIPHER)
    with warnings.catch_warnings():  # that nobody should use it is why it is tried
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = oldest
    return context


def _legacy() -> ssl.SSLContext | str:
    """A context that speaks nothing newer than TLS 1.1, or why this machine cannot have one."""
    try:
        context = _unverified(ssl.TLSVersion.TLSv1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    except (ssl.SSLError, ValueError) as error:
        return str(error)
    return context


def _read(der: bytes) -> dict[str, Any]:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        read = x509.load_der_x509_certificate(der)
        key = read.public_key()
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        told = ", ".join(str(name.value) for name in names)[:200]
    except x509.ExtensionNotFound:
        told = "none"
    except (ValueError, UnsupportedAlgorithm):
        return {}
    kind = {rsa.RSAPublicKey: "RSA", ec.EllipticCurvePublicKey: "ECDSA"}
    hashed = read.signature_hash_algorithm
    return {
        "not_after": read.not_valid_after_utc,
        "key": next((name for type_, name in kind.items() if isinstance(key, type_)), type(key).__name__.strip("_")),
        "key_bits": getattr(key, "key_size", 0),
        "signature_hash": hashed.name if hashed else "",
        "names": told,
        "fingerprint": sha256(der).hexdigest(),
    }
