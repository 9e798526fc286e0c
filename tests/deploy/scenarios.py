"""What may happen to a release, each situation declared once: the tests, `make scenarios` and docs/scenarios.md.

`python -m tests.deploy.scenarios` runs them all and prints what really came out.
"""

from __future__ import annotations

import asyncio
import sys

from ci.model import Decision, ReleaseEnd, Subject
from ci.rehearsal.alias_requests import JobStatus
from ci.rehearsal.deployments import ReadyState
from ci.rehearsal.faults import Fault
from ci.rehearsal.jobs import JobPlan
from tests.deploy.happenings import (
    api_falls_silent,
    auto_assign_off,
    auto_assign_on,
    before_reading,
    broken,
    broken_in_production,
    candidate_fails_to_build,
    candidate_is,
    candidate_is_older,
    candidate_never_built,
    candidate_promoted,
    candidate_state,
    complete_rolling,
    dead,
    delete,
    does,
    entering,
    fact,
    git,
    mended,
    no_connection,
    pin,
    propagation,
    rolling_begins_before_the_write,
    somebody_begins_to_promote,
    somebody_promotes,
    somebody_rolls_back,
    split,
    start_rolling,
    wait,
)
from tests.deploy.play import Scenario, matches, play
from tests.deploy.world import COMMITS, aged

End = ReleaseEnd
PROMOTE = ("promote",)
BACK = ("promote", "rollback")
SERVER_ERROR = {"status": 500}
FOREVER = {"times": None}

