"""Bringing the candidate to Vercel: by its command line, once per run and commit."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ci.deploy.release import release
from ci.deploy.staging import Prebuilt, stage
from ci.engine.progress import Silence
from ci.errors import CannotRun
from ci.model import ErrorKind, ReleaseEnd
from ci.rehearsal.deployments import ReadyState
from tests.deploy.world import COMMITS, World
from tests.rehearsal.test_real_clients import clients as clients

FAKE = Path(__file__).with_name("fake_cli.py")
COMMIT = COMMITS["candidate"]


class Deployer:
    """Stages with the fake command line, and tells what that was given."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.log = folder / "log"
        # Its answers go to the stand-in under an id of its own.
        self.environ = {**world.environ, "FAKE_CLI_LOG": str(self.log), "PATH": "/usr/bin:/bin"}
        self.environ |= {"GITHUB_TOKEN": "canary-github-token", "VERCEL_AUTOMATION_BYPASS_SECRET": "canary-bypass"}
        self.prebuilt = Prebuilt(folder=folder, commit=COMMIT, run_id="77")
        deploy = world.config.deploy.model_copy(update={"cli": (sys.executable, str(FAKE))})
        self.config = world.config.model_copy(update={"deploy": deploy})

    async def stage(self, mode: str = "nested", **changes) -> str:
        environ = {**self.environ, "FAKE_CLI": mode}
        prebuilt = replace(self.prebuilt, **changes)
        return await stage(self.world.vercel, prebuilt, self.config, environ, Silence())

    @property
    def calls(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def deployer(world: World, tmp_path: Path) -> Deployer:
    return Deployer(world, tmp_path)


@pytest.mark.parametrize("mode", ["nested", "flat", "url", "nothing", "dies"])
async def test_the_deployment_is_found_whatever_the_command_line_says(deployer, mode):
    made = deployer.world.standin.state.deployments[await deployer.stage(mode)]
    assert (made.target, made.auto_assign) == ("production", False)
    assert made.meta.items() >= {"gonogoCommit": COMMIT, "gonogoRun": "77", "gonogoAttempt": "1"}.items()


async def test_the_token_goes_by_the_environment_and_no_other_secret_does(deployer):
    await deployer.stage()
    (call,) = deployer.calls
    assert not any(deployer.world.standin.token in word for word in call["arguments"])
    assert call["environ"]["VERCEL_TOKEN"] == deployer.world.standin.token
    assert not {"GITHUB_TOKEN", "VERCEL_AUTOMATION_BYPASS_SECRET"} & call["environ"].keys()
    wanted = ["deploy", "--prebuilt", "--prod", "--skip-domain", "--yes", "--format=json", "--no-wait"]
    assert call["arguments"][: len(wanted)] == wanted


async def test_a_rerun_finds_what_it_has_staged_before(deployer):
    first = await deployer.stage()
    assert await deployer.stage(attempt="2") == first
    assert len(deployer.calls) == 1


@pytest.mark.parametrize("changes", [{"run_id": "78"}, {"commit": "e" * 40}, {"run_id": None}])
async def test_another_run_or_commit_is_staged_anew(deployer, changes):
    first = await deployer.stage()
    assert await deployer.stage(**changes) != first


@pytest.mark.parametrize("state", [ReadyState.ERROR, ReadyState.CANCELED, ReadyState.BLOCKED])
async def test_a_build_that_ended_badly_is_not_taken_again(deployer, state):
    first = await deployer.stage()
    await deployer.world.standin.hosting.built(deployer.world.standin.state.deployments[first])
    deployer.world.standin.state.deployments[first].ready_state = state
    assert await deployer.stage() != first


async def test_what_was_rolled_back_is_not_taken_again_but_what_serves_is(deployer):
    world = deployer.world
    first = await deployer.stage()
    made = await release(world.context(), stage=first, test=world.test, verify=world.verify)
    assert made.end is ReleaseEnd.PROMOTED
    assert await deployer.stage() == first
    world.named["mine"] = world.standin.state.deployments[first]
    world.standin.state.change_at_once("rollback", world.named["baseline"], 0)
    assert await deployer.stage() != first


async def test_a_command_line_that_fails_before_creating_is_told(deployer):
    with pytest.raises(CannotRun, match="not today"):
        await deployer.stage("refused")


async def test_a_command_line_that_hangs_ends_at_its_deadline_and_its_work_is_found(deployer):
    deploy = deployer.config.deploy
    limited = deploy.model_copy(update={"upload_timeout": timedelta(seconds=4)})
    deployer.config = deployer.config.model_copy(update={"deploy": limited})
    made = await deployer.stage("hangs")
    assert deployer.world.standin.state.deployments[made].meta["gonogoRun"] == "77"


async def test_a_missing_command_line_is_a_clear_hold(deployer):
    deploy = deployer.config.deploy.model_copy(update={"cli": ("no-such-vercel",)})
    deployer.config = deployer.config.model_copy(update={"deploy": deploy})
    with pytest.raises(CannotRun, match="not installed") as caught:
        await deployer.stage()
    assert caught.value.kind is ErrorKind.TOOL_MISSING

    world = deployer.world
    made = await release(world.context(), stage=deployer.stage, test=world.test, verify=world.verify)
    assert (made.end, world.serves, world.tests) == (ReleaseEnd.HOLD, "baseline", 0)


async def test_a_whole_release_from_prebuilt_output(deployer):
    world = deployer.world
    made = await release(world.context(commit=COMMIT), stage=deployer.stage, test=world.test, verify=world.verify)
    assert made.end is ReleaseEnd.PROMOTED, made.events
    assert made.candidate.deployment_id == made.serving


def test_the_run_is_known_by_the_environment(tmp_path):
    known = partial(Prebuilt.of_environment, tmp_path, COMMIT)
    assert known({"GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "3"}).meta["gonogoAttempt"] == "3"
    assert known({"GONOGO_RUN_ID": "x", "GITHUB_RUN_ID": "1"}).run_id == "x"
    assert known({}).meta == {"gonogoCommit": COMMIT}


@pytest.mark.real_clients
async def test_vercels_own_command_line_stages_a_candidate(clients: Path, deployer):
    output = deployer.prebuilt.folder / ".vercel/output"
    (output / "static").mkdir(parents=True)
    (deployer.prebuilt.folder / "home").mkdir()
    (output / "static/index.html").write_text("hello")
    (output / "config.json").write_text('{"version": 3}')
    deployer.environ |= {"HOME": str(deployer.prebuilt.folder / "home")}
    cli = ("node", str(clients / "node_modules/vercel/dist/vc.js"))
    deploy = deployer.config.deploy.model_copy(update={"cli": cli})
    deployer.config = deployer.config.model_copy(update={"deploy": deploy})
    made = deployer.world.standin.state.deployments[await deployer.stage()]
    await deployer.world.standin.hosting.built(made)
    assert (made.target, made.auto_assign, made.substate) == ("production", False, "STAGED")
    assert made.meta["gonogoCommit"] == COMMIT
    assert await deployer.stage() == made.id
