"""Bad certificates and protocols, each on a real TLS server."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ci.engine.run import Run
from ci.engine.runner import judge
from ci.model import CheckResult, ErrorKind, Outcome
from ci.security import live, transport
from ci.security.answer import Answer
from ci.security.handshakes import Handshake, Transport
from ci.security.plain import PlainHttp
from ci.security.surface import Surface
from tests.servers import answers, hang, serving, talking

CHECKED = ["certificate", "certificate-expiry", "certificate-key", "tls-versions", "tls-addresses"]
IDS = [f"security/{slug}" for slug in CHECKED]
NOW = datetime.now(UTC)
Made = tuple[trustme.CA, Path]


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    certificate.configure_cert(context)
    return context


def self_signed(folder: Path, bits: int) -> ssl.SSLContext:
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - timedelta(1)).not_valid_after(NOW + timedelta(90))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "self.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(path)
    return context


def old_protocol(context: ssl.SSLContext, *, only: bool) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1
    if only:
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


CASES: dict[str, tuple[Callable[[trustme.CA, Path], ssl.SSLContext], set[str]]] = {
    "sound": (lambda ca, _: context_of(ca.issue_cert("localhost")), set()),
    "expired": (
        lambda ca, _: context_of(
            ca.issue_cert("localhost", not_before=NOW - timedelta(90), not_after=NOW - timedelta(1))
        ),
        {"certificate", "certificate-expiry"},
    ),
    "not yet valid": (
        lambda ca, _: context_of(
            ca.issue_cert("localhost", not_before=NOW + timedelta(2), not_after=NOW + timedelta(90))
        ),
        {"certificate"},
    ),
    "near its end": (
        lambda ca, _: context_of(ca.issue_cert("localhost", not_after=NOW + timedelta(5))),
        {"certificate-expiry"},
    ),
    "another host's": (lambda ca, _: context_of(ca.issue_cert("other.example")), {"certificate"}),
    "of another authority": (lambda ca, _: context_of(trustme.CA().issue_cert("localhost")), {"certificate"}),
    "self-signed": (lambda _, folder: self_signed(folder, 2048), {"certificate"}),
    "weak": (lambda _, folder: self_signed(folder, 1024), {"certificate", "certificate-key"}),
    "old protocols too": (
        lambda ca, _: old_protocol(context_of(ca.issue_cert("localhost")), only=False),
        {"tls-versions"},
    ),
    "old protocols only": (
        lambda ca, _: old_protocol(context_of(ca.issue_cert("localhost")), only=True),
        {"certificate", "tls-versions"},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_certificates(case: str, authority: Made, running_on: Callable[..., Run], tmp_path: Path) -> None:
    make, wanted = CASES[case]
    async with serving({"*": answers()}, tls=make(authority[0], tmp_path)) as url:
        results = await live.results(running_on(url), IDS)
    assert failed(results) == wanted
    assert {r.outcome for r in results} <= {Outcome.PASS, Outcome.FAIL}
    for result in results:
        for finding in result.findings:
            assert "localhost" in finding.message


def failed(results: tuple[CheckResult, ...]) -> set[str]:
    return {r.spec.id.removeprefix("security/") for r in results if r.outcome is Outcome.FAIL}


async def test_a_bad_certificate_is_a_finding_although_nothing_can_be_fetched(
    authority: Made, running_on: Callable[..., Run]
) -> None:
    async with serving({"*": answers()}, tls=context_of(authority[0].issue_cert("other.example"))) as url:
        results = {result.spec.id: result for result in await live.results(running_on(url))}
    assert results["security/certificate"].outcome is Outcome.FAIL
    assert "Hostname mismatch" in results["security/certificate"].findings[0].message
    missing = results["security/csp"].error
    assert missing
    assert missing.kind is ErrorKind.UNTRUSTED


async def test_the_days_are_configurable(authority: Made, running_on: Callable[..., Run]) -> None:
    context = context_of(authority[0].issue_cert("localhost", not_after=NOW + timedelta(20)))
    async with serving({"*": answers()}, tls=context) as url:
        assert failed(await live.results(running_on(url), IDS)) == set()
        strict = running_on(url, security={"tls": {"min_days_left": 30}})
        assert failed(await live.results(strict, IDS)) == {"certificate-expiry"}


async def test_no_tls_at_all(running_on: Callable[..., Run]) -> None:
    async def speak(reader: Any, writer: Any) -> None:
        await reader.read(100)
        writer.write(b"220 mail.example.com ESMTP\r\n")

    async with talking(speak) as url:
        results = await live.results(running_on(url.replace("http://127.0.0.1", "https://localhost")), IDS)
    outcomes = {result.spec.id: result.outcome for result in results}
    assert outcomes["security/certificate"] is Outcome.FAIL
    assert outcomes["security/certificate-expiry"] is Outcome.ERROR
    assert Outcome.PASS not in {outcomes["security/certificate-key"], outcomes["security/certificate-expiry"]}


async def test_a_target_without_https_or_without_anything(running_on: Callable[..., Run]) -> None:
    async with serving({"*": answers()}) as url:
        results = await live.results(running_on(url), IDS)
        assert {result.outcome for result in results} == {Outcome.SKIP}
    results = await live.results(running_on(url.replace("http:", "https:")), IDS)
    assert {r.error and r.error.kind for r in results} == {ErrorKind.UNREACHABLE}


GOOD = Handshake("192.0.2.1", protocol="TLSv1.3", not_after=NOW + timedelta(80), key="ECDSA", key_bits=256)


@pytest.mark.parametrize(
    ("hands", "wanted"),
    [
        ((GOOD, replace(GOOD, address="192.0.2.2")), Outcome.PASS),
        ((GOOD, Handshake("192.0.2.2", silent="refused")), Outcome.FAIL),
        ((GOOD, Handshake("2001:db8::1", silent="no route")), Outcome.PASS),
        ((GOOD, replace(GOOD, address="192.0.2.2", problem="self-signed certificate")), Outcome.FAIL),
        ((), Outcome.ERROR),
    ],
)
def test_all_addresses(hands: tuple[Handshake, ...], wanted: Outcome) -> None:
    made = Transport("https://a.example", "a.example", 443, hands, 14)
    assert judge(transport.tls_addresses, made).outcome is wanted


def test_old_protocols_that_could_not_be_tried_are_no_pass() -> None:
    made = Transport("https://a.example", "a.example", 443, (GOOD,), 14, legacy_unknown="no such protocol here")
    assert judge(transport.tls_versions, made).outcome is Outcome.ERROR


async def test_plain_http_is_followed_to_https(authority: Made, running_on: Callable[..., Run]) -> None:
    context = context_of(authority[0].issue_cert("localhost"))
    async with serving({"*": answers("<h1>hi</h1>")}, tls=context) as secure:

        async def outcome(plain: str) -> CheckResult:
            port = int(plain.rpartition(":")[2])
            run = running_on(secure, security={"tls": {"plain_port": port}}, target={"timeout": "500ms"})
            return (await live.results(run, ["security/https-redirect"]))[0]

        async with serving({"*": answers(status=308, headers={"location": f"{secure}/"})}) as plain:
            assert (await outcome(plain)).outcome is Outcome.PASS
        gone = await outcome(plain)
        assert gone.outcome is Outcome.PASS
        assert "nothing answers" in gone.evidence[0].summary
        async with serving({"*": answers("in the clear")}) as plain:
            assert (await outcome(plain)).outcome is Outcome.FAIL
        async with serving({"*": answers(status=302, headers={"location": "/login"})}) as plain:
            assert (await outcome(plain)).outcome is Outcome.FAIL, "a loop over plain HTTP"
        async with serving({"*": hang}) as plain:
            assert (await outcome(plain)).outcome is not Outcome.FAIL


@pytest.mark.parametrize(
    ("locations", "wanted"),
    [
        (["https://a.example/"], Outcome.PASS),
        (["http://a.example/x", "https://a.example/"], Outcome.FAIL),
        (["https://www.a.example/"], Outcome.FAIL),
        (["http://other.example/"], Outcome.FAIL),
        ([None], Outcome.FAIL),
    ],
)
def test_the_way_from_plain_http(locations: list[str | None], wanted: Outcome) -> None:
    hops = tuple(
        Answer("http://a.example/", 301 if to else 200, httpx.Headers({"location": to} if to else {}), "")
        for to in locations
    )
    made = Surface((), plain=PlainHttp("http://a.example/", hops))
    assert judge(transport.https_redirect, made).outcome is wanted
