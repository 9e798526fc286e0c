"""HTTPS: the certificate, its chain and key, the protocol versions, on every address of the target."""

from __future__ import annotations

from ci.engine.check import check, finding
from ci.engine.http import origin
from ci.errors import CannotRun, NotApplicable
from ci.model import CheckSpec, ErrorKind, Evidence, Finding, Location, Severity
from ci.security.handshakes import Handshake, Transport
from ci.security.judging import Judged, wrong
from ci.security.surface import Surface

LEAST_RSA_BITS = 2048
LEAST_EC_BITS = 256
_WEAK_HASHES = frozenset({"md5", "sha1"})
_OLD_TLS = frozenset({"TLSv1", "TLSv1.1", "SSLv3", "SSLv2"})


@check(
    CheckSpec(
        id="security/https-redirect",
        title="Plain HTTP leads to HTTPS, and to nothing else",
        severity=Severity.HIGH,
        why="Who types the address without https:// talks in the clear until something sends them to HTTPS.",
        remediation="Redirect every plain request with 308 to the same address by https, on the same host first.",
        references=("RFC 9110, section 15.4.9", "CWE-319", "MDN HTTP Observatory: Redirection"),
    )
)
def https_redirect(surface: Surface) -> Judged:
    spec, plain = https_redirect.spec, surface.plain
    if plain is None:
        if not surface.answers:
            return
        raise NotApplicable(
            "the target is not on port 443, so its plain port is not known: write it as security.tls.plain_port"
        )
    if not plain.hops:
        yield Evidence(summary=f"nothing answers at {plain.url}, so nothing is sent in the clear")
        return
    first, last, route = plain.hops[0], plain.hops[-1], plain.route
    way = " → ".join(route)
    if last.location is None:
        yield wrong(spec, last, f"{last.url} answers {last.status} in the clear instead of redirecting to HTTPS")
    elif not last.location.startswith("https://"):
        yield wrong(spec, last, f"plain HTTP does not lead to HTTPS: {way}")
    elif len(plain.hops) > 1:
        yield wrong(spec, first, f"plain HTTP leads to plain HTTP first: {way}", key="detour", severity=Severity.MEDIUM)
    elif origin(last.location)[1] != origin(plain.url)[1]:
        yield wrong(
            spec, first, f"plain HTTP leads to another host first: {way}", key="other-host", severity=Severity.LOW
        )
    else:
        yield Evidence(summary=f"{way} ({first.status})")


@check(
    CheckSpec(
        id="security/certificate",
        title="The certificate is trusted and is this host's",
        severity=Severity.CRITICAL,
        why="Browsers refuse the site, or users learn to click warnings away and then accept anybody's certificate.",
        remediation="Install a public authority's certificate for this host name, with all intermediate certificates.",
        references=("RFC 5280, section 6", "RFC 9525", "CWE-295", "CWE-297"),
    )
)
def certificate(transport: Transport) -> Judged:
    for hand in transport.answering:
        if hand.problem:
            yield _finding(certificate.spec, transport, hand, f"cannot be trusted: {hand.problem}", key=hand.code)
        else:
            yield _seen(hand, f"trusted for {transport.host}")


@check(
    CheckSpec(
        id="security/certificate-expiry",
        title="The certificate is valid for long enough to be renewed in time",
        severity=Severity.MEDIUM,
        why="An expired certificate takes the whole site down at a known hour.",
        remediation="Find out why it was not renewed by itself; security.tls.min_days_left says when to warn.",
        references=("RFC 5280, section 4.1.2.5", "CWE-298"),
    )
)
def certificate_expiry(transport: Transport) -> Judged:
    for hand in transport.certified:
        days = hand.days_left
        if days < transport.min_days_left:
            told = f"is valid for {days:.1f} days more; wanted at least {transport.min_days_left}"
            told = told if days > 0 else f"expired {-days:.1f} days ago"
            yield _finding(certificate_expiry.spec, transport, hand, told)
        else:
            yield _seen(hand, f"valid for {days:.0f} days more")