SCENARIOS: tuple[tuple[str, tuple[Scenario, ...]], ...] = (
    (
        "Nothing disturbs",
        (
            Scenario(
                name="healthy",
                situation="A healthy candidate",
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
                auto_assign=True,
            ),
            Scenario(
                name="verdict-given-before",
                situation="`gonogo promote` with a fresh verdict",
                command="promote",
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="first-release",
                situation="Production has never been served",
                empty=True,
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="personal-account",
                situation="The project belongs to a person, not to a team",
                options={"personal": True},
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="one-domain",
                situation="One production domain",
                options={"domains": 1, "redirecting": None},
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="already-serving",
                situation="The candidate serves production already",
                before=(candidate_promoted,),
                end=End.PROMOTED,
                serves="candidate",
            ),
            Scenario(
                name="already-serving-broken",
                situation="The candidate serves production already, and is broken",
                before=(candidate_promoted, does(broken, "candidate")),
                end=End.HOLD,
                serves="candidate",
            ),
            Scenario(
                name="already-serving-another-commit",
                situation="The deployment that is named serves already, but is of another commit than the one wanted",
                before=(candidate_promoted,),
                context={"commit": "e" * 40},
                end=End.HOLD,
                serves="candidate",
            ),
            Scenario(
                name="auto-assign-off",
                situation="The owner keeps automatic assignment off: a promotion turns it on, the release off again",
                before=(auto_assign_off,),
                end=End.PROMOTED,
                writes=("promote", "update_project"),
                serves="candidate",
                auto_assign=False,
            ),
            Scenario(
                name="auto-assign-not-restored",
                situation="Automatic assignment cannot be turned off again: it is told, and undoes nothing",
                before=(auto_assign_off,),
                faults=(Fault(operation="update_project", status=403),),
                end=End.PROMOTED,
                writes=("promote", "update_project"),
                serves="candidate",
                auto_assign=True,
            ),
        ),
    ),
    (
        "PREFLIGHT: production is not free",
        (
            Scenario(
                name="pinned",
                situation="Production was rolled back and is pinned",
                before=(pin,),
                end=End.HOLD,
            ),
            Scenario(
                name="pinned-overridden",
                situation="Production is pinned, and `--override-pin` is given",
                before=(pin,),
                context={"override_pin": True},
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
                auto_assign=True,
            ),
            Scenario(
                name="pin-lifted",
                situation="Production was rolled back, and the owner has turned automatic assignment on again",
                before=(pin, auto_assign_on),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="pending-job",
                situation="Somebody else's promotion is under way",
                before=(does(somebody_begins_to_promote, "other"),),
                end=End.HOLD,
            ),
            Scenario(
                name="split",
                situation="The production domains are split between two deployments",
                before=(split,),
                end=End.HOLD,
                serves="baseline and other",
            ),
            Scenario(
                name="rolling-release",
                situation="A rolling release is active",
                before=(start_rolling,),
                end=End.HOLD,
            ),
            Scenario(
                name="token-refused",
                situation="The token may not read the project",
                faults=(Fault(operation="get_project", status=403, **FOREVER),),
                end=End.HOLD,
            ),
            Scenario(
                name="api-down",
                situation="Vercel's API answers 503 throughout",
                faults=(Fault(operation="*", status=503, **FOREVER),),
                end=End.HOLD,
            ),
            Scenario(
                name="api-hiccup",
                situation="Vercel's API answers 500 once, cuts one answer short, and says 429 once",
                faults=(
                    Fault(operation="get_project", **SERVER_ERROR),
                    Fault(operation="get_deployment", malformed=True),
                    Fault(operation="get_rolling_release", status=429, retry_after="0"),
                ),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="no-rolling-releases-in-plan",
                situation="The plan knows no rolling releases (403 on that question alone)",
                faults=(Fault(operation="get_rolling_release", status=403, **FOREVER),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
        ),
    ),
    (
        "STAGE: the candidate is not what it must be",
        (
            Scenario(
                name="unknown-deployment",
                situation="There is no such deployment",
                target="dpl_nowhere",
                end=End.HOLD,
            ),
            Scenario(
                name="preview",
                situation="The candidate is a preview",
                before=(does(candidate_is, {"target": None}),),
                end=End.HOLD,
            ),
            Scenario(
                name="other-commit",
                situation="The candidate was built from another commit than the one wanted",
                context={"commit": "e" * 40},
                end=End.HOLD,
            ),
            Scenario(
                name="build-failed",
                situation="The build ends in ERROR",
                before=(candidate_fails_to_build,),
                end=End.NO_GO,
            ),
            Scenario(
                name="build-blocked",
                situation="The build ends in BLOCKED",
                before=(does(candidate_state, ReadyState.BLOCKED),),
                end=End.HOLD,
            ),
            Scenario(
                name="build-canceled",
                situation="The build was cancelled",
                before=(does(candidate_state, ReadyState.CANCELED),),
                end=End.HOLD,
            ),
            Scenario(
                name="build-hangs",
                situation="The build does not end in time",
                before=(candidate_never_built,),
                end=End.HOLD,
            ),
            Scenario(
                name="served-before",
                situation="The candidate has served production before and was taken back",
                before=(
                    candidate_promoted,
                    does(somebody_rolls_back, "baseline"),
                    auto_assign_on,
                ),
                end=End.HOLD,
            ),
            Scenario(
                name="older",
                situation="The candidate was deployed before what serves",
                before=(candidate_is_older,),
                end=End.SUPERSEDED,
            ),
            Scenario(
                name="older-by-git",
                situation="Deployed later, but its commit is an ancestor of production's",
                context=git({("candidate", "baseline"): True, ("baseline", "candidate"): False}),
                end=End.SUPERSEDED,
            ),
            Scenario(
                name="newer-by-git",
                situation="Deployed earlier, but its commit descends from production's",
                before=(candidate_is_older,),
                context=git({("baseline", "candidate"): True, ("candidate", "baseline"): False}),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
        ),
    ),
    (
        "TEST: the verdict",
        (
            Scenario(name="no-go", situation="The verdict is NO-GO", decision=Decision.NO_GO, end=End.NO_GO),
            Scenario(name="hold", situation="The verdict is HOLD", decision=Decision.HOLD, end=End.HOLD),
            Scenario(
                name="login-wall", situation="The candidate stands behind a login wall", decision=None, end=End.HOLD
            ),
            Scenario(
                name="stale-verdict",
                situation="GO, but on evidence older than `gate.max_age`",
                command="promote",
                verdict={"evidence_from": aged(hours=2)},
                end=End.HOLD,
            ),
            Scenario(
                name="partial-verdict",
                situation="GO, but over a part of the stages",
                command="promote",
                verdict={"partial": True},
                end=End.HOLD,
            ),
            Scenario(
                name="verdict-about-another-deployment",
                situation="GO, but about another deployment",
                command="promote",
                verdict={"subject": Subject(url="https://x", commit=COMMITS["candidate"], deployment_id="dpl_x")},
                end=End.HOLD,
            ),
            Scenario(
                name="verdict-without-deployment",
                situation="GO about a URL, without a deployment's id",
                command="promote",
                verdict={"subject": Subject(url="https://x", commit=COMMITS["candidate"])},
                end=End.HOLD,
            ),
        ),
    ),
    (
        "RE-CHECK: the world has changed during the tests",
        (
            Scenario(
                name="promoted-during-test",
                situation="Somebody else promotes another deployment",
                during_test=does(somebody_promotes, "other"),
                end=End.SUPERSEDED,
                serves="other",
            ),
            Scenario(
                name="candidate-promoted-during-test",
                situation="Somebody else promotes the candidate itself",
                during_test=does(somebody_promotes, "candidate"),
                end=End.SUPERSEDED,
                serves="candidate",
            ),
            Scenario(
                name="promotion-begins-during-test",
                situation="Somebody else's promotion has begun",
                during_test=does(somebody_begins_to_promote, "other"),
                end=End.SUPERSEDED,
            ),
            Scenario(
                name="pinned-during-test",
                situation="Somebody else rolls back",
                before=(does(somebody_promotes, "other"),),
                during_test=does(somebody_rolls_back, "baseline"),
                end=End.SUPERSEDED,
            ),
            Scenario(
                name="split-during-test",
                situation="Somebody assigns one domain by hand",
                during_test=split,
                end=End.SUPERSEDED,
                serves="baseline and other",
            ),
            Scenario(
                name="rolling-begins-during-test",
                situation="A rolling release begins",
                during_test=start_rolling,
                end=End.HOLD,
            ),
            Scenario(
                name="candidate-deleted-during-test",
                situation="The candidate is deleted",
                during_test=does(delete, "candidate"),
                end=End.HOLD,
            ),
        ),
    ),
    (
        "PROMOTE: the answer to the one write",
        (
            *(
                Scenario(
                    name=f"promote-{status}",
                    situation=f"Refused with {status}",
                    faults=(Fault(operation="promote", status=status),),
                    end=End.HOLD,
                    writes=PROMOTE,
                )
                for status in (400, 401, 402, 403, 410, 422)
            ),
            Scenario(
                name="promote-409",
                situation="Refused with 409, although it does not serve",
                faults=(Fault(operation="promote", status=409),),
                end=End.HOLD,
                writes=PROMOTE,
            ),
            Scenario(
                name="promote-409-already",
                situation="409, because somebody has promoted the same candidate a moment before",
                faults=(Fault(operation="promote", other_writer="candidate"),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="promote-not-sent",
                situation="No connection to Vercel comes about: nothing was asked for",
                before=(does(no_connection, "promote"),),
                end=End.HOLD,
            ),
            Scenario(
                name="promote-202",
                situation="202: it waits behind a rolling release",
                faults=(Fault(operation="promote", status=202),),
                end=End.QUEUED,
                writes=PROMOTE,
            ),
            Scenario(
                name="promote-429-once",
                situation="429 with `Retry-After`, then accepted",
                faults=(Fault(operation="promote", status=429, retry_after="0"),),
                end=End.PROMOTED,
                writes=("promote", "promote"),
                serves="candidate",
            ),
            Scenario(
                name="promote-429-forever",
                situation="429 throughout",
                faults=(Fault(operation="promote", status=429, retry_after="0", **FOREVER),),
                end=End.HOLD,
                writes=("promote",) * 3,
            ),
            Scenario(
                name="promote-429-tomorrow",
                situation="429 with a `Retry-After` of a day: not waited for",
                faults=(Fault(operation="promote", status=429, retry_after="86400"),),
                end=End.HOLD,
                writes=PROMOTE,
            ),
            Scenario(
                name="promote-500-applied",
                situation="500, but the promotion was applied",
                faults=(Fault(operation="promote", applied=True, **SERVER_ERROR),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="promote-500",
                situation="500, and the promotion was not applied: not sent again",
                faults=(Fault(operation="promote", **SERVER_ERROR),),
                end=End.UNKNOWN,
                writes=PROMOTE,
            ),
            Scenario(
                name="promote-lost-applied",
                situation="The answer is lost, the promotion was applied",
                faults=(Fault(operation="promote", lost=True, applied=True),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="promote-lost",
                situation="The answer is lost, the promotion was not applied: not sent again",
                faults=(Fault(operation="promote", lost=True),),
                end=End.UNKNOWN,
                writes=PROMOTE,
            ),
            Scenario(
                name="promote-slow",
                situation="The answer comes later than anyone waits, the promotion was applied",
                faults=(Fault(operation="promote", delay=1.5),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="promote-lost-other",
                situation="The answer is lost, and somebody else has promoted another deployment since",
                faults=(Fault(operation="promote", lost=True, applied=True, other_writer="other", when="after"),),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
        ),
    ),
    (
        "CONFIRM: the job and the domains",
        (
            Scenario(
                name="job-late",
                situation="The job shows only after a while",
                jobs=(JobPlan(visible_after=0.15),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="job-failed",
                situation="The job fails, nothing has moved",
                jobs=(JobPlan(status=JobStatus.FAILED),),
                end=End.HOLD,
                writes=PROMOTE,
            ),
            Scenario(
                name="job-failed-half-way",
                situation="The job fails when one domain of two has moved",
                jobs=(JobPlan(status=JobStatus.FAILED, moved=1),),
                end=End.UNKNOWN,
                writes=PROMOTE,
                serves="baseline and candidate",
            ),
            Scenario(
                name="job-skipped",
                situation="The job is skipped",
                jobs=(JobPlan(status=JobStatus.SKIPPED),),
                end=End.HOLD,
                writes=PROMOTE,
            ),
            Scenario(
                name="job-pending",
                situation="The job stays pending",
                jobs=(JobPlan(status=JobStatus.PENDING),),
                end=End.UNKNOWN,
                writes=PROMOTE,
            ),
            Scenario(
                name="job-stuck",
                situation="The job sticks when one domain of two has moved",
                jobs=(JobPlan(status=JobStatus.IN_PROGRESS, moved=1),),
                end=End.UNKNOWN,
                writes=PROMOTE,
                serves="baseline and candidate",
            ),
            Scenario(
                name="job-moved-but-not-ended",
                situation="Every domain has moved, but the job does not end",
                jobs=(JobPlan(status=JobStatus.IN_PROGRESS, moved=2),),
                end=End.UNKNOWN,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="job-overtaken",
                situation="Somebody else promotes another deployment while our job is half-way",
                jobs=(JobPlan(moved=1, other_writer="other"),),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="job-overtaken-at-once",
                situation="Somebody else promotes another deployment right after our request",
                faults=(Fault(operation="promote", other_writer="other", when="after"),),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="confirm-unreadable-for-a-while",
                situation="The project cannot be read for a while",
                faults=(Fault(operation="get_project", skip=2, times=4, **SERVER_ERROR),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="confirm-unreadable",
                situation="The project cannot be read any more",
                faults=(Fault(operation="get_project", skip=2, times=None, **SERVER_ERROR),),
                end=End.UNKNOWN,
                writes=PROMOTE,
                serves="candidate",
            ),
        ),
    ),
    (
        "VERIFY: production after the promotion",
        (
            Scenario(
                name="broken",
                situation="The candidate does not work in production",
                before=(does(broken_in_production, "candidate"),),
                end=End.ROLLED_BACK,
                writes=BACK,
                auto_assign=False,
            ),
            Scenario(
                name="dead",
                situation="The candidate answers 500 to everything, its identity included",
                before=(does(dead, "candidate"),),
                end=End.ROLLED_BACK,
                writes=BACK,
            ),
            Scenario(
                name="broken-auto-assign-off",
                situation="The candidate does not work, and the owner keeps automatic assignment off",
                before=(auto_assign_off, does(broken, "candidate")),
                end=End.ROLLED_BACK,
                writes=BACK,
                auto_assign=False,
            ),
            Scenario(
                name="fails-before-too",
                situation="Production fails, and so does the previous deployment at its own URL",
                before=(does(broken, "candidate"), does(broken, "baseline")),
                end=End.HOLD,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="fails-before-too-auto-assign-off",
                situation="The same, and the owner keeps automatic assignment off",
                before=(auto_assign_off, does(broken, "candidate"), does(broken, "baseline")),
                end=End.HOLD,
                writes=("promote", "update_project"),
                serves="candidate",
                auto_assign=False,
            ),
            Scenario(
                name="first-release-broken",
                situation="The first release ever is broken: nothing to go back to",
                empty=True,
                before=(does(broken, "candidate"),),
                end=End.ROLLBACK_FAILED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="flaky",
                situation="Production fails once, then passes as often in a row as wanted",
                before=(does(broken, "candidate"),),
                during_verify=does(mended, "candidate"),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="propagation",
                situation="The edge shows the old deployment for a while",
                before=(does(propagation, 0.12),),
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="propagation-too-long",
                situation="The edge shows the old deployment for longer than anyone waits: no fault of the candidate",
                before=(does(propagation, 60.0),),
                end=End.UNKNOWN,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="overtaken-during-verify",
                situation="Somebody else promotes another deployment during the verification",
                during_verify=does(somebody_promotes, "other"),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="broken-and-overtaken",
                situation="The candidate is broken, and somebody else has mended production meanwhile",
                before=(does(broken, "candidate"),),
                during_verify=does(somebody_promotes, "other"),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="broken-and-rolled-back-by-hand",
                situation="The candidate is broken, and somebody else has rolled back already",
                before=(does(broken, "candidate"),),
                during_verify=does(somebody_rolls_back, "baseline"),
                end=End.SUPERSEDED,
                writes=PROMOTE,
            ),
            Scenario(
                name="verify-unreadable",
                situation="The candidate is broken, and who serves cannot be read: nothing is rolled back blindly",
                before=(does(broken, "candidate"),),
                during_verify=api_falls_silent,
                end=End.UNKNOWN,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="finish-unreadable",
                situation="Production is verified, then the API falls silent",
                during_verify=api_falls_silent,
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="finish-taken-over",
                situation="Production is verified, then somebody else promotes another deployment",
                during_verify=does(before_reading, 1, does(somebody_promotes, "other")),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="finish-split",
                situation="Production is verified, then somebody assigns one domain by hand",
                during_verify=does(before_reading, 1, split),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="candidate and other",
            ),
        ),
    ),
    (
        "ROLLBACK: the way back",
        (
            Scenario(
                name="previous-deleted",
                situation="The previous deployment was deleted meanwhile",
                before=(does(broken, "candidate"),),
                during_verify=does(delete, "baseline"),
                end=End.ROLLBACK_FAILED,
                writes=PROMOTE,
                serves="candidate",
            ),
            *(
                Scenario(
                    name=f"rollback-{status}",
                    situation=f"Refused with {status}",
                    before=(does(broken, "candidate"),),
                    faults=(Fault(operation="rollback", status=status),),
                    end=End.ROLLBACK_FAILED,
                    writes=BACK,
                    serves="candidate",
                )
                for status in (402, 403, 409, 410, 422)
            ),
            *(
                Scenario(
                    name=f"rollback-{status}-applied",
                    situation=f"Refused with {status}, but production is back all the same",
                    before=(does(broken, "candidate"),),
                    faults=(Fault(operation="rollback", status=status, applied=True),),
                    end=End.ROLLED_BACK,
                    writes=BACK,
                )
                for status in (409, 422)
            ),
            Scenario(
                name="rollback-not-sent",
                situation="No connection to Vercel comes about",
                before=(does(broken, "candidate"), does(no_connection, "rollback")),
                end=End.ROLLBACK_FAILED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="rollback-too-late",
                situation="Somebody else mends production just before the request: theirs is not touched",
                before=(does(broken, "candidate"),),
                during_verify=does(before_reading, 2, does(somebody_promotes, "other")),
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="rollback-429-once",
                situation="429 once, then accepted",
                before=(does(broken, "candidate"),),
                faults=(Fault(operation="rollback", status=429, retry_after="0"),),
                end=End.ROLLED_BACK,
                writes=(*BACK, "rollback"),
            ),
            Scenario(
                name="rollback-500-applied",
                situation="500, but the rollback was applied",
                before=(does(broken, "candidate"),),
                faults=(Fault(operation="rollback", applied=True, **SERVER_ERROR),),
                end=End.ROLLED_BACK,
                writes=BACK,
            ),
            Scenario(
                name="rollback-lost",
                situation="The request left no trace: production is broken, so it is sent once more",
                before=(does(broken, "candidate"),),
                faults=(Fault(operation="rollback", lost=True),),
                end=End.ROLLED_BACK,
                writes=(*BACK, "rollback"),
            ),
            Scenario(
                name="rollback-lost-twice",
                situation="Neither request left a trace: no third one",
                before=(does(broken, "candidate"),),
                faults=(Fault(operation="rollback", lost=True, times=2),),
                end=End.ROLLBACK_FAILED,
                writes=(*BACK, "rollback"),
                serves="candidate",
            ),
            Scenario(
                name="rollback-job-failed",
                situation="The job of the rollback fails",
                before=(does(broken, "candidate"),),
                jobs=(JobPlan(), JobPlan(status=JobStatus.FAILED)),
                end=End.ROLLBACK_FAILED,
                writes=BACK,
                serves="candidate",
            ),
            Scenario(
                name="rollback-job-stuck",
                situation="The job of the rollback sticks half-way",
                before=(does(broken, "candidate"),),
                jobs=(JobPlan(), JobPlan(status=JobStatus.IN_PROGRESS, moved=1)),
                end=End.ROLLBACK_FAILED,
                writes=BACK,
                serves="baseline and candidate",
            ),
            Scenario(
                name="rollback-no-trace",
                situation="Accepted, but neither a job nor a domain shows it: not asked for again",
                before=(does(broken, "candidate"),),
                jobs=(JobPlan(), JobPlan(status=JobStatus.PENDING, visible_after=60)),
                end=End.ROLLBACK_FAILED,
                writes=BACK,
                serves="candidate",
            ),
            Scenario(
                name="rollback-overtaken",
                situation="Somebody else promotes another deployment while the rollback runs",
                before=(does(broken, "candidate"),),
                jobs=(JobPlan(), JobPlan(moved=1, other_writer="other")),
                end=End.SUPERSEDED,
                writes=BACK,
                serves="other",
            ),
            Scenario(
                name="wrong-after-rollback",
                situation="Production is wrong after the rollback as well",
                before=(does(broken, "candidate"), does(broken_in_production, "baseline")),
                end=End.ROLLBACK_FAILED,
                writes=BACK,
            ),
            Scenario(
                name="hobby",
                situation="On Hobby, back to the previous deployment",
                options={"plan": "hobby"},
                before=(does(broken, "candidate"),),
                end=End.ROLLED_BACK,
                writes=BACK,
            ),
        ),
    ),
    (
        "`gonogo rollback`, by hand",
        (
            Scenario(
                name="by-hand",
                situation="Back to the deployment before",
                command="rollback",
                target=None,
                before=(candidate_promoted,),
                end=End.ROLLED_BACK,
                writes=("rollback",),
                auto_assign=False,
            ),
            Scenario(
                name="by-hand-named",
                situation="Back to a deployment that is named",
                command="rollback",
                target="baseline",
                before=(does(somebody_promotes, "other"), candidate_promoted),
                end=End.ROLLED_BACK,
                writes=("rollback",),
            ),
            Scenario(
                name="by-hand-hobby",
                situation="On Hobby, back further than to the previous deployment",
                command="rollback",
                target="baseline",
                options={"plan": "hobby"},
                before=(does(somebody_promotes, "other"), candidate_promoted),
                end=End.ROLLBACK_FAILED,
                writes=("rollback",),
                serves="candidate",
            ),
            Scenario(
                name="by-hand-already",
                situation="To the deployment that serves already",
                command="rollback",
                target="baseline",
                end=End.ROLLED_BACK,
            ),
            Scenario(
                name="by-hand-again",
                situation="Rolled back by somebody already: not to what was taken back, but to the one before",
                command="rollback",
                target=None,
                before=(
                    does(somebody_promotes, "other"),
                    candidate_promoted,
                    does(somebody_rolls_back, "other"),
                ),
                end=End.ROLLED_BACK,
                writes=("rollback",),
            ),
            Scenario(
                name="by-hand-pending-job",
                situation="Somebody else's promotion is under way",
                command="rollback",
                target=None,
                before=(candidate_promoted, does(somebody_begins_to_promote, "other")),
                end=End.HOLD,
                serves="candidate",
            ),
            Scenario(
                name="by-hand-rolling",
                situation="A rolling release is active",
                command="rollback",
                target=None,
                before=(candidate_promoted, start_rolling),
                end=End.HOLD,
                serves="candidate",
            ),
            Scenario(
                name="by-hand-empty",
                situation="Production has never been served",
                command="rollback",
                target=None,
                empty=True,
                end=End.HOLD,
                serves="nothing",
            ),
            Scenario(
                name="by-hand-nothing",
                situation="Nothing has served before",
                command="rollback",
                target=None,
                end=End.HOLD,
            ),
            Scenario(
                name="by-hand-to-preview",
                situation="To a preview",
                command="rollback",
                target="candidate",
                before=(does(candidate_is, {"target": None}),),
                end=End.HOLD,
            ),
            Scenario(
                name="by-hand-never-served",
                situation="To a deployment that has never served production",
                command="rollback",
                target="candidate",
                end=End.HOLD,
            ),
            Scenario(
                name="by-hand-wrong",
                situation="The deployment before does not work either",
                command="rollback",
                target=None,
                before=(candidate_promoted, does(broken, "baseline")),
                end=End.ROLLBACK_FAILED,
                writes=("rollback",),
            ),
        ),
    ),
    (
        "Killed, then `gonogo reconcile`",
        (
            *(
                Scenario(
                    name=f"killed-entering-{phase.lower()}",
                    situation=f"Killed as {phase} begins: production was not touched",
                    kill_after=entering(phase),
                    reconcile=True,
                    end=End.HOLD,
                )
                for phase in ("PREFLIGHT", "STAGE", "TEST", "RE-CHECK", "PROMOTE")
            ),
            Scenario(
                name="killed-before-the-write",
                situation="Killed between the intent and the promotion: it left no trace",
                kill_after=fact("intent", "promote"),
                reconcile=True,
                end=End.HOLD,
            ),
            Scenario(
                name="killed-after-the-write",
                situation="Killed between the promotion and its answer",
                kill_before=fact("answer", "accepted"),
                reconcile=True,
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            *(
                Scenario(
                    name=f"killed-entering-{phase.lower()}",
                    situation=f"Killed as {phase} begins",
                    kill_after=entering(phase),
                    reconcile=True,
                    end=End.PROMOTED,
                    writes=PROMOTE,
                    serves="candidate",
                )
                for phase in ("CONFIRM", "VERIFY", "FINISH")
            ),
            Scenario(
                name="killed-before-the-end",
                situation="Killed when all was done but the last line of the journal",
                before=(auto_assign_off,),
                kill_before=lambda event: event.phase == "END",
                reconcile=True,
                end=End.PROMOTED,
                writes=("promote", "update_project"),
                serves="candidate",
                auto_assign=False,
            ),
            *(
                Scenario(
                    name=f"killed-entering-{name}",
                    situation=f"The candidate is broken; killed as {words} begins",
                    before=(does(broken, "candidate"),),
                    kill_after=entering(*point),
                    reconcile=True,
                    end=End.ROLLED_BACK,
                    writes=BACK,
                )
                for name, words, point in (
                    ("rollback", "ROLLBACK", ("ROLLBACK",)),
                    ("confirm-of-rollback", "CONFIRM of the rollback", ("CONFIRM", 2)),
                    ("verify-of-rollback", "VERIFY of the rollback", ("VERIFY", 2)),
                    ("finish-of-rollback", "FINISH of the rollback", ("FINISH",)),
                )
            ),
            Scenario(
                name="killed-before-the-rollback",
                situation="Killed between the intent and the rollback: it left no trace, so it is asked for",
                before=(does(broken, "candidate"),),
                kill_after=fact("intent", "rollback"),
                reconcile=True,
                end=End.ROLLED_BACK,
                writes=BACK,
            ),
            Scenario(
                name="killed-after-the-rollback",
                situation="Killed between the rollback and its answer",
                before=(does(broken, "candidate"),),
                kill_before=fact("answer", "accepted", 2),
                reconcile=True,
                end=End.ROLLED_BACK,
                writes=BACK,
            ),
            Scenario(
                name="killed-and-overtaken",
                situation="Killed in CONFIRM; somebody else has promoted another deployment since",
                kill_after=entering("CONFIRM"),
                between=(does(wait, 0.05), does(somebody_promotes, "other")),
                reconcile=True,
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="killed-broken-and-overtaken",
                situation="Killed as ROLLBACK begins; somebody else has promoted another deployment since",
                before=(does(broken, "candidate"),),
                kill_after=entering("ROLLBACK"),
                between=(does(somebody_promotes, "other"),),
                reconcile=True,
                end=End.SUPERSEDED,
                writes=PROMOTE,
                serves="other",
            ),
            Scenario(
                name="queued-then-complete",
                situation="QUEUED, then the rolling release is completed",
                before=(rolling_begins_before_the_write,),
                between=(complete_rolling,),
                reconcile=True,
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
            Scenario(
                name="queued-still",
                situation="QUEUED, and the rolling release still runs",
                before=(rolling_begins_before_the_write,),
                reconcile=True,
                end=End.QUEUED,
                writes=PROMOTE,
            ),
            Scenario(
                name="unknown-then-clear",
                situation="UNKNOWN after a lost request, and still no trace of it",
                faults=(Fault(operation="promote", lost=True),),
                reconcile=True,
                end=End.HOLD,
                writes=PROMOTE,
            ),
            Scenario(
                name="reconcile-after-the-end",
                situation="The release has ended: nothing is done",
                reconcile=True,
                end=End.PROMOTED,
                writes=PROMOTE,
                serves="candidate",
            ),
        ),
    ),
)


def every() -> tuple[Scenario, ...]:
    """All scenarios in the order of the page."""
    return tuple(scenario for _, group in SCENARIOS for scenario in group)


PREFACE = """# What may happen to a release

Each line is a test: the situation is brought about against the local stand-in for Vercel, and the end, the exit code,
the writes that reached the API, and what the production domains point at afterwards are compared with this table.
`make scenarios` runs them and prints what really came out; [ARCHITECTURE.md](../ARCHITECTURE.md) draws the phases.

`baseline` served production before, `candidate` is what the release is about, `other` is a colleague's deployment.
"""


def page() -> str:
    """`docs/scenarios.md`."""
    parts = [PREFACE]
    for title, group in SCENARIOS:
        parts.append(f"\n## {title}\n\n| situation | end | exit code | writes | serves afterwards |")
        parts.append("| --- | --- | ---: | --- | --- |")
        for scenario in group:
            writes = ", ".join(scenario.writes) or "none"
            line = (scenario.situation, f"`{scenario.end}`", str(scenario.exit_code), writes, scenario.serves)
            parts.append(f"| {' | '.join(line)} |")
    return "\n".join(parts) + "\n"


async def _play_all() -> bool:
    fine = True
    for title, group in SCENARIOS:
        print(f"\n{title}")
        for scenario in group:
            actual = await play(scenario)
            as_declared = matches(scenario, actual)
            fine = fine and as_declared
            print(
                f"  {'ok ' if as_declared else 'BAD'} {scenario.situation[:88]:<88}  {actual.end!s:<15} "
                f"exit {actual.exit_code:<2}  {len(actual.writes)} writes  {actual.serves}"
            )
    print(f"\n{len(every())} scenarios, {'all as declared' if fine else 'NOT all as declared'}")
    return fine


def main() -> int:
    """Run every scenario, print the table of what came out; 0 when all are as declared."""
    return 0 if asyncio.run(_play_all()) else 1


if __name__ == "__main__":
    sys.exit(main())
