from collections.abc import Callable

import pytest

from ci.errors import NotApplicable
from ci.model import Outcome, Severity
from ci.security.scanners.workflows import SCANNER
from tests.security.scanners.checkouts import Checkout

CHECK = "security/workflows"
PATH = ".github/workflows/ci.yml"
SOUND = """name: ci
on: push
permissions: {}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: echo hello
"""
INJECTION = SOUND.replace("echo hello", "echo ${{ github.event.head_commit.message }}")


async def test_an_injection_is_found_on_its_line(checkout: Checkout) -> None:
    examined = await checkout.write({PATH: INJECTION}).look(SCANNER)
    found = {hit.rule: hit for hit in examined.hits}
    hit = found["template-injection"]
    assert (hit.path, hit.line, hit.severity) == (PATH, 8, Severity.HIGH)
    assert "zizmor audited 1 files" in examined.what[0]


async def test_sound_workflows_and_actions_pass_with_their_names_as_evidence(checkout: Checkout) -> None:
    action = (
        "name: set up\ndescription: all\nruns:\n  using: composite\n  steps:\n    - run: 'true'\n      shell: bash\n"
    )
    checkout.write({PATH: SOUND, ".github/actions/setup/action.yml": action})
    result = (await checkout.scan(CHECK))[CHECK]
    assert result.outcome is Outcome.PASS
    assert f"2 files: .github/actions/setup/action.yml, {PATH}" in result.evidence[0].summary


async def test_the_fingerprint_survives_other_lines(checkout: Checkout) -> None:
    before = (await checkout.write({PATH: INJECTION}).scan(CHECK))[CHECK].findings
    after = (await checkout.write({PATH: "# more\n" + INJECTION}).scan(CHECK))[CHECK].findings
    assert {f.fingerprint for f in before} == {f.fingerprint for f in after}
    assert before[0].location.line != after[0].location.line


@pytest.mark.parametrize("text", ["on: [\n", "jobs: 1\n", "\0"])
async def test_a_workflow_that_cannot_be_parsed_is_no_answer(checkout: Checkout, text: str) -> None:
    assert await checkout.write({PATH: SOUND, ".github/workflows/bad.yml": text}).no_answer(CHECK)


async def test_without_workflows_there_is_nothing_to_audit(checkout: Checkout) -> None:
    with pytest.raises(NotApplicable, match="no workflow"):
        await checkout.write({"a.yml": SOUND}).look(SCANNER)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo '[]'", f"has not audited 1 files, {PATH} for one"),
        (f"echo 'completed {PATH}' >&2", "printed no JSON"),
        (f"echo 'completed {PATH}' >&2; echo '{{}}'", "an answer that is no list of findings"),
        (f"echo 'completed {PATH}' >&2; echo '[{{}}]'", "a shape that is not known"),
        ("exit 1", "exit code 1"),
        ("exit 3", "exit code 3"),
        ("sleep 60", "did not end within"),
        ("kill -9 $$", "exit code -9"),
    ],
)
async def test_zizmor_that_has_not_looked_is_no_answer(
    checkout: Checkout, pretend: Callable[[str, str], None], script: str, why: str
) -> None:
    pretend("zizmor", script)
    error = await checkout.write({PATH: SOUND}).no_answer(CHECK, timeout="2s")
    assert why in error.message
