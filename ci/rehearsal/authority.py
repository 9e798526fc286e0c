"""A private certificate authority for the edge."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

VALID_DAYS = 90.0


class Authority:
    """Issues the edge's certificate for `localhost` and 127.0.0.1, valid for `days` from now."""

    def __init__(self, days: float = VALID_DAYS) -> None:
        self._authority = trustme.CA(organization_name="Gonogo rehearsal")
        self._not_after = datetime.now(UTC) + timedelta(days=days)

    def write(self, folder: Path) -> Path:
        """Write the authority's certificate (not its key) as PEM, for clients to trust."""
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(path)
        return path

    def server_context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, HTTP/1.1 by ALPN."""
        certificate = self._authority.issue_cert("localhost", "127.0.0.1", not_after=self._not_after)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        certificate.configure_cert(context)
        return context
