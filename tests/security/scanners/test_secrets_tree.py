import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.security.scanners.secrets_tree import SCANNER
from tests.security.scanners.checkouts import Checkout
from tests.security.scanners.plants import look_alikes, secrets

PLANTS = secrets()


def half(begin: int) -> dict[str, str | bytes]:
    return {f"{kind}.txt": text + "\n" for kind, (_, text) in list(PLANTS.items())[begin::2]}


async def test_every_kind_is_found_tracked_or_not_and_none_is_repeated(checkout: Checkout) -> None:
    checkout.write(half(0)).commit()
    checkout.write(half(1))
    result = (await checkout.scan("security/secrets-tree"))["security/secrets-tree"]
    assert {Path(str(finding.location.path)).stem for finding in result.findings} == set(PLANTS)
    assert len(PLANTS) >= 25
    assert f"{len(PLANTS) // 2} are not" in result.evidence[0].summary
    told = result.model_dump_json()
    for secret, _ in PLANTS.values():
        for line in secret.splitlines():
            assert line.startswith("-----") or line not in told


async def test_look_alikes_are_not_reported(checkout: Checkout) -> None:
    assert len(look_alikes()) >= 10
    checkout.write(dict(look_alikes()))
    assert (await checkout.look(SCANNER)).hits == ()


async def test_files_are_read_as_git_and_their_encoding_have_it(checkout: Checkout) -> None:
    secret = PLANTS["github-token"][1]
    checkout.write({"tracked.env": secret}).commit()
    checkout.write({".gitignore": "*.env\n", "ignored.env": secret})
    text = f"# für später\n{secret}\n"
    checkout.write({f"{name}.txt": text.encode(name) for name in ("utf-16", "latin-1", "utf-8-sig")})
    hits = (await checkout.look(SCANNER)).hits
    assert {(hit.path, hit.line) for hit in hits} == {
        *(("utf-16.txt", 2), ("latin-1.txt", 2), ("utf-8-sig.txt", 2)),
        ("tracked.env", 1),
    }


async def test_the_fingerprint_survives_other_lines_and_another_indentation(checkout: Checkout) -> None:
    line = PLANTS["github-token"][1]
    checkout.write({"a.py": f"{line}\n"})
    before = await checkout.scan("security/secrets-tree")
    checkout.write({"a.py": f"# a comment\nif True:\n    {line}\n"})
    after = await checkout.scan("security/secrets-tree")
    (old,), (new,) = (results["security/secrets-tree"].findings for results in (before, after))
    assert old.fingerprint == new.fingerprint
    assert (old.location.line, new.location.line) == (1, 3)


async def test_two_keys_in_one_file_have_fingerprints_of_their_own(checkout: Checkout) -> None:
    checkout.write({"keys.pem": PLANTS["rsa-key"][1] + secrets()["rsa-key"][1]})
    found = (await checkout.scan("security/secrets-tree"))["security/secrets-tree"].findings
    assert len({finding.fingerprint for finding in found}) == 2


def baseline(checkout: Checkout, **more: object) -> str:
    """What detect-secrets itself writes about the checkout."""
    import subprocess
    import sys

    tool = Path(sys.executable).parent / "detect-secrets"
    command = [tool, "scan", "--no-verify", "--all-files", "."]
    done = subprocess.run(command, cwd=checkout.root, capture_output=True, check=True, timeout=60)
    made = json.loads(done.stdout)
    for entries in made["results"].values():
        for entry in entries:
            entry.update(more)
    return json.dumps(made)


async def test_the_baseline_accepts_what_it_knows_and_nothing_else(checkout: Checkout) -> None:
    checkout.write({"a.txt": PLANTS["github-token"][1] + "\n"})
    checkout.write({".secrets.baseline": baseline(checkout)})
    examined = await checkout.look(SCANNER)
    assert examined.hits == ()
    assert "of which 0 are there no more" in examined.what[-1]
    checkout.write({"a.txt": PLANTS["slack-bot"][1] + "\n"})
    examined = await checkout.look(SCANNER)
    assert [hit.path for hit in examined.hits] == ["a.txt"]
    assert "of which 2 are there no more" in examined.what[-1]


async def test_an_entry_that_was_audited_as_a_secret_accepts_nothing(checkout: Checkout) -> None:
    checkout.write({"a.txt": PLANTS["github-token"][1] + "\n"})
    checkout.write({".secrets.baseline": baseline(checkout, is_secret=True)})
    assert len((await checkout.look(SCANNER)).hits) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"results": {"a": [{}]}}', '{"results": []}'])
async def test_a_damaged_baseline_is_no_answer(checkout: Checkout, text: str) -> None:
    checkout.write({"a.txt": "hello\n", ".secrets.baseline": text})
    with pytest.raises(CannotRun, match="no baseline of detect-secrets") as caught:
        await checkout.look(SCANNER)
    assert caught.value.kind is ErrorKind.MISCONFIGURED


async def test_an_empty_repository_is_no_answer(checkout: Checkout) -> None:
    with pytest.raises(CannotRun, match="there is no text file"):
        await checkout.look(SCANNER)


EMPTY = '{"results": {}, "plugins_used": []}'


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo '{EMPTY}'", "has not read 1 files, a.txt for one"),
        (f"echo '[scan] INFO Checking file: a.txt' >&2; echo '{EMPTY}'", "has not found the secret planted"),
        ("echo oops", "printed no JSON"),
        ("true", "printed no JSON"),
        ("echo '{}'", "a shape that is not known"),
        ("kill -9 $$", "exit code -9"),
        ("exit 2", "exit code 2"),
        ("sleep 60", "did not end within"),
    ],
)
async def test_detect_secrets_that_has_not_looked_is_no_answer(
    checkout: Checkout, pretend: Callable[[str, str], None], script: str, why: str
) -> None:
    checkout.write({"a.txt": "hello\n"})
    pretend("detect-secrets", script)
    error = await checkout.no_answer("security/secrets-tree", timeout="3s")
    assert why in error.message
