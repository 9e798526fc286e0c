import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ci.errors import CannotRun
from ci.security.scanners.secrets_history import SCANNER
from tests.security.scanners.checkouts import Checkout
from tests.security.scanners.plants import look_alikes, secrets

PLANTS = secrets()
BEYOND_KINGFISHER = {"aws-access-key", "aws-secret-key", "discord-bot", "square", "password"}
"""Kinds that it tells only together with others, or not at all; in the tree detect-secrets sees them."""
CHECK = "security/secrets-history"


async def test_what_an_old_commit_held_is_found(checkout: Checkout) -> None:
    checkout.write({f"{kind}.txt": text + "\n" for kind, (_, text) in PLANTS.items()})
    old = checkout.commit()
    checkout.git("rm", "--quiet", "-r", ".")
    checkout.commit()
    examined = await checkout.look(SCANNER)
    found = {Path(hit.path).stem for hit in examined.hits}
    assert found >= set(PLANTS) - BEYOND_KINGFISHER
    assert len(found) >= 25
    assert all(old[:12] in hit.message for hit in examined.hits)
    told = (await checkout.scan(CHECK))[CHECK].model_dump_json()
    for secret, _ in PLANTS.values():
        assert not any(line in told for line in secret.splitlines() if not line.startswith("-----"))


async def test_look_alikes_are_not_reported(checkout: Checkout) -> None:
    checkout.write(dict(look_alikes())).commit()
    examined = await checkout.look(SCANNER)
    assert examined.hits == ()
    assert "read 2 commits" in examined.what[0]


async def test_other_branches_are_part_of_the_history(checkout: Checkout) -> None:
    checkout.git("switch", "--quiet", "--create", "side")
    checkout.write({"a.txt": PLANTS["slack-bot"][1]}).commit()
    checkout.git("switch", "--quiet", "main")
    assert [hit.path for hit in (await checkout.look(SCANNER)).hits] == ["a.txt"]


async def test_the_fingerprint_is_the_same_from_run_to_run_and_commit_to_commit(checkout: Checkout) -> None:
    checkout.write({"a.txt": PLANTS["slack-bot"][1]}).commit()
    before = (await checkout.scan(CHECK))[CHECK].findings
    checkout.write({"b.txt": "hello\n", "a.txt": "# moved\n" + PLANTS["slack-bot"][1]}).commit()
    after = (await checkout.scan(CHECK))[CHECK].findings
    assert [f.fingerprint for f in before] == [f.fingerprint for f in after]


async def test_only_the_commits_of_a_change_count_for_it(checkout: Checkout) -> None:
    checkout.write({"old.txt": PLANTS["slack-bot"][1]}).commit()
    checkout.git("switch", "--quiet", "--create", "change")
    nothing = (await checkout.scan(CHECK, since="main"))[CHECK]
    assert nothing.findings == ()
    assert "the 0 commits since main" in nothing.evidence[0].summary
    checkout.write({"new.txt": PLANTS["github-token"][1]}).commit()
    found = (await checkout.scan(CHECK, since="main"))[CHECK].findings
    assert [finding.location.path for finding in found] == ["new.txt"]


async def test_a_linked_working_tree_has_its_history(checkout: Checkout, tmp_path: Path) -> None:
    checkout.write({"a.txt": PLANTS["slack-bot"][1]}).commit()
    checkout.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    linked = Checkout.__new__(Checkout)
    linked.root = tmp_path / "linked"
    assert [hit.path for hit in (await linked.look(SCANNER)).hits] == ["a.txt"]


async def test_a_shallow_clone_is_no_answer(checkout: Checkout, tmp_path: Path) -> None:
    checkout.write({"a.txt": "hello\n"}).commit()
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{checkout.root}", tmp_path / "clone"], check=True, timeout=60
    )
    clone = Checkout.__new__(Checkout)
    clone.root = tmp_path / "clone"
    with pytest.raises(CannotRun, match=r"shallow clone.*fetch-depth: 0"):
        await clone.look(SCANNER)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 0", "has left no report"),
        ("exit 3", "exit code 3"),
        ("sleep 60", "did not end within"),
        ("kill -9 $$", "exit code -9"),
        ('while [ "$1" != --output ]; do shift; done; echo garbage > "$2"', "has left no report"),
        ('while [ "$1" != --output ]; do shift; done; echo "{}" > "$2"', "a shape that is not known"),
    ],
)
async def test_kingfisher_that_has_not_looked_is_no_answer(
    checkout: Checkout, pretend: Callable[[str, str], None], script: str, why: str
) -> None:
    pretend("kingfisher", script)
    error = await checkout.no_answer(CHECK, timeout="2s")
    assert why in error.message


async def test_fewer_commits_than_there_are_is_no_answer(checkout: Checkout, tmp_path: Path) -> None:
    """As for a folder beside the history, which kingfisher reads without complaint."""
    from ci.security.scanners import kingfisher

    (tmp_path / "empty").mkdir()
    scan = await kingfisher.scan(tmp_path / "empty", timeout_s=60)
    assert (scan.commits, scan.matches) == (0, ())
