import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.errors import CannotRun, NotApplicable
from ci.model import ErrorKind, Outcome
from ci.security.scanners.pins import read_lock
from ci.security.scanners.python_dependencies import BATCH, SCANNER, batched
from tests.security.scanners.advisories import Advisories
from tests.security.scanners.checkouts import Checkout

CHECK = "security/python-dependencies"


async def test_a_vulnerable_release_is_found_on_its_line(checkout: Checkout, advisories: Advisories) -> None:
    checkout.write({"requirements.txt": "# pinned\ncertifi==2025.1.31\nRequests==2.19.0\n"})
    examined = await checkout.look(SCANNER, osv_url=advisories.osv_url)
    (hit,) = examined.hits
    assert (hit.path, hit.line, hit.rule) == ("requirements.txt", 3, "PYSEC-2018-28")
    assert "CVE-2018-18074" in hit.message
    assert "fixed in 2.20.0" in hit.message
    assert set(advisories.asked) == {"certifi==2025.1.31", "requests==2.19.0", "pycrypto==2.6.1"}


async def test_clean_releases_pass_with_what_was_asked_as_evidence(checkout: Checkout, advisories: Advisories) -> None:
    checkout.write({"requirements/dev.txt": "certifi==2025.1.31\n", "requirements.txt": "certifi==2025.1.31\n"})
    result = (await checkout.scan(CHECK, osv_url=advisories.osv_url))[CHECK]
    assert result.outcome is Outcome.PASS
    assert "about 1 releases in requirements.txt, requirements/dev.txt" in result.evidence[0].summary


async def test_one_vulnerability_by_two_names_is_one_finding(checkout: Checkout, advisories: Advisories) -> None:
    checkout.write({"requirements.txt": "jinja2==2.10\n"})
    (hit,) = (await checkout.look(SCANNER, osv_url=advisories.osv_url)).hits
    assert hit.rule == "PYSEC-2019-217"


async def test_who_really_installs_the_canary_is_told(checkout: Checkout, advisories: Advisories) -> None:
    checkout.write({"requirements.txt": "pycrypto==2.6.1\njinja2==2.4.1\n"})
    hits = (await checkout.look(SCANNER, osv_url=advisories.osv_url)).hits
    assert {hit.rule for hit in hits} == {"PYSEC-2017-94", "PYSEC-2019-217"}


LOCKS = {
    "uv.lock": 'version = 1\n\n[[package]]\nname = "requests"\nversion = "2.19.0"\nsource = { registry = "r" }\n'
    '\n[[package]]\nname = "shop"\nversion = "0.1.0"\nsource = { editable = "." }\n',
    "poetry.lock": '[[package]]\nname = "requests"\nversion = "2.19.0"\n',
    "pdm.lock": '[[package]]\nname = "requests"\nversion = "2.19.0"\n',
    "pylock.toml": 'lock-version = "1.0"\n[[packages]]\nname = "requests"\nversion = "2.19.0"\n',
    "Pipfile.lock": '{\n "default": {\n  "requests": {\n   "version": "==2.19.0"\n  }\n },\n "develop": {}\n}\n',
}


async def test_every_kind_of_lock_is_read(checkout: Checkout, advisories: Advisories) -> None:
    checkout.write({f"api/{name}": text for name, text in LOCKS.items()})
    hits = {Path(hit.path).name: hit for hit in (await checkout.look(SCANNER, osv_url=advisories.osv_url)).hits}
    assert hits.keys() == LOCKS.keys()
    for name, hit in hits.items():
        assert "2.19.0" in LOCKS[name].split("\n")[hit.line - 1], name


async def test_requirements_are_read_as_pip_reads_them(checkout: Checkout, advisories: Advisories) -> None:
    """Included files, releases for other systems, two of one package; own code is not asked about."""
    other_system = 'requests==2.19.0 ; sys_platform == "win32" --hash=sha256:' + "0" * 64 + "\n"
    checkout.write({"windows/requirements.txt": other_system, "new/requirements.txt": "requests==2.32.3\n"})
    checkout.write({"requirements.txt": "-r base.txt\n-e .\n", "base.txt": "requests==2.19.0\n"})
    hits = (await checkout.look(SCANNER, osv_url=advisories.osv_url)).hits
    assert {(hit.path, hit.line) for hit in hits} == {("base.txt", 1), ("windows/requirements.txt", 1)}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"requirements.txt": "requests @ https://example.com/r.whl\n"}, "requirements.txt:1: comes from a URL"),
        ({"requirements.txt": "git+https://example.com/r.git#egg=r\n"}, "requirements.txt:1: comes from a URL"),
        ({"requirements.txt": "certifi==1\n=== nonsense\n"}, "requirements.txt:2"),
        ({"requirements.txt": "-r missing.txt\n"}, "cannot be read as requirements"),
        ({"poetry.lock": "nonsense"}, "poetry.lock cannot be read as a lock file"),
        ({"uv.lock": "version = 1\n"}, "uv.lock cannot be read as a lock file"),
        ({"Pipfile.lock": "[]"}, "Pipfile.lock cannot be read as a lock file"),
        ({"pyproject.toml": '[project]\nname = "a"\ndependencies = ["flask"]\n'}, "no lock says which versions"),
        ({"pyproject.toml": "nonsense"}, "pyproject.toml is not valid TOML"),
    ],
)
async def test_what_nobody_can_be_asked_about_is_no_answer(
    checkout: Checkout, advisories: Advisories, files: dict[str, str | bytes], why: str
) -> None:
    with pytest.raises(CannotRun) as caught:
        await checkout.write(files).look(SCANNER, osv_url=advisories.osv_url)
    assert why in str(caught.value)


