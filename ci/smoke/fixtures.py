"""Fixtures of the smoke suites, and those that users' own tests may use: `target_url`, `client`, `logged_in_client`."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from ci.config.shape.smoke import Smoke
from ci.engine.http import Client
from ci.model import Subject
from ci.smoke.accounts import Accounts
from ci.smoke.examination import Examination
from ci.smoke.job import Job
from ci.smoke.plugin import HTTP, JOB, RUN
from ci.smoke.target import Connections, Target, told


@pytest.fixture(scope="session")
def job(pytestconfig: pytest.Config) -> Job:
    """What this process has to do."""
    return pytestconfig.stash[JOB]


@pytest.fixture(scope="session")
def smoke(job: Job) -> Smoke:
    """The smoke section of gonogo.yaml."""
    return job.config.smoke


@pytest.fixture(scope="session")
def subject(job: Job) -> Subject:
    """What is being judged."""
    return job.subject


@pytest.fixture(scope="session")
def connections(pytestconfig: pytest.Config, job: Job) -> Iterator[Connections]:
    """The HTTP clients that the tests share."""
    shared = Connections(pytestconfig.stash[HTTP], job.config.target.timeout.total_seconds())
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def accounts(smoke: Smoke) -> Accounts:
    """The test user's logins."""
    return Accounts(smoke.login, os.environ)


@pytest.fixture
def exam(request: pytest.FixtureRequest) -> Examination:
    """Collects what this test sees and finds."""
    return request.node.stash[RUN].exam  # type: ignore[no-any-return]


@pytest.fixture
def target(exam: Examination, connections: Connections) -> Target:
    """The running URL under test; its answers become evidence."""
    return Target(exam, connections)


@pytest.fixture(scope="session")
def target_url(job: Job) -> str:
    """The running URL under test, without a trailing slash."""
    return job.subject.url


@pytest.fixture
def client(exam: Examination, connections: Connections) -> Iterator[Client]:
    """An `httpx.Client` for the target: bounded, with a request budget, allowed past deployment protection."""

    def seen(response: httpx.Response) -> None:
        response.read()
        exam.saw(told(response))

    with connections.user_client() as user_client:
        user_client.event_hooks = {"response": [seen]}
        yield user_client
        exam.retries += user_client.retries


@pytest.fixture
def logged_in_client(client: Client, target: Target, accounts: Accounts) -> Client:
    """Such a client with the test user's session."""
    logged_in = accounts.shared(target)
    for cookie in logged_in.response.cookies.jar:
        mine = copy.copy(cookie)
        mine.secure = mine.secure and client.base_url.scheme == "https"  # loopback is trustworthy without TLS
        client.cookies.jar.set_cookie(mine)
    client.headers.update(replace(logged_in.credentials, cookies={}).headers("POST"))
    return client