@check(
    CheckSpec(
        id="security/certificate-key",
        title="The certificate's key and signature are strong",
        severity=Severity.MEDIUM,
        why="A short key can be computed, a signature by SHA-1 forged; then anybody can be this host.",
        remediation="Use an ECDSA key of P-256 or an RSA key of 2048 bits or more, signed with SHA-256.",
        references=("CA/Browser Forum Baseline Requirements, section 6.1.5", "CWE-326", "CWE-328"),
    )
)
def certificate_key(transport: Transport) -> Judged:
    for hand in transport.certified:
        least = LEAST_RSA_BITS if hand.key == "RSA" else LEAST_EC_BITS
        if hand.key_bits and hand.key_bits < least:
            yield _finding(
                certificate_key.spec, transport, hand, f"has {hand.key} of {hand.key_bits} bits; wanted {least}"
            )
        elif hand.signature_hash in _WEAK_HASHES:
            yield _finding(certificate_key.spec, transport, hand, f"is signed with {hand.signature_hash}", key="hash")
        else:
            yield _seen(
                hand, f"{hand.key} of {hand.key_bits or 256} bits, signed with {hand.signature_hash or 'itself'}"
            )


@check(
    CheckSpec(
        id="security/tls-versions",
        title="Only TLS 1.2 and newer are spoken",
        severity=Severity.MEDIUM,
        why="TLS 1.0 and 1.1 rest on broken hashes and ciphers, and whoever sits in between can choose them.",
        remediation="Switch TLS 1.0 and 1.1 off at the edge; every platform since 2014 speaks TLS 1.2.",
        references=("RFC 8996", "RFC 9325", "CWE-327"),
    )
)
def tls_versions(transport: Transport) -> Judged:
    if transport.legacy_unknown:
        raise CannotRun(ErrorKind.TOOL_FAILED, f"TLS 1.0 could not be tried from here: {transport.legacy_unknown}")
    for hand in transport.answering:
        if hand.protocol in _OLD_TLS or hand.legacy:
            old = hand.legacy or hand.protocol
            yield _finding(tls_versions.spec, transport, hand, f"speaks {old}; wanted TLS 1.2 or newer alone")
        else:
            yield _seen(hand, f"speaks {hand.protocol or 'TLS'}, refuses TLS 1.1 and older")


@check(
    CheckSpec(
        id="security/tls-addresses",
        title="Every address of the host serves the same certificate",
        severity=Severity.MEDIUM,
        why="A forgotten machine behind one of several addresses breaks the site for a part of its users.",
        remediation="Remove the DNS record of the machine that is gone, or give it the same certificate.",
        references=("RFC 6125", "RFC 8305", "CWE-295"),
    )
)
def tls_addresses(transport: Transport) -> Judged:
    for hand in transport.handshakes:
        if hand.silent and ":" in hand.address and transport.answering:
            yield Evidence(summary=f"{hand.address} could not be reached from here, perhaps for want of IPv6")
        elif hand.silent:
            yield _finding(tls_addresses.spec, transport, hand, f"does not answer: {hand.silent}", key=hand.address)
        elif hand.problem and any(not other.problem for other in transport.answering):
            yield _finding(
                tls_addresses.spec, transport, hand, f"serves another certificate than the rest: {hand.problem}"
            )
        else:
            yield _seen(hand, f"serves certificate {hand.fingerprint[:16]}" if hand.fingerprint else "answers")


HANDSHAKE_CHECKS = (certificate, certificate_expiry, certificate_key, tls_versions, tls_addresses)
"""The checks that judge the handshakes; the redirect from plain HTTP belongs to the surface."""


def _finding(spec: CheckSpec, transport: Transport, hand: Handshake, what: str, key: str = "") -> Finding:
    shown = f"{hand.protocol or 'no TLS'}, {hand.key or 'no certificate'} {hand.key_bits or ''}, names {hand.names}"
    return finding(
        spec,
        f"{transport.host}:{transport.port} ({hand.address}) {what}",
        at=Location(url=transport.url),
        evidence=(Evidence(summary=f"TLS handshake with {hand.address}", excerpt=shown),),
        key=key,
    )


def _seen(hand: Handshake, what: str) -> Evidence:
    return Evidence(summary=f"{hand.address}: {what}")
