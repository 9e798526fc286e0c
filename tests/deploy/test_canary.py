"""No token, bypass secret or cookie in journal, progress or exception, whatever the others say in their answers."""

from __future__ import annotations

import traceback

import pytest

from ci.config import Config
from ci.deploy.release import promote, release, rollback
from ci.engine.progress import Silence
from ci.engine.redaction import Redactor
from ci.errors import CannotRun
from ci.model import ErrorKind, Reason, Subject
from ci.rehearsal.faults import Fault
from tests.deploy.world import COMMITS, MortalStore, World

BYPASS = "canary-bypass-0a1b2c3d4e5f"
HOOK = "https://hooks.example/canary-hook-91f2"
COOKIE = "session=canary-cookie-77aa88bb"


class Listener(Silence):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, message: str) -> None:
        self.heard.append(message)


@pytest.fixture
def listener(world: World) -> Listener:
    """The world with more secrets, and somebody who hears what is said."""
    world.environ |= {"VERCEL_AUTOMATION_BYPASS_SECRET": BYPASS, "HOOK": HOOK}
    deploy = {**world.config.model_dump()["deploy"], "webhook": "HOOK"}
    world.config = Config.model_validate({"target": {"production": world.standin.production_url}, "deploy": deploy})
    redact = Redactor.of_environment(world.environ, world.config.secret_variables())
    world.store = MortalStore(world.store.folder, redact)
    world.context_changes = {"progress": Listener(), "environ": world.environ}
    return world.context_changes["progress"]


def blab(world: World) -> str:
    return f"{world.standin.token} {BYPASS} {HOOK} Set-Cookie: {COOKIE}"


def assert_nothing_out(world: World, listener: Listener, *more: object) -> None:
    journal = world.store.folder / "release.json"
    seen = "\n".join([journal.read_text() if journal.exists() else "", *listener.heard, *map(str, more)])
    assert len(seen) > 100
    for secret in (world.standin.token, BYPASS, HOOK, "canary-cookie"):
        assert secret not in seen


@pytest.mark.parametrize(
    "fault",
    [
        {"operation": "get_project", "status": 403, "times": None},
        {"operation": "get_deployment", "status": 404, "times": None},
        {"operation": "promote", "status": 400},
        {"operation": "promote", "status": 409},
        {"operation": "promote", "status": 429, "retry_after": "9999"},
        {"operation": "rollback", "status": 402},
    ],
    ids=str,
)
async def test_an_api_that_repeats_secrets(world, listener, fault):
    world.applications.broken.add(COMMITS["candidate"])
    world.standin.faults.add(Fault(**fault, message=blab(world)))
    made = await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    assert_nothing_out(world, listener, made.model_dump_json(), repr(made), repr(world.context()))


async def test_a_verdict_and_a_test_that_repeat_secrets(world, listener):
    candidate = world.named["candidate"]
    subject = Subject(url=world.standin.url_of(candidate), commit=COMMITS["candidate"], deployment_id=candidate.id)
    reason = Reason(rule="r", message=blab(world), decision="HOLD")
    verdict = world.verdict(subject, decision="HOLD", reasons=(reason,))
    made = await promote(world.context(), candidate.id, verdict=verdict, verify=world.verify)

    async def walled(subject, baseline_url):
        raise CannotRun(ErrorKind.LOGIN_WALL, blab(world))

    again = await release(world.context(), stage=candidate.id, test=walled, verify=world.verify)
    assert_nothing_out(world, listener, made.model_dump_json(), again.model_dump_json())


async def test_a_verification_that_repeats_secrets(world, listener):
    async def blabbing(subject, *, identity_only):
        raise RuntimeError(blab(world))

    made = await release(world.context(), stage=world.id("candidate"), test=world.test, verify=blabbing)
    assert_nothing_out(world, listener, made.model_dump_json())


async def test_a_description_of_a_rollback_holds_no_secret(world, listener):
    world.applications.broken.add(COMMITS["candidate"])
    await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    await rollback(world.context(), to="dpl_nowhere", verify=world.verify)
    assert_nothing_out(world, listener, *(write.path for write in world.standin.writes))


async def test_an_exception_holds_no_secret_of_ours(world, listener):
    (world.store.folder / "release.json").write_text("{" + world.standin.token)
    with pytest.raises(CannotRun) as caught:
        await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    (world.store.folder / "release.json").unlink()
    assert_nothing_out(world, listener, "".join(traceback.format_exception(caught.value)))
