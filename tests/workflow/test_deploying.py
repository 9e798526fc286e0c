"""Deployments without a domain, the staging alias, and promotions that are finished or taken over."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ci.deploy.release import adopt
from ci.deploy.release import promote as promote_alone
from ci.engine.evidence import EvidenceStore
from ci.engine.run import Run
from ci.errors import CannotRun, ConfigError
from ci.model import Decision, Release, ReleaseEnd, Subject
from ci.pipeline import releasing
from ci.rehearsal.deployments import Source
from ci.rehearsal.faults import Fault
from ci.workflow.deploying import deploy, point_staging
from ci.workflow.promoting import promote_or_resume
from ci.workflow.routes import Target
from tests.deploy.world import COMMITS, KilledError, World, go
from tests.runs import run_on
from tests.workflow.conftest import run_in

CLI = (sys.executable, str(Path(__file__).parents[1] / "deploy" / "fake_cli.py"))
NEW = "e" * 40


def staged_run(world: World, tmp_path: Path, mode: str = "nested", **deploy: Any) -> Any:
    world.environ |= {"FAKE_CLI_LOG": str(tmp_path / "cli.log"), "FAKE_CLI": mode, "GITHUB_RUN_ID": "77"}
    return run_in(world, **{"cli": CLI, "build": "none", **deploy})


async def test_a_staged_deployment_and_what_it_is_compared_with(world: World, tmp_path: Path) -> None:
    run = staged_run(world, tmp_path)
    made = await deploy(run, "production", NEW)
    assert made.failure is None
    assert (made.subject.commit, made.baseline_url) == (NEW, world.standin.url_of(world.named["baseline"]))
    again = await deploy(run, "production", NEW)
    assert again.subject == made.subject, "a rerun finds what the first attempt has made"
    assert world.serves == "baseline"


async def test_a_build_that_fails_is_told(world: World, tmp_path: Path) -> None:
    world.applications.fails_to_build = "no such module"
    made = await deploy(staged_run(world, tmp_path), "production", NEW)
    assert made.failure is not None
    assert "no such module" in made.failure


async def test_another_kind_of_deployment_than_wanted(world: World, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="not for preview"):
        await deploy(staged_run(world, tmp_path, "production"), "preview", NEW)


@pytest.mark.parametrize(
    ("target", "build", "commands"),
    [
        ("preview", "cli", ["pull --yes --environment=preview", "build --yes", "deploy --prebuilt --yes"]),
        (
            "production",
            "cli",
            ["pull --yes --environment=production", "build --yes --prod", "deploy --prebuilt --prod"],
        ),
        ("preview", "vercel", ["deploy --yes"]),
        ("production", "none", ["deploy --prebuilt --prod --skip-domain"]),
    ],
)
async def test_where_it_is_built(world: World, tmp_path: Path, target: Target, build: str, commands: list[str]) -> None:
    run = staged_run(world, tmp_path, build=build)
    world.environ |= {"GITHUB_TOKEN": "canary", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary"}
    made = await deploy(run, target, NEW)
    assert made.failure is None
    logged = [json.loads(line) for line in (tmp_path / "cli.log").read_text().splitlines()]
    called = [" ".join(item["arguments"]) for item in logged]
    assert len(called) == len(commands)
    for words, wanted in zip(called, commands, strict=True):
        assert words.startswith(wanted), words
    assert ("--skip-domain" in called[-1]) == (target == "production")
    assert not any("canary" in str(item) for item in logged), "the command line gets no secret but its own"


async def test_without_a_link_it_says_what_is_missing(world: World, tmp_path: Path) -> None:
    run = staged_run(world, tmp_path)
    del world.environ["VERCEL_TOKEN"]
    with pytest.raises(ConfigError, match="VERCEL_TOKEN is not set"):
        await deploy(run, "production", NEW)


async def preview(world: World, name: str = "preview", commit: str = NEW) -> str:
    await world.deploy(name, target=None, source=Source(commit, "develop", integrated=True))
    item = world.named[name]
    subject = Subject(url=world.standin.url_of(item), commit=commit, deployment_id=item.id)
    world.store.write_verdict(go(subject))
    return item.id


async def test_staging_shows_what_is_go(world: World) -> None:
    run = run_in(world, staging=world.standin.staging_url)
    first = await preview(world)
    assert first in await point_staging(run, first)
    assert world.standin.state.staging.deployment_id == first
    assert world.serves == "baseline", "production is nobody's business here"


async def test_staging_never_goes_back(world: World) -> None:
    run = run_in(world, staging=world.standin.staging_url)
    older, newer = await preview(world, "older", "1" * 40), await preview(world, "newer", "2" * 40)
    await point_staging(run, newer)
    await preview_verdict(world, "older")
    with pytest.raises(CannotRun, match="SUPERSEDED"):
        await point_staging(run, older)
    assert world.standin.state.staging.deployment_id == newer


async def preview_verdict(world: World, name: str) -> None:
    item = world.named[name]
    subject = Subject(url=world.standin.url_of(item), commit=item.source.sha, deployment_id=item.id)
    world.store.write_verdict(go(subject))


async def test_staging_that_does_not_come_true_is_no_success(world: World) -> None:
    run = run_in(world, staging=world.standin.staging_url)
    first = await preview(world)
    await point_staging(run, first)
    second = await preview(world, "second", "2" * 40)
    world.standin.faults.add(Fault(operation="assign_alias", status=200))
    with pytest.raises(CannotRun, match=f"points at {first}"):
        await point_staging(run, second)
    world.applications.dead.add("2" * 40)
    with pytest.raises(CannotRun, match=f"was pointed at {second}, but"):
        await point_staging(run, second)


async def test_staging_is_no_way_around_promotion(world: World) -> None:
    for url in (world.standin.production_url, world.standin.production_url.replace("app.", "App.")):
        with pytest.raises(ConfigError, match="domain of production"):
            await point_staging(run_in(world, staging=url), await preview(world))
    assert world.writes == []


async def test_staging_wants_a_go_about_this_deployment(world: World) -> None:
    run = run_in(world, staging=world.standin.staging_url)
    made = await preview(world)
    verdict = world.store.verdict()
    world.decision = Decision.HOLD
    world.store.write_verdict(world.verdict(verdict.subject))
    with pytest.raises(CannotRun, match="stays as it is"):
        await point_staging(run, made)
    world.store.write_verdict(go(verdict.subject.model_copy(update={"deployment_id": world.id("other")})))
    with pytest.raises(CannotRun, match="stays as it is"):
        await point_staging(run, made)
    assert world.writes == []


async def test_without_staging_nothing_is_claimed(world: World) -> None:
    assert "no staging alias" in await point_staging(run_in(world), world.id("candidate"))


# -- what Vercel has promoted by itself


async def by_vercel(world: World, name: str = "candidate") -> None:
    await world.vercel.promote(world.id(name))
    while world.serves != name:
        await world.vercel.project()
    world.standin.ledger.clear()


async def test_a_promotion_by_vercel_is_verified(world: World) -> None:
    await by_vercel(world)
    made = await adopt(world.context(), world.id("candidate"), verify=world.verify)
    assert (made.end, world.serves, world.writes) == (ReleaseEnd.PROMOTED, "candidate", []), made.events


async def test_a_promotion_by_vercel_that_is_wrong_is_taken_back(world: World) -> None:
    world.applications.broken_in_production.add(COMMITS["candidate"])
    await by_vercel(world)
    made = await adopt(world.context(), world.id("candidate"), verify=world.verify)
    assert (made.end, world.serves, world.writes) == (ReleaseEnd.ROLLED_BACK, "baseline", ["rollback"]), made.events


async def test_a_promotion_that_is_history_is_left_alone(world: World) -> None:
    made = await adopt(world.context(), world.id("candidate"), verify=world.verify)
    assert (made.end, world.serves, world.writes) == (ReleaseEnd.SUPERSEDED, "baseline", []), made.events


# -- attempts


@pytest.mark.parametrize(
    ("left", "end", "calls"),
    [
        (None, None, ["promote"]),
        ("other", ReleaseEnd.PROMOTED, ["promote"]),
        ("candidate", ReleaseEnd.PROMOTED, ["reconcile", "promote"]),
        ("candidate", ReleaseEnd.HOLD, ["reconcile", "promote"]),
        ("candidate", ReleaseEnd.ROLLED_BACK, ["reconcile"]),
        ("candidate", ReleaseEnd.ROLLBACK_FAILED, ["reconcile"]),
    ],
)
async def test_only_the_journal_of_this_deployment_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str | None, end: ReleaseEnd | None, calls: list[str]
) -> None:
    run, called = run_on("https://app.example.com", tmp_path / "evidence"), []
    journal = EvidenceStore(tmp_path / "journal", run.store.redact)
    earlier = Release(project_id="prj_1", candidate=Subject(url="u", deployment_id=left))
    if left:
        journal.write_release(earlier)

    async def reconcile(run: Run) -> Release:
        called.append("reconcile")
        assert run.store.release() == earlier
        return earlier.model_copy(update={"end": end})

    async def promote(run: Run, deployment_id: str) -> Release:
        called.append("promote")
        return earlier

    monkeypatch.setattr(releasing, "reconcile", reconcile)
    monkeypatch.setattr(releasing, "promote", promote)
    await promote_or_resume(run, "candidate", journal.folder)
    assert called == calls


async def test_an_interrupted_attempt_is_finished_by_the_next(world: World, tmp_path: Path) -> None:
    candidate = world.named["candidate"]
    subject = Subject(url=world.standin.url_of(candidate), commit=COMMITS["candidate"], deployment_id=candidate.id)
    world.store.kill_after = lambda event: event.facts.get("answer") == "accepted"
    with pytest.raises(KilledError):
        await promote_alone(world.context(), candidate.id, verdict=go(subject), verify=world.verify)
    journal = tmp_path / "journal"
    shutil.move(world.store.folder, journal)
    world.store.kill_after, world.store.dead = (lambda event: False), False
    world.store.write_verdict(go(subject))
    run = run_in(world, verify=world.config.deploy.verify.model_copy(update={"checks": ("smoke/not-found",)}))
    made = await promote_or_resume(run, candidate.id, journal)
    assert (made.end, world.serves) == (ReleaseEnd.PROMOTED, "candidate"), made.events
    assert world.writes.count("promote") == 1, "what was asked for once is not asked for again"
