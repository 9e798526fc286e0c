"""The monitor's section of gonogo.yaml: what it refuses, and which secrets it names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ci.config import parse_config
from ci.config.shape.monitor import Maintenance, Monitor
from ci.errors import ConfigError
from ci.monitor.probing.plan import watched

HEAD = "target: {production: https://app.example.com}\n"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{interval: 7m}", "slots must fill a day exactly"),
        ("{interval: 500ms}", "slots must fill a day exactly"),
        ("{environments: {production: {url: https://x.test}}}", "`production` is target.production"),
        ("{targets: [{path: /, environments: [stagin]}]}", "environments that are not there: stagin"),
        ("{targets: [{path: /}, {path: /, contains: x}]}", "two targets have one name: /"),
        ("{maintenance: [{starts: 2026-12-01T02:00:00, lasts: 1h}]}", "needs its time zone"),
        ("{witnesses: []}", "at least 1 item"),
        ("{environments: {staging: {url: https://x.test, bypass: secret-itself}}}", "NAME of an environment variable"),
        ("{open_afer: 3}", "did you mean `open_after`?"),
    ],
)
def test_what_cannot_be_meant_is_refused(section: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        parse_config(f"{HEAD}monitor: {section}\n")


def test_every_secret_that_is_named_is_kept() -> None:
    section = (
        "{environments: {staging: {url: https://x.test, bypass: STAGING_BYPASS}}, history: {place: url:HISTORY_URL}, "
        "quotas: {database: {}, sentry: {organization: acme}, actions: {owner: acme}}}"
    )
    config = parse_config(f"{HEAD}monitor: {section}\n")
    named = set(config.secret_variables())
    assert {"STAGING_BYPASS", "HISTORY_URL", "DATABASE_URL", "SENTRY_AUTH_TOKEN", "GITHUB_BILLING_TOKEN"} <= named


def test_without_targets_what_the_smoke_stage_tests_is_watched() -> None:
    smoke = (
        "{pages: [/, /login], api: [{path: /api/tiers, has: [plans.0]}, {path: /api/me, login: true}, "
        "{path: /api/chat, method: POST, body: {a: b}}]}"
    )
    config = parse_config(f"{HEAD}smoke: {smoke}\n")
    assert [(one.kind, one.path) for one in watched(config)] == [
        ("page", "/"),
        ("page", "/login"),
        ("api", "/api/tiers"),
    ]
    assert watched(config)[2].has == {"plans.0": None}


def test_silence_is_three_intervals_and_never_shorter_than_one() -> None:
    assert Monitor().silence == timedelta(minutes=45)
    assert Monitor.model_validate({"interval": "1h"}).silence == timedelta(hours=3)
    assert Monitor.model_validate({"interval": "1h", "silence": "2h"}).silence == timedelta(hours=2)
    with pytest.raises(ValueError, match="must be longer than `interval`"):
        Monitor.model_validate({"interval": "1h", "silence": "45m"})


STARTS = datetime(2026, 12, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("repeats", "after", "covered"),
    [
        ("never", timedelta(minutes=59), True),
        ("never", timedelta(minutes=60), False),
        ("never", timedelta(days=1), False),
        ("never", timedelta(minutes=-1), False),
        ("daily", timedelta(days=3, minutes=30), True),
        ("weekly", timedelta(days=3, minutes=30), False),
        ("weekly", timedelta(days=14, minutes=30), True),
        ("weekly", timedelta(days=-7), False),
    ],
)
def test_maintenance_windows(repeats: str, after: timedelta, covered: bool) -> None:
    window = Maintenance.model_validate({"starts": STARTS, "lasts": "1h", "repeats": repeats, "targets": ["/api/*"]})
    assert window.covers(STARTS + after, "production", "/api/health") is covered
    assert not window.covers(STARTS + after, "production", "/")
    begins = window.begins(STARTS + after)
    assert (begins is not None and begins <= STARTS + after) is covered
    assert begins is None or begins + window.lasts > STARTS + after
