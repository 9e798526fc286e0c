from pathlib import Path

import pytest

from ci.engine.evidence import EvidenceStore
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import Decision, Verdict
from tests.runs import NOW, SUBJECT, failed, passed, report

SECRET = "hunter-2222"


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence", Redactor([SECRET]))


def test_what_is_written_is_read_again(store: EvidenceStore) -> None:
    smoke, security = report(passed()), report(passed("security/hsts"), stage="security")
    for made in (smoke, security):
        store.write_report(made)
    verdict = Verdict(decision=Decision.GO, subject=SUBJECT, stages=("smoke",), decided_at=NOW, evidence_from=NOW)
    store.write_verdict(verdict)
    assert set(store.reports()) == {security, smoke}
    assert store.verdict() == verdict


def test_no_secret_reaches_the_disk(store: EvidenceStore) -> None:
    store.write_report(report(failed(message=f"it said {SECRET}")))
    store.write_text("report.html", f"<p>{SECRET}</p>")
    for path in store.folder.iterdir():
        assert SECRET not in path.read_text()


def test_a_new_run_forgets_the_old_reports_but_not_the_journal(store: EvidenceStore) -> None:
    store.write_report(report(passed()))
    store.write_text("verdict.json", "{}")
    store.write_text("release.json", "{}")
    store.begin()
    assert [path.name for path in store.folder.iterdir()] == ["release.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 2}', "null"])
def test_a_damaged_report_is_an_error_not_an_absence(store: EvidenceStore, content: str) -> None:
    store.write_text("smoke.json", content)
    with pytest.raises(CannotRun, match=r"smoke\.json is not a StageReport"):
        store.reports()


def test_a_time_without_its_zone_is_an_error(store: EvidenceStore) -> None:
    store.write_text("smoke.json", report(passed()).model_dump_json().replace("12:00:00Z", "12:00:00"))
    with pytest.raises(CannotRun, match=r"smoke\.json is not a StageReport"):
        store.reports()


def test_a_missing_verdict_says_what_to_do(store: EvidenceStore) -> None:
    with pytest.raises(CannotRun, match="run `gonogo check` first"):
        store.verdict()


def test_an_interrupted_write_leaves_the_old_file(store: EvidenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_text("summary.md", "old")

    def full_disk(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        store.write_text("summary.md", "new")
    assert [path.name for path in store.folder.iterdir()] == ["summary.md"]
    assert (store.folder / "summary.md").read_text() == "old"


def test_a_folder_has_one_release_at_a_time(store: EvidenceStore) -> None:
    other = EvidenceStore(store.folder, Redactor())
    with store.alone(), pytest.raises(CannotRun, match="another release is under way"), other.alone():
        pytest.fail("two at once")
    with other.alone():
        pass
