"""Random interleavings of a release with other writers, failing calls, sticking jobs and sudden death.

Whatever happens: nothing untested is promoted, somebody else's deployment is never rolled back, no write is repeated
blindly, and every run ends within its deadline in an end that the journal explains.
"""

from __future__ import annotations

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ci.deploy.journal import END
from ci.deploy.judgement import who_serves
from ci.deploy.transaction import requested_at
from ci.deploy.transitions import OPEN_ENDS
from ci.model import Decision, ReleaseEnd
from ci.rehearsal.alias_requests import JobStatus, JobType
from tests.deploy.simulation import CONFIG, simulation, somebody

NAMES = st.sampled_from(["baseline", "candidate", "other"])
FAILURES = st.sampled_from(["lost", "applied", "refused", "not-sent"])
LONGEST_S = 400.0
"""Seconds of simulated time that one run may take: all its deadlines, and every call in between."""
RUNS = 4


class Interleavings(RuleBasedStateMachine):
    @initialize(
        broken=st.sets(NAMES),
        decision=st.sampled_from([Decision.GO] * 4 + [Decision.HOLD]),
        auto_assign=st.booleans(),
        undisturbed_until=st.sampled_from(["preflight", "promote", "confirm", "verify", "failing", "rollback"]),
        then_fails=st.none() | FAILURES,
        lost_writes=st.sampled_from([set(), set(), {"promote"}, {"rollback"}]),
    )
    def world(self, broken, decision, auto_assign, undisturbed_until, then_fails, lost_writes):
        self.sim = simulation()
        self.sim.broken, self.sim.decision = broken, decision
        self.sim.site.auto_assign = auto_assign
        self.was_off = not auto_assign
        self.disturbed = False
        self.sim.begin()
        self.goes_undisturbed(undisturbed_until)
        self.sim.next_failure, self.sim.lost_writes = then_fails, lost_writes

    def goes_undisturbed(self, until):
        """Trouble is interesting late: let a release come as far as this before it begins."""
        if until in {"failing", "rollback"}:
            self.sim.broken = {"candidate"}
        written = until in {"confirm", "verify", "failing", "rollback"}
        awaited = {"confirm": "read", "failing": "verify"}.get(until, until)
        while self.sim.running and until != "preflight":
            if self.sim.operation == awaited and (until == "promote" or bool(self.sim.writes) == written):
                return
            self.sim.step()

    # -- the release goes on

    @precondition(lambda self: self.sim.running)
    @rule(steps=st.integers(1, 12))
    def goes_on(self, steps):
        for _ in range(steps):
            if self.sim.running:
                self.sim.step()

    @precondition(lambda self: self.sim.running)
    @rule(kind=FAILURES)
    def next_call_fails(self, kind):
        self.sim.next_failure = kind

    @precondition(lambda self: self.sim.running and self.sim.runs < RUNS)
    @rule()
    def is_killed_and_reconciled(self):
        self.sim.kill()
        self.sim.resume()

    @precondition(lambda self: not self.sim.running and self.sim.runs < RUNS)
    @rule()
    def is_reconciled_again(self):
        before = self.sim.store.release()
        writes = len(self.sim.writes)
        self.sim.resume()
        if before.end not in OPEN_ENDS:
            assert not self.sim.running
            assert (self.sim.store.release(), len(self.sim.writes)) == (before, writes)

    # -- the world goes on

    @rule()
    def job_goes_on(self):
        self.sim.job_step()

    @rule(end=st.sampled_from([JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.SKIPPED, None]))
    def jobs_end_as(self, end):
        self.sim.job_end = end

    @rule(lag=st.booleans())
    def edge_lags(self, lag):
        self.sim.edge_lag = lag

    @precondition(lambda self: self.may_disturb())
    @rule(name=NAMES, type_=st.sampled_from(list(JobType)))
    def somebody_else_changes_production(self, name, type_):
        self.disturbed |= somebody(self.sim, type_, name)

    @precondition(lambda self: self.may_disturb())
    @rule(name=NAMES)
    def somebody_assigns_a_domain_by_hand(self, name):
        self.sim.site.aliases["b.example"].point_at(name, self.sim.now)
        self.disturbed = True

    @rule(name=NAMES)
    def something_breaks_or_is_mended(self, name):
        self.sim.broken ^= {name}

    def may_disturb(self) -> bool:
        """Not in the instant between our last look and our write: the API offers no way to close that gap."""
        return self.sim.operation not in {"promote", "rollback", "update_project"} or not self.sim.running

    # -- what always holds

    @invariant()
    def nothing_untested_is_promoted(self):
        for write in self.writes("promote"):
            assert write.tested
            assert write.to == "candidate"

    @invariant()
    def a_promotion_follows_a_look_that_showed_no_change(self):
        for write in self.writes("promote"):
            seen = write.last_read
            assert seen is not None
            assert who_serves(seen).ids == {self.found()}
            assert requested_at(seen) == write.noted["job_before"]

    @invariant()
    def a_promotion_is_asked_for_once(self):
        assert len(self.writes("promote")) <= 1

    @invariant()
    def a_rollback_follows_a_look_that_showed_our_own(self):
        for write in self.writes("rollback"):
            seen = write.last_read
            assert seen is not None
            assert who_serves(seen).ids == {"candidate"}
            assert write.to == self.found()
            assert requested_at(seen) == write.noted["job_after"]

    @invariant()
    def a_rollback_is_repeated_once_at_most_and_never_after_an_applied_one(self):
        rollbacks = self.writes("rollback")
        assert len(rollbacks) <= 2
        assert not any(write.applied for write in rollbacks[:-1])

    @invariant()
    def time_is_bounded(self):
        assert self.sim.now - self.sim.began < LONGEST_S

    @invariant()
    def an_end_is_explained_and_true(self):
        sim = self.sim
        if sim.running or sim.task is None:
            return
        sim.task.result()  # raises what the release has raised
        made = sim.store.release()
        last = made.events[-1]
        assert made.end
        assert last.phase == END
        assert last.message
        promoted = [write for write in sim.writes if write.operation == "promote"]
        if made.end is ReleaseEnd.NO_GO:
            assert not promoted
        if made.end in {ReleaseEnd.PROMOTED, ReleaseEnd.ROLLED_BACK}:
            expected = "candidate" if made.end is ReleaseEnd.PROMOTED else self.found()
            assert made.serving == expected
        if made.end is ReleaseEnd.PROMOTED and promoted and self.was_off and not self.disturbed:
            told = "settings" in last.message  # that they could not be put back
            assert told or not sim.site.auto_assign
        if made.end is ReleaseEnd.ROLLED_BACK:
            # Announced, that is: somebody else may have made the very same move before we were back to make it.
            assert any(event.facts.get("intent") == "rollback" for event in made.events)

    def found(self):
        """What served when the release first looked: somebody may have been there before it."""
        return who_serves(self.sim.first_read).one

    def writes(self, operation):
        return [write for write in self.sim.writes if write.operation == operation]

    def teardown(self):
        """Left alone, every release ends; killed and reconciled as well."""
        if not hasattr(self, "sim"):
            return
        sim = self.sim
        sim.next_failure, steps = None, 0
        while sim.running and steps < 3000:
            sim.step()
            steps += 1
        assert not sim.running, "the release does not end"
        event(f"end: {sim.store.release().end}")
        event(f"writes: {', '.join(write.operation for write in sim.writes) or 'none'}")
        for check in (
            self.nothing_untested_is_promoted,
            self.a_promotion_follows_a_look_that_showed_no_change,
            self.a_promotion_is_asked_for_once,
            self.a_rollback_follows_a_look_that_showed_our_own,
            self.a_rollback_is_repeated_once_at_most_and_never_after_an_applied_one,
            self.time_is_bounded,
            self.an_end_is_explained_and_true,
        ):
            check()
        sim.close()


Interleavings.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestInterleavings = Interleavings.TestCase


def test_left_alone_the_simulated_release_is_promoted_and_a_broken_one_rolled_back():
    for broken, end, writes in (
        (set(), ReleaseEnd.PROMOTED, ["promote"]),
        ({"candidate"}, ReleaseEnd.ROLLED_BACK, ["promote", "rollback"]),
    ):
        sim = simulation()
        sim.broken = broken
        sim.begin()
        while sim.running:
            sim.step()
        made = sim.store.release()
        assert made and made.end is end, made
        assert [write.operation for write in sim.writes] == writes
        assert sim.now < CONFIG.deploy.confirm_timeout.total_seconds()
        sim.close()


def test_a_rollback_goes_to_what_served_when_the_release_began_not_to_what_served_before_it():
    sim = simulation()
    sim.broken = {"candidate"}
    sim.begin()
    assert somebody(sim, JobType.PROMOTE, "other")  # before the first look
    while sim.running:
        sim.step()
    assert sim.store.release().end is ReleaseEnd.ROLLED_BACK
    assert sim.serving == {"other"}
    sim.close()