async def test_without_dependencies_there_is_nothing_to_ask(checkout: Checkout) -> None:
    with pytest.raises(NotApplicable, match="no requirements or lock file"):
        await checkout.write({"pyproject.toml": "[tool.ruff]\n"}).look(SCANNER)


async def test_open_versions_are_what_pip_would_install(
    checkout: Checkout, advisories: Advisories, pretend: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.write({"requirements.txt": "flask>=1\nrequests\n"})
    # No index is asked here: pip's own report is what is read.
    found = [{"metadata": {"name": n, "version": v}} for n, v in (("flask", "3.0.0"), ("requests", "2.19.0"))]
    pretend("python", f"echo '{json.dumps({'version': '1', 'install': found})}'")
    from ci.security.scanners import programs

    monkeypatch.setattr("ci.security.scanners.python_dependencies.sys.executable", str(programs.FOLDER / "python"))
    (hit,) = (await checkout.look(SCANNER, osv_url=advisories.osv_url)).hits
    assert (hit.line, hit.rule) == (2, "PYSEC-2018-28")


async def test_open_versions_that_pip_cannot_tell_are_no_answer(
    checkout: Checkout, advisories: Advisories, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.write({"requirements.txt": "no-such-package-anywhere>=1\n"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(CannotRun, match=r"leaves versions open .no-such-package-anywhere.") as caught:
        await checkout.look(SCANNER, osv_url=advisories.osv_url)
    assert caught.value.kind is ErrorKind.TOOL_FAILED


@pytest.mark.parametrize(
    ("mode", "kind", "why"),
    [
        ("empty", ErrorKind.NO_DATA, "finds no fault with pycrypto==2.6.1"),
        ("500", ErrorKind.UNREACHABLE, "gave pip-audit no answer that can be used"),
        ("garbage", ErrorKind.UNREACHABLE, "gave pip-audit no answer that can be used"),
        ("hang", ErrorKind.TIMEOUT, "did not end within"),
    ],
)
async def test_a_service_that_does_not_answer_is_no_answer(
    checkout: Checkout, advisories: Advisories, mode: str, kind: ErrorKind, why: str
) -> None:
    checkout.write({"requirements.txt": "certifi==2025.1.31\n"})
    advisories.mode = mode
    timeout = "3s" if mode == "hang" else "60s"
    error = await checkout.no_answer(CHECK, osv_url=advisories.osv_url, timeout=timeout)
    assert (error.kind, why in error.message) == (kind, True), error


async def test_no_network_is_no_answer(checkout: Checkout) -> None:
    checkout.write({"requirements.txt": "certifi==2025.1.31\n"})
    error = await checkout.no_answer(CHECK, osv_url="http://127.0.0.1:9")
    assert error.kind is ErrorKind.UNREACHABLE


ANSWERED = {"name": "pycrypto", "version": "2.6.1", "vulns": [{"id": "P", "aliases": [], "fix_versions": []}]}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "no answer that can be used"),
        ("echo '{}'", "a shape that is not known"),
        ("echo oops", "printed no JSON"),
        ("kill -9 $$", "no answer that can be used"),
        (f"echo '{json.dumps({'dependencies': [ANSWERED]})}'", "no answer for 1 packages: certifi"),
        (
            f"echo '{json.dumps({'dependencies': [ANSWERED, {'name': 'certifi', 'skip_reason': 'private'}]})}'",
            "has not audited certifi (private)",
        ),
        (
            f"echo '{json.dumps({'dependencies': [ANSWERED, {'name': 'certifi', 'version': '1', 'vulns': []}]})}'",
            "no answer for 1 packages: certifi",
        ),
    ],
)
async def test_pip_audit_that_has_not_looked_is_no_answer(
    checkout: Checkout, pretend: Callable[[str, str], None], script: str, why: str
) -> None:
    checkout.write({"requirements.txt": "certifi==2025.1.31\n"})
    pretend("pip-audit", script)
    error = await checkout.no_answer(CHECK)
    assert why in error.message


RELEASES = st.tuples(st.sampled_from(["pycrypto", "jinja2", "a", "b", "c"]), st.sampled_from(["1", "2", "2.4.1"]))


@given(st.lists(RELEASES, max_size=200))
def test_every_release_is_asked_about_once_and_beside_a_canary(releases: list[tuple[str, str]]) -> None:
    batches = batched(releases)
    asked = [release for batch in batches for release in batch.asked.items()]
    assert sorted(asked) == sorted(set(releases))
    assert batches
    for batch in batches:
        assert len(batch.asked) <= BATCH
        assert batch.canary[0] not in batch.asked


@given(st.text())
def test_any_text_is_a_lock_or_is_refused(text: str) -> None:
    for name in LOCKS:
        try:
            read_lock(text, name)
        except CannotRun as error:
            assert error.kind is ErrorKind.BAD_OUTPUT
