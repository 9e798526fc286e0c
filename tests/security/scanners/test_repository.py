import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.security.scanners.repository import open_repository
from tests.security.scanners.checkouts import Checkout


async def test_tracked_and_untracked_files_are_listed_and_nothing_else(checkout: Checkout) -> None:
    checkout.write({"gone.txt": "", "kept.txt": "", "ünïcode name.txt": "", ".gitignore": "ignored\n"})
    (checkout.root / "link.txt").symlink_to("kept.txt")
    checkout.commit()
    (checkout.root / "gone.txt").unlink()
    checkout.write({"new.txt": "", "ignored": ""})
    seen = await open_repository(checkout.root / ".git" / "..", exclude=["kept*"])
    assert seen.tracked == (".gitignore", "ünïcode name.txt")
    assert seen.untracked == ("new.txt",)
    assert seen.excluded == 1


async def test_a_folder_that_is_no_repository_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="no git repository with a commit") as caught:
        await open_repository(tmp_path)
    assert caught.value.kind is ErrorKind.MISCONFIGURED


async def test_a_sparse_checkout_is_no_answer(checkout: Checkout) -> None:
    checkout.write({"a/a.txt": "", "b/b.txt": ""}).commit()
    checkout.git("sparse-checkout", "set", "a")
    with pytest.raises(CannotRun, match=r"1 tracked files are not checked out, b/b\.txt"):
        await open_repository(checkout.root)


async def test_a_submodule_is_told_of_until_it_is_excluded(checkout: Checkout) -> None:
    checkout.write({"a.txt": ""}).commit()
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{checkout.git('rev-parse', 'HEAD')},vendored/lib")
    with pytest.raises(CannotRun, match=r"the submodule vendored/lib is no part") as caught:
        await open_repository(checkout.root)
    assert caught.value.kind is ErrorKind.MISCONFIGURED
    assert (await open_repository(checkout.root, exclude=["vendored/*"])).tracked == ("a.txt",)


async def test_a_revision_that_is_not_known_is_no_answer(checkout: Checkout) -> None:
    for revision in ("no-such-branch", "--help", "HEAD:nothing"):
        with pytest.raises(CannotRun, match="no common commit is known here"):
            await open_repository(checkout.root, since=revision)


async def test_a_change_is_what_was_added_since_the_common_commit(checkout: Checkout) -> None:
    checkout.write({"a.txt": "1\n2\n3\n", "b.txt": "1\n", "c.bin": b"\0", 'quo"ted\tname.txt': "1\n"}).commit()
    checkout.git("switch", "--quiet", "--create", "change")
    checkout.write({"a.txt": "1\nnew\n2\n", 'quo"ted\tname.txt': "1\n2\n", "c.bin": b"\0\0"}).commit()
    checkout.git("switch", "--quiet", "main")
    checkout.write({"elsewhere.txt": "1\n"}).commit()
    checkout.git("switch", "--quiet", "change")
    checkout.write({"untracked.txt": "1\n"})
    change = (await open_repository(checkout.root, since="main")).change
    assert change
    touched = {(p, n) for p in change.added for n in range(1, 5) if change.touches(p, n, n)}
    assert {(p, n) for p, n in touched if p == "a.txt"} == {("a.txt", 2)}
    assert {(p, n) for p, n in touched if "quo" in p} == {('quo"ted\tname.txt', 2)}
    assert {"c.bin", "untracked.txt"} <= {p for p, _ in touched}
    assert not {"b.txt", "elsewhere.txt"} & {p for p, _ in touched}


LINES = st.lists(st.sampled_from(["a", "b", "", "diff --git a/x b/x", "@@ -1 +1 @@", "+++ b/x"]), max_size=8)


@settings(max_examples=15, deadline=None)
@given(before=LINES, after=LINES)
async def test_applying_only_the_lines_that_are_new_gives_the_new_file(before: list[str], after: list[str]) -> None:
    """The lines that are not new are lines of the old file, in its order."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout(Path(folder))
        checkout.write({"x": "".join(f"{line}\n" for line in before), "y": "y\n"}).commit()
        checkout.write({"x": "".join(f"{line}\n" for line in after), "y": "z\n"})
        change = (await open_repository(checkout.root, since="HEAD")).change
    assert change
    kept = [line for number, line in enumerate(after, start=1) if not change.touches("x", number, number)]
    rest = iter(before)
    assert all(line in rest for line in kept)
    if before == after:
        assert kept == after
    assert change.touches("y", 1, 1)
