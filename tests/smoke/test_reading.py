"""The pure parts: reading answers, OpenAPI documents, node ids and the end of a test."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config.shape.smoke import Login
from ci.engine.answers import came_from_cache, states_of
from ci.errors import CannotRun
from ci.model import CheckResult, CheckSpec, ErrorKind, Evidence, Outcome, Severity
from ci.smoke.answers import is_json, leads_to_login, may_be_cached
from ci.smoke.examination import MOST_EVIDENCE, Examination
from ci.smoke.openapi import Document
from ci.smoke.outcomes import TestRun, merged
from ci.smoke.user_tests import plain_check, user_id

SPEC = CheckSpec(id="smoke/x", title="t", severity=Severity.HIGH, why="w", remediation="r")


def answer(status: int = 200, body: bytes = b"", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, content=body, request=httpx.Request("GET", "https://a.example/x"))


@pytest.mark.parametrize(
    ("cache_control", "kept", "kept_by_shared"),
    [
        ("", False, False),
        ("no-store", False, False),
        ("max-age=0, must-revalidate", False, False),
        ("public, max-age=60", True, True),
        ("private, max-age=60", True, False),
        ("s-maxage=5", True, True),
        ("no-cache, max-age=60", False, False),
        ("immutable", True, True),
        ("max-age=soon", False, False),
    ],
)
def test_what_caches_may_keep(cache_control: str, kept: bool, kept_by_shared: bool) -> None:
    response = answer(cache_control=cache_control)
    assert bool(may_be_cached(response)) is kept
    assert bool(may_be_cached(response, shared=True)) is kept_by_shared


def test_what_came_from_a_cache() -> None:
    assert came_from_cache(answer(age="7"))
    assert came_from_cache(answer(x_vercel_cache="STALE"))
    assert not came_from_cache(answer(age="0", x_vercel_cache="MISS"))
    assert not came_from_cache(answer(age="soon"))


@pytest.mark.parametrize(
    ("location", "is_login"),
    [
        ("/login?next=/app", True),
        ("/users/sign_in", True),
        ("https://id.example.com/", True),
        ("/enter", True),
        ("/", False),
        ("https://a.example/home", False),
    ],
)
def test_where_a_redirect_leads(location: str, is_login: bool) -> None:
    login = Login(page="/enter")
    assert leads_to_login(answer(302, location=location), login) is is_login
    assert not leads_to_login(answer(200, location=location), login)


def test_json_is_what_says_so_and_is() -> None:
    assert is_json(answer(body=b"{}", content_type="application/json; charset=utf-8"))
    assert is_json(answer(body=b"{}", content_type="application/problem+json"))
    assert not is_json(answer(body=b"{}", content_type="text/html"))
    assert not is_json(answer(body=b"<h1>", content_type="application/json"))
    assert not is_json(answer(body=b"[" * 100_000, content_type="application/json"))


@pytest.mark.parametrize(
    ("services", "states"),
    [
        ({"db": "up"}, {"db": "up"}),
        ({"db": {"status": "down"}, "mail": {"ok": True}}, {"db": "down", "mail": "ok"}),
        ([{"name": "db", "healthy": False}, {"state": "fine"}], {"db": "down", "#2": "fine"}),
        ({"db": {}, "mail": None}, {"db": "unknown", "mail": "unknown"}),
        ("up", {}),
        (None, {}),
    ],
)
def test_states_of_services(services: Any, states: dict[str, str]) -> None:
    assert dict(states_of(services)) == states


def document(schema: dict[str, Any], version: str = "3.1.0", **more: Any) -> Document:
    response = {"description": "", "content": {"application/json": {"schema": schema}}}
    return Document({"openapi": version, "paths": {"/a": {"get": {"responses": {"200": response}}}}, **more})


def problem(doc: Document, body: Any) -> str | None:
    (operation,) = doc.operations()
    return doc.problem_with(body, operation, 200, "application/json")


def test_nullable_in_3_0_and_3_1() -> None:
    assert problem(document({"type": "string", "nullable": True}, "3.0.3"), None) is None
    assert problem(document({"type": "string"}, "3.0.3"), None)
    assert problem(document({"type": ["string", "null"]}), None) is None


def test_exclusive_limits_in_3_0() -> None:
    limited = document({"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 9}, "3.0.0")
    assert problem(limited, 0)
    assert problem(limited, 9) is None


def test_references_that_refer_to_themselves() -> None:
    schemas = {"Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}}
    tree = document({"$ref": "#/components/schemas/Node"}, components={"schemas": schemas})
    assert problem(tree, {"next": {"next": {}}}) is None
    assert "next.next" in (problem(tree, {"next": {"next": 3}}) or "")


def test_where_the_server_is() -> None:
    servers = [{"url": "https://a.example/{stage}/v1/", "variables": {"stage": {"default": "live"}}}]
    (operation,) = document({}, servers=servers).operations()
    assert operation.path == "/live/v1/a"


@pytest.mark.parametrize(
    "data", [None, [], {}, {"swagger": "2.0"}, {"openapi": "4.0.0"}, {"openapi": "3.1.0", "paths": 3}]
)
def test_what_is_no_document(data: Any) -> None:
    with pytest.raises(CannotRun, match=r"OpenAPI 3\.0 or 3\.1"):
        Document(data)


@given(st.text(max_size=200))
def test_every_node_has_an_id(node: str) -> None:
    spec = plain_check(node)
    assert spec.id.startswith("smoke/user-")
    assert spec.id == user_id(node)


@given(st.lists(st.text(max_size=30), unique=True, max_size=20))
def test_different_nodes_have_different_ids(nodes: list[str]) -> None:
    assert len({user_id(node) for node in nodes}) == len(nodes)


def ended(*phases: tuple[str, BaseException | None], plain: bool = False, touched: bool = True) -> CheckResult:
    exam = Examination(SPEC)
    if touched:
        exam.saw("GET / → 200")
    test = TestRun(exam, "test_x", is_plain=plain)
    for phase, error in phases:
        test.end_of(phase, error, 0.1, None)
    return test.result()


def test_the_end_of_a_test() -> None:
    fine: list[tuple[str, BaseException | None]] = [("setup", None), ("call", None), ("teardown", None)]
    assert ended(*fine).outcome is Outcome.PASS
    assert ended(*fine, touched=False).error
    assert ended(("setup", None)).error, "it never ran"
    assert ended(("call", AssertionError("wrong"))).findings[0].message == "wrong"
    assert ended(("call", AssertionError())).outcome is Outcome.FAIL
    late = ended(("call", None), ("teardown", RuntimeError("late"))).error
    assert late and late.kind is ErrorKind.BUG
    walled = ended(("call", CannotRun(ErrorKind.LOGIN_WALL, "a wall")), plain=True).error
    assert walled and walled.kind is ErrorKind.LOGIN_WALL
    assert ended(("call", ValueError("x")), plain=True).outcome is Outcome.FAIL
    assert ended(("call", ValueError("x"))).outcome is Outcome.ERROR


def test_the_worst_of_several_holds() -> None:
    good = CheckResult(spec=SPEC, outcome=Outcome.PASS, evidence=(Evidence(summary="fine"),), attempts=2)
    skipped = CheckResult(spec=SPEC, outcome=Outcome.SKIP, skip_reason="no")
    failed = ended(("call", AssertionError("wrong")))
    assert merged([good]) is good
    both = merged([good, failed, skipped])
    assert both.outcome is Outcome.FAIL
    assert both.attempts == 2
    assert merged([good, skipped]).outcome is Outcome.SKIP


def test_much_evidence_is_counted() -> None:
    exam = Examination(SPEC)
    for number in range(MOST_EVIDENCE + 5):
        exam.saw(f"answer {number}")
    assert exam.evidence[-1].summary == "… and 5 more"
    assert len(exam.evidence) == MOST_EVIDENCE + 1
