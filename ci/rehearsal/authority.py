"""A private certificate authority for the edge, and the faults that its certificates may have on purpose."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import trustme

VALID_DAYS = 90.0
_EXPIRING_DAYS = 5.0
_WEAK_BITS = 1024
_EVERY_CIPHER = "ALL:@SECLEVEL=0"


class TransportFault(StrEnum):
    """What can be wrong with a deployment's transport, in front of the application."""

    OTHER_HOST = "certificate-of-another"
    EXPIRING = "certificate-expiring"
    WEAK_KEY = "certificate-weak"
    OLD_TLS = "old-tls"
    PLAIN_HTTP = "plain-http"


class Authority:
    """Issues the edge's certificate for `localhost` and 127.0.0.1, valid for `days` from now."""

    def __init__(self, days: float = VALID_DAYS) -> None:
        self._authority = trustme.CA(organization_name="Gonogo rehearsal")
        self._days = days
        self._sound = self._context(())

    def write(self, folder: Path) -> Path:
        """Write the authority's certificate (not its key) as PEM, for clients to trust."""
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(path)
        return path

    def server_context(self, faults: Collection[TransportFault] = ()) -> ssl.SSLContext:
        """TLS 1.2 or newer, HTTP/1.1 by ALPN, unless a fault is wanted."""
        return self._context(faults) if faults else self._sound

    def _context(self, faults: Collection[TransportFault]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if TransportFault.OLD_TLS in faults:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # old on purpose
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers(_EVERY_CIPHER)
        if TransportFault.WEAK_KEY in faults:
            context.set_ciphers(_EVERY_CIPHER)
            _load_weak(context)
            return context
        days = _EXPIRING_DAYS if TransportFault.EXPIRING in faults else self._days
        hosts = ("elsewhere.test",) if TransportFault.OTHER_HOST in faults else ("localhost", "127.0.0.1")
        until = datetime.now(UTC) + timedelta(days=days)
        self._authority.issue_cert(*hosts, not_after=until).configure_cert(context)
        return context


def _load_weak(context: ssl.SSLContext) -> None:
    """A certificate with a short key, signed by itself: no authority of today signs one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, _WEAK_BITS)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:  # ssl reads a key from a file alone
        path = Path(folder) / "weak.pem"
        path.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        context.load_cert_chain(path)
