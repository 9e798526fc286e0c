"""From an event to a route: which way each takes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.errors import CannotRun, ConfigError
from ci.workflow.events import parse_event
from ci.workflow.routes import JOBS, Route, Standing, decide
from tests.workflow.conftest import BASE, ID, SHA, pull_request, push, vercel_event

LINKED = Standing(linked=True, by_vercel=False)
BY_VERCEL = Standing(linked=True, by_vercel=True)
ALONE = Standing(linked=False, by_vercel=False)


def by_hand(action: str, **inputs: str) -> dict[str, Any]:
    blank = dict.fromkeys(("url", "deployment", "baseline", "run"), "")
    return {"inputs": {"action": action, **blank, **inputs}}


@pytest.mark.parametrize(
    ("name", "event", "standing", "route"),
    [
        ("push", push("main"), LINKED, Route.PRODUCTION),
        ("push", push("develop"), LINKED, Route.STAGING),
        ("push", push("main"), BY_VERCEL, Route.CODE),
        ("push", push("develop"), ALONE, Route.REHEARSAL),
        ("pull_request", pull_request(), LINKED, Route.PREVIEW),
        ("pull_request", pull_request(), BY_VERCEL, Route.CODE),
        ("pull_request", pull_request(), ALONE, Route.REHEARSAL),
        ("pull_request", pull_request(fork="Acme/Shop"), LINKED, Route.PREVIEW),
        ("pull_request", pull_request(fork="mallory/shop"), LINKED, Route.FORK),
        ("pull_request", pull_request(fork="mallory/shop"), ALONE, Route.FORK),
        ("pull_request", pull_request(fork=None), LINKED, Route.FORK),
        ("pull_request", pull_request(sender="dependabot[bot]"), LINKED, Route.FORK),
        ("workflow_dispatch", by_hand("gate", url="https://app.example.com"), ALONE, Route.GATE),
        ("workflow_dispatch", by_hand("promote", deployment=ID), LINKED, Route.PROMOTE),
        ("workflow_dispatch", by_hand("rollback"), LINKED, Route.ROLLBACK),
        ("workflow_dispatch", by_hand("reconcile", run="123"), LINKED, Route.RECONCILE),
        ("workflow_dispatch", by_hand("rehearse"), LINKED, Route.REHEARSAL),
        ("repository_dispatch", vercel_event("ready"), BY_VERCEL, Route.READY),
        ("repository_dispatch", vercel_event("promoted"), BY_VERCEL, Route.VERIFY),
    ],
)
def test_every_event_has_one_way(name: str, event: dict[str, Any], standing: Standing, route: Route) -> None:
    plan = decide(parse_event(name, event), standing)
    assert plan.route is route
    assert plan.why
    assert plan.jobs == JOBS[route]


def test_what_is_handed_on() -> None:
    plan = decide(parse_event("pull_request", pull_request()), LINKED)
    assert (plan.commit, plan.since, plan.target) == (SHA, BASE, "preview")
    plan = decide(parse_event("push", push("main")), LINKED)
    assert (plan.commit, plan.since, plan.target) == (SHA, "", "production")
    plan = decide(parse_event("repository_dispatch", vercel_event(environment="Preview")), BY_VERCEL)
    assert (plan.environment, plan.target, plan.deployment) == ("preview", "preview", ID)
    plan = decide(parse_event("repository_dispatch", vercel_event(environment="Production")), BY_VERCEL)
    assert (plan.environment, plan.target, plan.commit) == ("production", "production", SHA)
    plan = decide(parse_event("workflow_dispatch", by_hand("rollback", deployment=ID)), LINKED)
    assert plan.deployment == ID
    site, before = "https://app.example.com", "https://before.example.com"
    plan = decide(parse_event("workflow_dispatch", by_hand("gate", url=site, baseline=before)), LINKED)
    assert (plan.url, plan.baseline, plan.deployment) == (site, before, "")


def test_a_fork_says_what_was_left_out_and_never_deploys() -> None:
    plan = decide(parse_event("pull_request", pull_request(fork="mallory/shop")), LINKED)
    assert not {"stage", "gate", "tell", "staging", "production"} & set(plan.jobs)
    assert any("no preview deployment" in line and "fork" in line for line in plan.left_out)


def test_without_a_link_nothing_claims_to_deploy() -> None:
    plan = decide(parse_event("push", push("main")), ALONE)
    assert plan.why.startswith("not configured: rehearsal only")
    assert not {"stage", "staging", "production"} & set(plan.jobs)


@pytest.mark.parametrize(
    ("event", "standing", "told"),
    [
        (by_hand("gate"), LINKED, "url"),
        (by_hand("gate", url="not a url"), LINKED, "url"),
        (by_hand("gate", url="https://me" + ":hunter22@app.example.com"), LINKED, "url"),
        (by_hand("gate", url="https://app.example.com/$(reboot)"), LINKED, "url"),
        (by_hand("promote"), LINKED, "deployment"),
        (by_hand("promote", deployment="dpl_1; rm -rf /"), LINKED, "deployment"),
        (by_hand("promote", deployment=ID), ALONE, "VERCEL_TOKEN"),
        (by_hand("rollback", deployment="latest"), LINKED, "deployment"),
        (by_hand("reconcile"), LINKED, "run"),
        (by_hand("reconcile", run="12\n13"), LINKED, "run"),
        (by_hand("launch"), LINKED, "action"),
        ({"inputs": None}, LINKED, "inputs"),
    ],
)
def test_inputs_of_a_person_are_judged(event: dict[str, Any], standing: Standing, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        decide(parse_event("workflow_dispatch", event), standing)
    assert "hunter22" not in str(raised.value)
    assert "rm -rf" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "../../v9/projects"},
        {"id": None},
        {"url": "javascript:alert(1)"},
        {"url": "https://a.example.com/`id`"},
        {"git": {"sha": "main"}},
        {"git": {}},
        {"project": {"id": "x"}},
        {"environment": "production\nroute=production"},
        {"environment": ""},
    ],
)
def test_a_payload_of_another_shape_is_not_used(wrong: dict[str, Any]) -> None:
    with pytest.raises(CannotRun, match="nothing of it was used"):
        parse_event("repository_dispatch", vercel_event(**wrong))


def test_events_that_have_no_way() -> None:
    with pytest.raises(ConfigError, match="takes no way"):
        decide(parse_event("push", push("feature")), LINKED)
    with pytest.raises(ConfigError, match="takes no way"):
        decide(parse_event("push", push("main", deleted=True)), LINKED)
    with pytest.raises(ConfigError, match="no way for the event"):
        parse_event("issue_comment", {})
    with pytest.raises(ConfigError, match="nothing of it can be checked"):
        decide(parse_event("repository_dispatch", vercel_event()), ALONE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["push", "pull_request", "workflow_dispatch", "repository_dispatch"]), JSON)
def test_any_event_is_read_or_refused(name: str, event: object) -> None:
    try:
        decide(parse_event(name, event), LINKED)
    except (ConfigError, CannotRun) as refused:
        assert str(refused)
