import json
from collections.abc import Callable

import pytest

from ci.errors import CannotRun, NotApplicable
from ci.model import ErrorKind, Outcome, Severity
from ci.security.scanners.node_dependencies import SCANNER
from tests.security.scanners.advisories import Advisories
from tests.security.scanners.checkouts import Checkout

CHECK = "security/node-dependencies"


def lock(**packages: str) -> str:
    entries = {
        f"node_modules/{name}": {"version": version, "resolved": f"https://r.example/{name}.tgz"}
        for name, version in packages.items()
    }
    root = {"name": "shop", "version": "1.0.0", "dependencies": packages}
    return json.dumps(
        {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": root, **entries}}, indent=1
    )


def package(**packages: str) -> str:
    return json.dumps({"name": "shop", "version": "1.0.0", "dependencies": packages})


@pytest.fixture
def registry(advisories: Advisories, monkeypatch: pytest.MonkeyPatch) -> Advisories:
    monkeypatch.setenv("npm_config_registry", advisories.url)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", "/dev/null/none")
    return advisories


async def test_a_vulnerable_package_is_found_on_its_line(checkout: Checkout, registry: Advisories) -> None:
    used = {"lodash": "4.17.4", "left": "1.0.0"}
    text = lock(**used)
    checkout.write({"web/package.json": package(**used), "web/package-lock.json": text})
    (hit,) = (await checkout.look(SCANNER)).hits
    assert (hit.path, hit.rule, hit.severity) == ("web/package-lock.json", "GHSA-jf85-cpcp-j695", Severity.CRITICAL)
    assert "4.17.4" in text.split("\n")[hit.line - 1]


async def test_clean_packages_pass_with_their_number_as_evidence(checkout: Checkout, registry: Advisories) -> None:
    checkout.write({"package.json": package(left="1.0.0"), "package-lock.json": lock(left="1.0.0")})
    result = (await checkout.scan(CHECK))[CHECK]
    assert result.outcome is Outcome.PASS
    assert "about 1 packages in package-lock.json" in result.evidence[0].summary


@pytest.mark.parametrize(
    ("mode", "kind", "why"),
    [
        ("empty", ErrorKind.NO_DATA, "finds no fault with minimist@0.0.8"),
        ("500", ErrorKind.UNREACHABLE, "no answer about"),
        ("garbage", ErrorKind.UNREACHABLE, "no answer about"),
        ("hang", ErrorKind.TIMEOUT, "did not end within"),
    ],
)
async def test_a_registry_that_does_not_answer_is_no_answer(
    checkout: Checkout, registry: Advisories, mode: str, kind: ErrorKind, why: str
) -> None:
    checkout.write({"package.json": package(left="1.0.0"), "package-lock.json": lock(left="1.0.0")})
    registry.mode = mode
    error = await checkout.no_answer(CHECK, timeout="4s" if mode == "hang" else "60s")
    assert (error.kind, why in error.message) == (kind, True), error


async def test_no_network_is_no_answer(
    checkout: Checkout, registry: Advisories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    checkout.write({"package.json": package(left="1.0.0"), "package-lock.json": lock(left="1.0.0")})
    error = await checkout.no_answer(CHECK)
    assert error.kind is ErrorKind.UNREACHABLE


async def test_the_registry_may_be_configured(
    checkout: Checkout, registry: Advisories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    checkout.write({"package.json": package(left="1.0.0"), "package-lock.json": lock(left="1.0.0")})
    assert (await checkout.scan(CHECK, npm_registry=registry.url))[CHECK].outcome is Outcome.PASS


REPORT = {"auditReportVersion": 2, "vulnerabilities": {"minimist": {}}, "metadata": {"dependencies": {"total": 0}}}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "printed no JSON"),
        ("echo oops", "printed no JSON"),
        ("echo '[]'; exit 1", "no answer about"),
        ('echo \'{"error": "down"}\'; exit 1', "no answer about"),
        ("echo '{\"auditReportVersion\": 2}'", "a shape that is not known"),
        (f"echo '{json.dumps(REPORT)}'", "names 1 packages, but npm audit has examined none"),
        ("kill -9 $$", "exit code -9"),
    ],
)
async def test_npm_that_has_not_looked_is_no_answer(
    checkout: Checkout, pretend: Callable[[str, str], None], script: str, why: str
) -> None:
    checkout.write({"package.json": package(left="1.0.0"), "package-lock.json": lock(left="1.0.0")})
    pretend("npm", script)
    error = await checkout.no_answer(CHECK)
    assert why in error.message


async def test_a_damaged_lock_is_no_answer(checkout: Checkout, registry: Advisories) -> None:
    checkout.write({"package-lock.json": "{"})
    error = await checkout.no_answer(CHECK)
    assert "package-lock.json cannot be read as a lock file" in error.message


async def test_dependencies_without_a_lock_that_npm_reads_are_no_answer(checkout: Checkout) -> None:
    checkout.write({"package.json": package(left="1.0.0")})
    with pytest.raises(CannotRun, match="nothing says which versions"):
        await checkout.look(SCANNER)
    checkout.write({"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    with pytest.raises(CannotRun, match=r"pnpm-lock\.yaml cannot be read by npm audit"):
        await checkout.look(SCANNER)


async def test_one_lock_does_not_speak_for_its_neighbours(checkout: Checkout, registry: Advisories) -> None:
    of_workspaces = json.loads(lock(left="1.0.0"))
    of_workspaces["packages"][""]["workspaces"] = ["web"]
    of_workspaces["packages"] |= {"web": {"version": "1.0.0"}, "node_modules/web": {"resolved": "web", "link": True}}
    checkout.write({"package.json": package(left="1.0.0"), "package-lock.json": json.dumps(of_workspaces)})
    checkout.write({"web/package.json": package(left="1.0.0")})
    assert (await checkout.look(SCANNER)).hits == ()
    checkout.write({"admin/package.json": package(left="1.0.0"), "admin/pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    with pytest.raises(CannotRun, match=r"admin/package\.json names dependencies, but admin/pnpm-lock\.yaml cannot"):
        await checkout.look(SCANNER)


async def test_without_dependencies_there_is_nothing_to_ask(checkout: Checkout) -> None:
    with pytest.raises(NotApplicable, match=r"no package-lock\.json"):
        await checkout.write({"package.json": "{}"}).look(SCANNER)
