"""Every fault fails its own check and no other; a healthy application passes them all."""

from __future__ import annotations

import pytest

from ci.model import Outcome
from ci.smoke import suite
from tests.smoke.examining import Examiner, bad, told
from tests.smoke.shop import CONSEQUENCES, FAULTS, Shop

BROWSER = {spec_id for spec_id in FAULTS.values() if spec_id in {
    "smoke/page-renders", "smoke/console-errors", "smoke/failed-requests", "smoke/mixed-content", "smoke/responsive",
    "smoke/login-journey"}}  # fmt: skip
OF_API = [fault for fault, check_id in FAULTS.items() if check_id not in BROWSER]


def test_a_healthy_application_passes(shop: Shop, examine: Examiner) -> None:
    results = examine(suite.api())
    assert {result.outcome for result in results.values()} == {Outcome.PASS}, told(results)
    assert all(result.evidence for result in results.values())
    assert shop.logins == 4, "two logins, and two that must be refused"


@pytest.mark.parametrize("fault", OF_API)
def test_a_fault_fails_its_check(fault: str, shop: Shop, examine: Examiner) -> None:
    shop.reset(fault)
    results = examine(suite.api())
    followers = CONSEQUENCES.get(fault, set())
    assert FAULTS[fault] in bad(results), told(results)
    assert bad(results) - followers == {FAULTS[fault]}, told(results)
    assert bad(results, Outcome.ERROR) <= followers, told(results)


@pytest.mark.parametrize("check_id", sorted(set(FAULTS.values()) - BROWSER))
def test_findings_say_where_and_what(check_id: str, shop: Shop, examine: Examiner) -> None:
    shop.reset(*[fault for fault, spec in FAULTS.items() if spec == check_id][:1])
    result = examine(suite.api())[check_id]
    for finding in result.findings:
        assert finding.location.url
        assert len(finding.message.split()) > 5
    assert len({finding.fingerprint for finding in result.findings}) == len(result.findings)


def test_every_check_has_a_fault() -> None:
    from ci.config import parse_config
    from ci.smoke.stage import specs

    declared = {spec.id for spec in specs(parse_config("target: {production: https://shop.example}"))}
    assert declared == set(FAULTS.values())
