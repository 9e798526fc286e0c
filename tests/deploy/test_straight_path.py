"""Promote, verify, roll back: when nothing disturbs."""

from __future__ import annotations

from ci.deploy.release import promote, release, rollback
from ci.deploy.transitions import EXIT_CODES, Phase
from ci.model import ReleaseEnd, Subject
from tests.deploy.world import COMMITS, World


def phases(made):
    return [event.facts["entered"] for event in made.events if "entered" in event.facts]


async def test_a_staged_candidate_is_promoted_confirmed_and_verified(world: World):
    made = await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    assert made.end is ReleaseEnd.PROMOTED, made.events
    assert phases(made) == ["PREFLIGHT", "STAGE", "TEST", "RE-CHECK", "PROMOTE", "CONFIRM", "VERIFY", "FINISH"]
    assert (world.serves, world.writes, EXIT_CODES[made.end]) == ("candidate", ["promote"], 0)
    assert made.previous and made.previous.deployment_id == world.id("baseline")
    assert made.serving == made.candidate.deployment_id == world.id("candidate")
    assert world.store.release() == made


async def test_a_broken_candidate_is_rolled_back_and_production_verified_again(world: World):
    world.applications.broken_in_production.add(COMMITS["candidate"])
    made = await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    assert made.end is ReleaseEnd.ROLLED_BACK, made.events
    assert (world.serves, world.writes, EXIT_CODES[made.end]) == ("baseline", ["promote", "rollback"], 20)
    assert phases(made)[-4:] == [Phase.ROLLBACK, Phase.CONFIRM, Phase.VERIFY, Phase.FINISH]
    assert not world.standin.state.auto_assign
    assert "stay staged" in made.events[-1].message


async def test_promote_takes_a_verdict_that_was_given_before(world: World):
    subject = Subject(
        url=world.standin.url_of(world.named["candidate"]),
        commit=COMMITS["candidate"],
        deployment_id=world.id("candidate"),
    )
    made = await promote(world.context(), world.id("candidate"), verdict=world.verdict(subject), verify=world.verify)
    assert (made.end, world.serves) == (ReleaseEnd.PROMOTED, "candidate")


async def test_rollback_by_hand_goes_to_the_deployment_before(world: World):
    await release(world.context(), stage=world.id("candidate"), test=world.test, verify=world.verify)
    made = await rollback(world.context(), verify=world.verify)
    assert (made.end, world.serves) == (ReleaseEnd.ROLLED_BACK, "baseline"), made.events
