"""One test per flaw: NO-GO by the named check. And the healthy demo: nothing."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ci import pipeline
from ci.engine.progress import Silence
from ci.errors import ConfigError
from ci.model import Decision
from ci.rehearsal.drill import Drilled, drill_one, matrix
from ci.rehearsal.flaws import Flaw, all_flaws, by_check, named
from ci.rehearsal.rehearse import rehearse
from ci.rehearsal.scene import Scene, stage_scene
from tests.demo import launching


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def scene(loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    staged = stage_scene(tmp_path_factory.mktemp("logs"), demo=launching.build)
    yield loop.run_until_complete(staged.__aenter__())
    loop.run_until_complete(staged.__aexit__(None, None, None))


def flaws(*, under_load: bool) -> list[Flaw]:
    return [flaw for flaw in all_flaws() if (flaw.stage in pipeline.ALONE) is under_load]


UNDER_LOAD: dict[str, dict[str, object]] = {
    # Few users leave little under way when the time is up.
    "slow-under-load": {"duration": timedelta(seconds=3), "users": 10, "rate": 10.0},
    "errors-under-load": {"duration": timedelta(seconds=3)},
    "slows-with-time": {"duration": timedelta(seconds=4)},
    # Few errors take many requests to be certain of.
    "few-errors": {"rate": 5.0},
}
"""What makes the load just long enough for a flaw to be certain; by itself it ends when it is."""


@pytest.mark.timed
@pytest.mark.parametrize("flaw", flaws(under_load=True), ids=lambda flaw: flaw.name)
def test_load_notices(flaw: Flaw, scene: Scene, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    brief = {"warm_up": timedelta(milliseconds=500), **UNDER_LOAD.get(flaw.name, {})}
    load = scene.config.load.model_copy(update=brief)
    short = dataclasses.replace(scene, config=scene.config.model_copy(update={"load": load}))
    drilled = loop.run_until_complete(drill_one(short, flaw, tmp_path))
    assert (drilled.decision, drilled.failed) == (Decision.NO_GO, (flaw.check,))


@pytest.mark.parametrize("flaw", flaws(under_load=False), ids=lambda flaw: flaw.name)
def test_the_named_check_notices(flaw: Flaw, scene: Scene, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    # Whether it leaves the other checks alone is asked of the whole stage, by `make drill` and of a few here.
    drilled = loop.run_until_complete(drill_one(scene, flaw, tmp_path, whole=False))
    assert (drilled.decision, drilled.failed) == (Decision.NO_GO, (flaw.check,))


@pytest.mark.parametrize("name", ["headers-forgotten", "csrf-ignored", "certificate-weak", "tiers-500"])
def test_the_other_checks_stay_calm(name: str, scene: Scene, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    (flaw,) = named([name])
    drilled = loop.run_until_complete(drill_one(scene, flaw, tmp_path))
    assert drilled.proved
    assert set(drilled.failed) == {flaw.check, *flaw.also}


def test_every_check_is_proved_by_a_flaw() -> None:
    # What the preflight and the volume of load find is never the application's fault, so no flaw can show it.
    unprovable = {"preflight/reachable", "preflight/identity", "preflight/identity-held", "load/volume"}
    # The edge has one address; tests/security/test_transport.py shows several that disagree.
    unprovable |= {"security/tls-addresses"}
    assert {spec.id for spec in pipeline.catalogue()} - set(by_check()) == unprovable


@pytest.mark.parametrize(
    ("flaws", "why"),
    [
        ({"flaws_after_promotion": ["plain-http"]}, "plain-http is the edge's.*by --flaw"),
        ({"flaws": ["secret-in-tree"]}, "which a rehearsal does not scan.*`gonogo drill secret-in-tree`"),
        ({"flaws_after_promotion": ["unsafe-python"]}, "which a rehearsal does not scan"),
    ],
)
async def test_a_flaw_that_a_rehearsal_cannot_show_is_refused(
    flaws: dict[str, list[str]], why: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=why):
        await rehearse(tmp_path, **flaws, show=lambda redact: Silence(), say=print)


def test_the_matrix_tells_a_miss_and_what_went_astray() -> None:
    flaw = Flaw(name="no-hsts", breaks="HSTS", check="security/hsts", also=("security/observatory-grade",))
    proved = Drilled(flaw, Decision.NO_GO, ("security/hsts", "security/observatory-grade"))
    astray = Drilled(flaw, Decision.NO_GO, ("security/hsts", "security/csp"))
    missed = Drilled(flaw, Decision.GO, ())
    told = matrix([proved, astray, missed])
    assert "caught  (also security/observatory-grade)" in told
    assert "caught  but security/csp failed, too" in told
    assert "MISSED, GO" in told
    assert "2 of 3 flaws caught, 1 by more checks than they break" in told
    assert [item.caught for item in (proved, astray, missed)] == [True, True, False]
    assert [item.proved for item in (proved, astray, missed)] == [True, False, False]
    assert astray.as_dict()["astray"] == ["security/csp"]


def test_the_healthy_demo_has_no_flaw(scene: Scene, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    none = Flaw(name="", breaks="nothing", check="security/none")
    drilled = loop.run_until_complete(drill_one(scene, none, tmp_path))
    assert (drilled.decision, drilled.failed) == (Decision.GO, ())
    assert not drilled.caught
