"""Rate limits: whom they count, what they say, whom they leave alone."""

from collections.abc import Iterator

import httpx
import pytest

from tests.demo.launching import EMAIL, bearer, client, login, running

WRONG = {"email": EMAIL, "password": "wrong"}


@pytest.fixture
def limited() -> Iterator[httpx.Client]:
    with running(RATE_LIMIT_PER_MINUTE="5", LOGIN_RATE_LIMIT_PER_MINUTE="3") as url, client(url) as http:
        yield http


def _from(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


def test_each_endpoint_counts_for_itself_and_says_when_to_come_back(limited: httpx.Client) -> None:
    answers = [limited.get("/api/health") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == [f"r={n}" for n in (4, 3, 2, 1, 0, 0)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"ip";q=5;w=60'}

    refused = answers[-1]
    assert refused.json()["error"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].endswith(f";t={refused.headers['retry-after']}")
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert refused.headers["cache-control"] == "no-store"

    assert limited.get("/api/auth/tiers").status_code == 200
    assert limited.get("/api/health", headers=_from("203.0.113.8")).status_code == 200


def test_spoofed_forwarding_does_not_dodge_the_limit(limited: httpx.Client) -> None:
    statuses = [limited.get("/api/health", headers=_from(f"10.0.0.{n}, 198.51.100.9")).status_code for n in range(6)]
    assert statuses == [200] * 5 + [429]


def test_login_has_a_limit_of_its_own_by_address_and_by_account(limited: httpx.Client) -> None:
    statuses = [
        limited.post("/api/auth/login", json=WRONG, headers=_from("198.51.100.1")).status_code for _ in range(4)
    ]
    assert statuses == [401, 401, 401, 429]
    elsewhere = limited.post("/api/auth/login", json=WRONG, headers=_from("198.51.100.2"))
    assert (elsewhere.status_code, elsewhere.headers["ratelimit"].count(";r=")) == (429, 2)
    other = {"email": "other@example.com", "password": "wrong"}
    assert limited.post("/api/auth/login", json=other, headers=_from("198.51.100.2")).status_code == 401


def test_a_user_is_counted_wherever_they_come_from(limited: httpx.Client) -> None:
    tokens = [login(limited)["access_token"] for _ in range(2)]
    answers = [
        limited.get("/api/user/profile", headers={**bearer(tokens[n % 2]), **_from(f"198.51.100.{n}")})
        for n in range(6)
    ]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[0].headers["ratelimit-policy"] == '"ip";q=5;w=60, "user";q=5;w=60'


def test_unknown_paths_share_one_limit(limited: httpx.Client) -> None:
    assert [limited.get(f"/api/none/{n}").status_code for n in range(6)] == [404] * 5 + [429]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/callback"),
        ("GET", "/auth/callback/google"),
        ("GET", "/api/storage/google/callback"),
        ("GET", "/api/storage/microsoft/callback"),
        ("POST", "/api/billing/webhook"),
        ("GET", "/static/none.js"),
    ],
)
def test_excluded_paths_are_not_limited(limited: httpx.Client, method: str, path: str) -> None:
    answers = [limited.request(method, path) for _ in range(8)]
    assert 429 not in {answer.status_code for answer in answers}
    assert not any("ratelimit" in answer.headers for answer in answers)


def test_near_names_of_excluded_paths_are_limited(limited: httpx.Client) -> None:
    assert limited.get("/auth/callbacks").headers["ratelimit-policy"]
    assert limited.get("/staticky").headers["ratelimit-policy"]


def test_switched_off() -> None:
    with running(RATE_LIMIT_PER_MINUTE="1", RATE_LIMIT_ENABLED="false") as url, client(url) as http:
        answers = [http.get("/api/health") for _ in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        assert "ratelimit" not in answers[0].headers


def test_unreachable_redis_limits_nobody_less(unused_tcp_port: int) -> None:
    redis = f"redis://127.0.0.1:{unused_tcp_port}/0"
    with running(RATE_LIMIT_PER_MINUTE="3", REDIS_URL=redis) as url, client(url) as http:
        assert [http.get("/api/health").status_code for _ in range(4)] == [200, 200, 200, 429]
