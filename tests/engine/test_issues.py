"""Issues that exist once, whatever happens between two runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ci.engine.github import Refused, connect
from ci.engine.issues import BODY_LIMIT, Issues
from ci.engine.redaction import Redactor
from tests.github_standin import TOKEN, GitHubStandIn, github_standin

LABEL = "gonogo-incident"
BEGAN = datetime.now(UTC)


@pytest.fixture
async def standin() -> AsyncIterator[GitHubStandIn]:
    async with github_standin() as made:
        yield made


@pytest.fixture
async def issues(standin) -> AsyncIterator[Issues]:
    async with connect(standin.environ, Redactor([TOKEN])) as github:
        assert github
        yield Issues(github, LABEL)


async def test_an_issue_is_opened_updated_in_place_and_closed(issues, standin):
    made = await issues.keep("incident 7", "It is down", "since 10:00", since=BEGAN)
    assert made.open
    again = await issues.keep("incident 7", "It is down", "since 10:00, seen again at 10:15", since=BEGAN)
    assert again.number == made.number
    ended = await issues.close("incident 7", "It was down", "from 10:00 to 10:30", "Over after 30 min.", since=BEGAN)
    assert not ended.open
    (issue,) = standin.issues
    assert issue["state"] == "closed"
    assert issue["title"] == "It was down"
    assert "from 10:00 to 10:30" in issue["body"]
    assert len(standin.comments[1]) == 1
    assert issue["labels"] == [{"name": LABEL}]


async def test_nothing_is_written_when_nothing_has_changed(issues, standin):
    await issues.keep("a", "t", "two\nlines\n", since=BEGAN)
    before = len(standin.writes)
    await issues.keep("a", "t", "two\nlines\n", since=BEGAN)
    await issues.close("a", "t", "b", "c", since=BEGAN)
    closed = len(standin.writes)
    await issues.close("a", "t", "b", "c", since=BEGAN)
    assert (before, closed) == (2, 5)  # label and issue; body, comment and state
    assert len(standin.writes) == closed


async def test_it_is_found_behind_three_hundred_others(issues, standin):
    standin.labels.add(LABEL)
    made = await issues.keep("mine", "t", "b", since=BEGAN)
    for number in range(300):
        standin.add(f"other {number}", f"<!-- gonogo: other {number} -->", LABEL)
    assert (await issues.keep("mine", "t", "new", since=BEGAN)).number == made.number
    assert len(standin.issues) == 301


@pytest.mark.parametrize(
    ("body", "label", "pull_request"),
    [
        ("somebody quotes <!-- gonogo: mine -->", LABEL, False),
        ("<!-- gonogo: mine -->", "another-label", False),
        ("<!-- gonogo: mine -->", LABEL, True),
        ("<!-- gonogo: mine too -->", LABEL, False),
    ],
)
async def test_what_only_looks_like_it_is_left_alone(issues, standin, body, label, pull_request):
    standin.add("not ours", body, label, pull_request=pull_request)
    made = await issues.keep("mine", "t", "b", since=BEGAN)
    assert made.number == 2
    assert standin.issues[0]["title"] == "not ours"


async def test_an_issue_of_long_ago_is_not_read_through(issues, standin):
    standin.now = lambda: BEGAN - timedelta(days=90)
    standin.add("old", "<!-- gonogo: mine -->", LABEL, state="closed")
    standin.now = lambda: datetime.now(UTC)
    assert (await issues.keep("mine", "t", "b", since=BEGAN)).number == 2


async def test_two_at_the_same_moment_leave_one(standin):
    """Both look, both find none, both open: the older one stands, the other is closed as a duplicate."""
    both_have_opened = asyncio.Barrier(2)

    async def wait(method: str, path: str) -> None:
        if (method, path) == ("POST", "/issues"):
            await both_have_opened.wait()

    standin.after_write = wait

    async def open_one() -> int:
        async with connect(standin.environ, Redactor()) as github:
            assert github
            return (await Issues(github, LABEL).keep("mine", "t", "b", since=BEGAN)).number

    assert await asyncio.gather(open_one(), open_one()) == [1, 1]
    assert [issue["number"] for issue in standin.open_issues()] == [1]
    assert standin.issues[1]["title"] == "Duplicate: t"


async def test_what_was_never_reported_is_told_when_it_is_over(issues, standin):
    await issues.close("mine", "t", "b", "It is over.", since=BEGAN)
    (issue,) = standin.issues
    assert issue["state"] == "closed"
    assert "It is over." in standin.comments[1][0]["body"]


async def test_secrets_and_lengths_are_kept_in_bounds(issues, standin):
    await issues.close("mine", f"{TOKEN} " + "x" * 400, f"{TOKEN} " + "y" * 100_000, TOKEN, since=BEGAN)
    assert TOKEN not in str(standin.issues) + str(standin.comments)
    assert len(standin.issues[0]["title"]) <= 256
    assert len(standin.issues[0]["body"]) <= BODY_LIMIT + 2


async def test_a_token_without_the_right_is_told_so(issues, standin):
    standin.refuse = 403, {"x-accepted-github-permissions": "issues=write"}
    with pytest.raises(Refused, match="issues=write"):
        await issues.keep("mine", "t", "b", since=BEGAN)
    assert standin.issues == []


@pytest.mark.parametrize("key", ["a --> <b>", "line\nfeed", "", "a--b"])
async def test_a_key_that_would_leave_its_comment_is_refused(issues, key):
    with pytest.raises(ValueError, match="comment of HTML"):
        await issues.find(key, since=BEGAN)
