import json
from collections.abc import Callable

import pytest

from ci.errors import NotApplicable
from ci.model import ErrorKind, Outcome, Severity
from ci.security.scanners.python_code import SCANNER
from tests.security.scanners.checkouts import Checkout

CHECK = "security/python-code"
SHELL = "import subprocess\nsubprocess.run(user_words, shell=True)\n"
PICKLE = "import pickle\npickle.loads(body)\n"


async def test_dangerous_constructs_are_found_in_all_files_tracked_or_not(checkout: Checkout) -> None:
    checkout.write({"a.py": SHELL}).commit()
    checkout.write({"b/c.py": PICKLE, ".github/actions/d.py": PICKLE})
    examined = await checkout.look(SCANNER)
    found = {(hit.path, hit.line, hit.rule, hit.severity) for hit in examined.hits}
    assert ("a.py", 2, "B602", Severity.HIGH) in found
    assert ("b/c.py", 2, "B301", Severity.MEDIUM) in found
    assert (".github/actions/d.py", 2, "B301", Severity.MEDIUM) in found
    assert "parsed 3 files with 6 lines" in examined.what[0]


async def test_clean_files_pass_with_their_number_as_evidence(checkout: Checkout) -> None:
    result = (await checkout.write({"a.py": "print(1)\n"}).scan(CHECK))[CHECK]
    assert result.outcome is Outcome.PASS
    assert "1 files" in result.evidence[0].summary


async def test_a_suspected_password_is_not_repeated(checkout: Checkout) -> None:
    checkout.write({"a.py": "password = 'correct horse \"battery\" staple'\n"})
    result = (await checkout.scan(CHECK, python_severity="low"))[CHECK]
    assert "B105" in result.findings[0].message
    assert not any(word in result.model_dump_json() for word in ("horse", "battery", "staple"))


async def test_comments_that_silence_are_counted(checkout: Checkout) -> None:
    checkout.write({"a.py": SHELL.replace("True)", "True)  # nosec B602 - a constant")})
    examined = await checkout.look(SCANNER)
    assert examined.hits == ()
    assert "1 are silenced by nosec comments" in examined.what[0]


async def test_the_fingerprint_survives_other_lines(checkout: Checkout) -> None:
    before = (await checkout.write({"a.py": SHELL}).scan(CHECK))[CHECK].findings
    after = await checkout.write({"a.py": f"# more\nif 1:\n  {SHELL.replace(chr(10), chr(10) + '  ')}\n"}).scan(CHECK)
    assert {f.fingerprint for f in before} == {f.fingerprint for f in after[CHECK].findings}
    assert before[0].location.line != after[CHECK].findings[0].location.line


async def test_the_same_line_twice_is_one_finding_that_says_so(checkout: Checkout) -> None:
    result = (await checkout.write({"a.py": PICKLE + "pickle.loads(body)\n"}).scan(CHECK))[CHECK]
    (found,) = result.findings
    assert "also at line 3" in found.message


@pytest.mark.parametrize("text", ["def broken(:\n", "print 1\n", "\0\n"])
async def test_a_file_that_cannot_be_parsed_is_no_answer(checkout: Checkout, text: str) -> None:
    checkout.write({"good.py": "print(1)\n", "bad.py": text})
    error = await checkout.no_answer(CHECK)
    assert error.kind is ErrorKind.BAD_OUTPUT
    assert "could not parse bad.py" in error.message
    excluded = (await checkout.scan(CHECK, exclude=["bad.py"]))[CHECK]
    assert excluded.outcome is Outcome.PASS


async def test_without_python_there_is_nothing_to_scan(checkout: Checkout) -> None:
    with pytest.raises(NotApplicable, match="no Python source"):
        await checkout.write({"a.js": "1\n"}).look(SCANNER)


EMPTY = {"errors": [], "metrics": {}, "results": []}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo '{json.dumps(EMPTY)}'", "has not examined 1 files, a.py for one"),
        ("true", "printed no JSON"),
        ("echo oops", "printed no JSON"),
        ("echo '[]'", "a shape that is not known"),
        ("echo '{}'", "a shape that is not known"),
        ("exit 2", "exit code 2"),
        ("kill -9 $$", "exit code -9"),
        ("sleep 60", "did not end within"),
    ],
)
async def test_bandit_that_has_not_looked_is_no_answer(
    checkout: Checkout, pretend: Callable[[str, str], None], script: str, why: str
) -> None:
    pretend("bandit", script)
    error = await checkout.write({"a.py": "print(1)\n"}).no_answer(CHECK, timeout="2s")
    assert why in error.message


@pytest.mark.parametrize("end", ["exit 2", "exit 0"])
async def test_what_a_tool_printed_is_not_repeated_when_it_fails(
    checkout: Checkout, pretend: Callable[[str, str], None], end: str
) -> None:
    pretend("bandit", f"echo 'password = correct-horse'; {end}")
    result = (await checkout.write({"a.py": "print(1)\n"}).scan(CHECK))[CHECK]
    assert result.error
    assert "horse" not in result.model_dump_json()


async def test_a_missing_tool_is_no_answer(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.security.scanners.programs.FOLDER", checkout.root)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    error = await checkout.write({"a.py": "print(1)\n"}).no_answer(CHECK)
    assert (error.kind, "gonogo[security]" in error.message) == (ErrorKind.TOOL_MISSING, True)
