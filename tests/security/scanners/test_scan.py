import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from ci.engine.progress import Silence
from ci.engine.run import Part
from ci.model import CheckResult, ErrorKind, Outcome
from ci.security import stage
from ci.security.scanners.scan import SCANNERS, scan, specs
from tests.runs import run_on
from tests.security.scanners.checkouts import Checkout
from tests.security.scanners.plants import secrets
from tests.servers import answers, serving

PLANTS = secrets()


class Heard(Silence):
    def __init__(self) -> None:
        self.busy: list[str] = []
        self.done: list[str] = []

    def stage_at(self, stage: str, activity: str) -> None:
        self.busy.append(activity)

    def check_done(self, stage: str, result: CheckResult) -> None:
        self.done.append(result.spec.id)


def test_every_check_tells_how_to_mend_it_and_who_says_so() -> None:
    for spec in specs():
        assert spec.remediation
        assert spec.why
        assert any(reference.startswith(("OWASP", "CWE")) for reference in spec.references)


async def test_without_configuration_nothing_is_scanned_and_that_is_told(checkout: Checkout, tmp_path: Path) -> None:
    run = dataclasses.replace(run_on("http://127.0.0.1:9", tmp_path / "evidence"), folder=checkout.root)
    results = await scan(run)
    assert {result.outcome for result in results} == {Outcome.SKIP}
    assert "below `security:` in gonogo.yaml" in str(results[0].skip_reason)
    assert {r.outcome for r in await scan(run, only=["security/python-code"], demanded=True)} == {Outcome.SKIP}


async def test_outside_a_repository_every_check_is_an_error(tmp_path: Path) -> None:
    run = run_on("http://127.0.0.1:9", tmp_path / "evidence", security={"code": {}})
    results = await scan(dataclasses.replace(run, folder=tmp_path))
    assert {result.error.kind for result in results if result.error} == {ErrorKind.MISCONFIGURED}
    assert len([result for result in results if result.error]) == len(SCANNERS)


async def test_a_check_that_is_left_out_is_skipped(checkout: Checkout) -> None:
    results = await checkout.write({"a.py": "print(1)\n"}).scan(
        "security/python-code", leave_out=["security/python-code"]
    )
    assert "security.code.leave_out" in str(results["security/python-code"].skip_reason)


BARRIER = """
touch "{folder}/$(basename "$0")"
for i in $(seq 200); do
  [ "$(ls "{folder}" | wc -l)" = 4 ] && exit 9
  sleep 0.1
done
exit 8
"""


async def test_the_tools_run_side_by_side_and_each_is_told_when_it_is_done(
    checkout: Checkout, tmp_path: Path, pretend: Callable[[str, str], None]
) -> None:
    """Each waits for the others to have begun, and tells by its exit code whether they had."""
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    for tool in ("bandit", "zizmor", "kingfisher", "npm"):
        pretend(tool, BARRIER.format(folder=meeting))
    checkout.write(
        {"a.py": "1\n", ".github/workflows/a.yml": "on: push\n", "package-lock.json": '{"packages": {"a": {}}}'}
    )
    heard = Heard()
    run = run_on("http://127.0.0.1:9", tmp_path / "evidence", progress=heard, security={"code": {}})
    wanted = [f"security/{name}" for name in ("python-code", "workflows", "secrets-history", "node-dependencies")]
    results = await scan(dataclasses.replace(run, folder=checkout.root), only=wanted)
    assert all(result.error and "code 9" in result.error.message for result in results), results
    assert sorted(heard.done) == sorted(wanted)
    assert any(all(check in activity for check in wanted) for activity in heard.busy)


async def test_cancelling_the_scan_ends_the_tools(
    checkout: Checkout, tmp_path: Path, pretend: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci.engine.tools.GRACE_S", 0.1)
    pipe = tmp_path / "pid"
    pretend("bandit", f"echo $$ > {pipe}.new; mv {pipe}.new {pipe}; exec sleep 600")
    task = asyncio.create_task(checkout.write({"a.py": "1\n"}).scan("security/python-code"))
    async with asyncio.timeout(30):
        while not pipe.exists():
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pipe.read_text().strip()}").exists()


@pytest.mark.parametrize("part", [None, "live", "code"])
async def test_the_stage_reports_its_parts_and_tells_what_it_leaves_out(
    checkout: Checkout, tmp_path: Path, part: Part | None
) -> None:
    checkout.write({"a.py": "print(1)\n"})
    code = {"leave_out": [spec.id for spec in specs() if "python-code" not in spec.id]}
    async with serving({"*": answers("<title>hello</title>hi")}) as url:
        run = run_on(url, tmp_path / "evidence", security={"code": code})
        report = await stage.run(dataclasses.replace(run, folder=checkout.root, part=part))
    everything = {spec.id for spec in stage.specs(run.config)}
    of_code = {spec.id for spec in specs()}
    wanted = {None: everything, "live": everything - of_code, "code": of_code}[part]
    assert {result.spec.id for result in report.results} == wanted
    assert (report.left_out is None) == (part is None)


async def test_of_a_change_only_what_it_adds_decides(checkout: Checkout) -> None:
    old = f"{PLANTS['github-token'][1]}\n"
    checkout.write({"a.txt": old, "a.py": "import pickle\npickle.loads(body)\n"}).commit()
    checkout.git("switch", "--quiet", "--create", "change")
    checkout.write({"a.txt": "# moved\n" + old + PLANTS["slack-bot"][1], "b.txt": PLANTS["stripe-live"][1]})
    checks = ("security/secrets-tree", "security/python-code")
    whole = await checkout.scan(*checks)
    change = await checkout.scan(*checks, since="main")
    assert len(whole[checks[0]].findings) == 3
    assert {str(finding.location) for finding in change[checks[0]].findings} == {"a.txt:3", "b.txt:1"}
    assert whole[checks[1]].outcome is Outcome.FAIL
    assert change[checks[1]].outcome is Outcome.PASS
    assert "1 findings are older than main" in change[checks[1]].evidence[-1].summary
