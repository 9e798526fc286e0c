"""Host names, certificates and domains: does the name lead there, and how many days are left?"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import httpx

from ci.config.shape.monitor import Name
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.facts import Condition, Kind, ProbeRecord, Series
from ci.monitor.probing.probe import Eyes, Seen

_PLATFORMS = ("vercel.app", "vercel.dev", "now.sh", "github.io", "netlify.app", "pages.dev", "supabase.co")
"""Domains below which everybody gets a name: their registration is none of ours."""
_RESERVED = ("localhost", "test", "example", "invalid", "local", "internal")
"""RFC 6761, RFC 6762, RFC 9476: never registered."""
_ASK_AGAIN_AFTER_S = 12 * 3600
"""Registries do not want to be asked every few minutes, and their answer changes once a year."""


async def look_at_name(environment: str, name: Name, timeout_s: float) -> Sequence[Seen]:
    """What a host name leads to."""
    series = Series(environment=environment, target=name.host, kind=Kind.DNS)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(name.host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            return [Seen(series, Condition.UNKNOWN, f"the resolver gives no answer about {name.host} now")]
        return [Seen(series, Condition.DOWN, f"{name.host} does not resolve: {error.strerror}")]
    addresses = sorted({str(entry[4][0]) for entry in found})
    canonical = next((entry[3] for entry in found if entry[3]), "").rstrip(".").lower()
    seen = [*addresses, *([canonical] if canonical else [])]
    told = f"leads to {', '.join(addresses[:4])}" + (f" ({canonical})" if canonical not in {"", name.host} else "")
    if name.leads_to and not any(fnmatchcase(one, pattern.lower()) for one in seen for pattern in name.leads_to):
        return [Seen(series, Condition.DOWN, f"{told}, wanted {' or '.join(name.leads_to)}", value=canonical)]
    return [Seen(series, Condition.UP, told, value=canonical)]


async def look_at_certificate(eyes: Eyes, environment: str, host: str, port: int, min_days: int) -> Sequence[Seen]:
    """Whether the certificate is trusted, and for how many days more."""
    series = Series(environment=environment, target=host, kind=Kind.CERTIFICATE)
    try:
        async with asyncio.timeout(eyes.timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=eyes.tls, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        return [Seen(series, Condition.DOWN, f"the certificate is refused: {error.verify_message}", measure=None)]
    except (OSError, TimeoutError) as error:
        told = str(error) or f"no answer within {eyes.timeout_s:g} s"
        return [Seen(series, Condition.UNKNOWN, f"no handshake, so the certificate was not seen: {told}")]
    try:
        certificate = writer.get_extra_info("peercert")
    finally:
        writer.transport.abort()
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return [_days(series, expires, min_days, "the certificate", "see to its renewal")]


async def look_at_domain(
    eyes: Eyes, environment: str, host: str, rdap: str, min_days: int, known: ProbeRecord | None
) -> Sequence[Seen]:
    """How long the domain is registered, by RDAP (RFC 9083): of the name, or of the nearest one above it."""
    now = datetime.now(UTC)
    fresh = known and known.value and (now - _asked_at(known)).total_seconds() < _ASK_AGAIN_AFTER_S
    value = known.value if known and fresh else None
    if value is None:
        domain, expires = await _registered_until(eyes, host, rdap)
        value = f"{domain} {expires.isoformat()} {now.isoformat()}"
    domain, until, _ = value.split(" ")
    series = Series(environment=environment, target=host, kind=Kind.DOMAIN)
    seen = _days(series, datetime.fromisoformat(until), min_days, f"the domain {domain}", "renew it")
    return [Seen(seen.series, seen.outcome, seen.detail, value=value, measure=seen.measure)]


def is_ours(host: str) -> bool:
    """Whether the registration of a host's domain is something to look after."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        below_platform = any(host == name or host.endswith(f".{name}") for name in _PLATFORMS)
        return len(labels) > 1 and labels[-1] not in _RESERVED and not below_platform
    return False


def _asked_at(known: ProbeRecord) -> datetime:
    return datetime.fromisoformat(known.value.rsplit(" ", 1)[-1])


async def _registered_until(eyes: Eyes, host: str, rdap: str) -> tuple[str, datetime]:
    labels = host.split(".")
    names = [".".join(labels[-length:]) for length in range(2, min(len(labels), 4) + 1)]
    async with eyes.client(rdap, follow=True) as client:
        for domain in names:
            response = await client.get(f"{rdap}/domain/{domain}", headers={"accept": "application/rdap+json"})
            if response.status_code == 200:
                return domain, _expiration(domain, response)
            if response.status_code not in {400, 404}:
                break
    raise CannotRun(
        ErrorKind.NO_DATA,
        f"{rdap} answered {response.status_code} about {domain}: how long it is registered is unknown; "
        "set monitor.rdap to null if its registry tells nobody",
    )


def _expiration(domain: str, response: httpx.Response) -> datetime:
    try:
        events = response.json()["events"]
        stamp = next(event["eventDate"] for event in events if event["eventAction"] == "expiration")
        expires = datetime.fromisoformat(stamp)
    except (ValueError, LookupError, TypeError, StopIteration):
        raise CannotRun(ErrorKind.BAD_OUTPUT, f"the registry does not say until when {domain} is registered") from None
    return expires if expires.tzinfo else expires.replace(tzinfo=UTC)


def _days(series: Series, expires: datetime, min_days: int, what: str, remedy: str) -> Seen:
    left = round((expires - datetime.now(UTC)).total_seconds() / 86_400, 2)
    told = f"{what} is valid until {expires:%Y-%m-%d}, {left:.0f} days more"
    if left <= 0:
        return Seen(series, Condition.DOWN, f"{what} expired on {expires:%Y-%m-%d}; {remedy}", measure=left)
    if left < min_days:
        return Seen(series, Condition.DEGRADED, f"{told}, wanted {min_days}; {remedy}", measure=left)
    return Seen(series, Condition.UP, told, measure=left)
