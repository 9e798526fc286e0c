"""The stage as a whole: processes, results as they come, and what is left when something breaks."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

import psutil
import pytest

from ci.config import parse_config
from ci.engine.run import Run
from ci.model import ErrorKind, Outcome
from ci.smoke import stage
from tests.smoke.conftest import CONFIG, Prepare
from tests.smoke.examining import Results, Watching, told
from tests.smoke.shop import COMMIT, PASSWORD, Shop

WITHOUT_BROWSER = CONFIG.replace("smoke:\n", "smoke:\n  browser: false\n")
BARE = "target: {{production: {url}}}\nsmoke: {{browser: false}}\n"


async def results_of(run: Run, **options: object) -> Results:
    return {result.spec.id: result for result in (await stage.run(run, **options)).results}


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.browser
async def test_a_healthy_application_passes_everything(shop: Shop, prepare: Prepare, private: Path) -> None:
    run = prepare()
    report = await stage.run(run)
    results = {result.spec.id: result for result in report.results}
    assert {result.outcome for result in report.results} == {Outcome.PASS}, told(results)
    assert [result.spec for result in report.results] == list(stage.specs(run.config))
    assert report.subject == run.subject
    progress = run.progress
    assert isinstance(progress, Watching)
    assert {result.spec.id for result in progress.done} == set(results)
    assert set(progress.at) == set(results)
    assert PASSWORD not in report.model_dump_json()
    assert 60 < run.http.budget.spent < 300
    assert shop.logins <= 5
    assert not list(private.iterdir()), "the private files are gone"
    assert not (run.store.folder / "smoke").exists()


async def test_only_some_checks(shop: Shop, prepare: Prepare) -> None:
    results = await results_of(prepare(), only={"smoke/health", "smoke/identity"})
    assert {check_id: result.outcome for check_id, result in results.items()} == {
        "smoke/health": Outcome.PASS,
        "smoke/identity": Outcome.PASS,
    }
    assert set(shop.asks) == {"GET /api/health"}


async def test_what_is_not_configured_is_skipped_with_what_to_write(shop: Shop, prepare: Prepare) -> None:
    results = await results_of(prepare(BARE))
    examined = {"smoke/not-found", "smoke/error-body"}
    assert {check_id for check_id, result in results.items() if result.outcome is Outcome.PASS} == examined
    for check_id in results.keys() - examined:
        assert results[check_id].outcome is Outcome.SKIP, told(results)
        assert "gonogo.yaml" in (results[check_id].skip_reason or ""), results[check_id].skip_reason


@pytest.mark.parametrize("variable", ["SHOP_USER", "SHOP_PASSWORD", "SHOP_EXPIRED_TOKEN"])
async def test_a_missing_variable_is_named(variable: str, shop: Shop, prepare: Prepare) -> None:
    only = {"smoke/expired-token"} if variable == "SHOP_EXPIRED_TOKEN" else {"smoke/login", "smoke/logout"}
    for result in (await stage.run(prepare(WITHOUT_BROWSER, **{variable: ""}), only=only)).results:
        assert result.error and result.error.kind is ErrorKind.MISCONFIGURED
        assert variable in result.error.message
    assert shop.logins == 0


async def test_without_a_browser_the_page_checks_have_no_answer(shop: Shop, prepare: Prepare) -> None:
    results = await results_of(
        prepare(GONOGO_BROWSER="/nowhere/chrome"), only={"smoke/page-renders", "smoke/login-journey", "smoke/health"}
    )
    assert results.pop("smoke/health").outcome is Outcome.PASS
    for result in results.values():
        assert result.error and result.error.kind is ErrorKind.TOOL_MISSING
        assert "GONOGO_BROWSER" in result.error.message


async def test_a_run_that_takes_too_long_keeps_what_it_has(
    shop: Shop, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_slow.py").write_text(
        "import threading\n\n\ndef test_quick(): pass\n\n\ndef test_slow(): threading.Event().wait()\n"
    )
    monkeypatch.chdir(tmp_path)
    run = prepare(BARE.replace("browser: false", "browser: false, paths: [test_slow.py], timeout: 5s"))
    results = await results_of(run)
    progress = run.progress
    assert isinstance(progress, Watching)
    # How far it came depends on the machine; what it had found by then must stand.
    assert {result.spec.id: result for result in progress.done} == results
    late = {check_id: result.error for check_id, result in results.items() if result.outcome is Outcome.ERROR}
    assert "smoke/user-tests" in late
    assert {error.kind for error in late.values() if error} == {ErrorKind.TIMEOUT}, late
    assert not any(
        result.outcome is Outcome.PASS for check_id, result in results.items() if "test-slow-test-slow" in check_id
    )


@pytest.mark.browser
async def test_nothing_runs_on_after_an_interruption(shop: Shop, prepare: Prepare, private: Path) -> None:
    shop.reset("dead-button")
    run = prepare(CONFIG)
    before = set(psutil.Process().children(recursive=True))
    task = asyncio.create_task(stage.run(run))
    progress = run.progress
    assert isinstance(progress, Watching)
    async with asyncio.timeout(60):
        while "smoke/login-journey" not in progress.at:
            await asyncio.sleep(0.05)
    started = set(psutil.Process().children(recursive=True)) - before
    assert any("chrom" in process.name() for process in started)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive
    assert not list(private.iterdir())


def test_the_catalogue_needs_no_library() -> None:
    specs = stage.specs(parse_config("target: {production: https://shop.example}"))
    assert len(specs) == len({spec.id for spec in specs}) == 28
    for spec in specs:
        assert spec.references
        assert spec.title[-1] != "."
        assert min(len(spec.why), len(spec.remediation)) > 40


async def test_the_subject_of_the_report_is_the_one_that_was_asked_for(shop: Shop, prepare: Prepare) -> None:
    shop.reset("identity-other")
    report = await stage.run(prepare(), only={"smoke/identity"})
    (result,) = report.results
    assert result.outcome is Outcome.FAIL
    assert report.subject.commit == COMMIT
    assert COMMIT in result.findings[0].message
