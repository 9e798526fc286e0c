"""The load itself. Locust runs this file in a process of its own; Gonogo never imports it.

Every user keeps a schedule: its requests have intended starts, evenly spread among all users, and a user
that is kept waiting sends the overdue ones late and has their latency counted from the intended start. Those that
it cannot send any more are recorded too: leaving them out would make a slow target look fast.
"""

from __future__ import annotations

import itertools
import os
import random
import ssl
from pathlib import Path
from typing import Any

import gevent
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL
from locust import FastHttpUser, events
from locust.exception import StopUser

from ci.engine.http import BYPASS_HEADER, BYPASS_VARIABLE, USER_AGENT, tls_context
from ci.load.answers import failure_of_error, failure_of_status, interference
from ci.load.course import TICK_S, Course, Due
from ci.load.plan import PLAN_VARIABLE, Endpoint, Plan
from ci.load.recording import Failure, to_line

OVERDUE_S = 1.0
"""Seconds after the planned end in which overdue requests are still sent, so that a stall at the end is seen whole."""

plan = Plan.model_validate_json(Path(os.environ[PLAN_VARIABLE]).read_text(encoding="utf-8"))
course = Course(plan)
tls = tls_context(os.environ)
numbers = itertools.count()
weights = list(itertools.accumulate(endpoint.weight for endpoint in plan.endpoints))
urls = [URL(plan.url + endpoint.path) for endpoint in plan.endpoints]
bypass = {BYPASS_HEADER: secret} if (secret := os.environ.get(BYPASS_VARIABLE)) else {}


class OneTry(HTTPClientPool):
    """Connections that never send a request a second time by themselves: a hidden retry would hide an error."""

    def get_client(self, url: Any) -> HTTPClient:
        client = super().get_client(url)
        client._connection_pool.size = -1  # the client tries as often as this says, and once more
        return client


def trusted(cafile: str | None = None) -> ssl.SSLContext:
    """The one context of all users: the public authorities and those in SSL_CERT_FILE."""
    return tls


def keep_schedule(user: User) -> None:
    """Send this user's requests, each at its time or as soon after it as the user is free."""
    course.begun.wait()
    chance = random.Random(user.number)  # noqa: S311 - a repeatable mixture, not a secret
    choices = range(len(plan.endpoints))
    woke = 0.0
    for step in user.steps:
        intended = (step + user.number / plan.users) / plan.rate_per_user
        if intended >= plan.end_s:
            break
        if (early := intended - course.now()) > 0:
            gevent.sleep(early)
            woke = course.now()
        due = Due(max(intended, woke), max(0.0, woke - intended))
        index = chance.choices(choices, cum_weights=weights)[0]
        if course.now() < plan.end_s + OVERDUE_S:
            user.send(index, due)
        else:
            course.never_sent(due, endpoint=index)
    course.user_done()
    raise StopUser


class User(FastHttpUser):  # type: ignore[misc]
    """One user with one connection at a time."""

    host = plan.url
    tasks = [keep_schedule]  # noqa: RUF012 - Locust's way
    default_headers = {"user-agent": USER_AGENT, "accept-encoding": "gzip, deflate, br", **bypass}  # noqa: RUF012
    max_redirects = 0
    max_retries = 0
    insecure = False
    ssl_context_factory = staticmethod(trusted)

    def __init__(self, environment: Any) -> None:
        # No time-outs for single reads: `send` sets one for the whole request.
        self.client_pool = OneTry(
            ssl_context_factory=trusted, network_timeout=None, connection_timeout=None, concurrency=10
        )
        super().__init__(environment)
        self.agent = self.client.client
        # Judging a status is this file's business; the client's own way would copy the body of every error.
        self.agent.valid_response_codes = range(100, 600)
        self.number = next(numbers)
        self.steps = itertools.count()

    def send(self, index: int, due: Due) -> None:
        """One request, by the client beneath Locust's: that one reports before anybody can judge the answer."""
        endpoint = plan.endpoints[index]
        sent = course.now()
        status = size = 0
        error: BaseException | None = None
        try:
            with gevent.Timeout(plan.timeout_s):
                response = self.agent.urlopen(
                    urls[index], method=endpoint.method, headers=endpoint.headers, payload=endpoint.body
                )
                status, body = response.status_code, response.content
            size = len(body)
            failure = failure_of_status(status)
            watch_for_strangers(endpoint, status, response.headers, body)
        except (Exception, gevent.Timeout) as problem:
            status, error = 0, problem
            failure = failure_of_error(problem) if course.now() - sent < plan.timeout_s else Failure.TIMEOUT
        course.record(due, sent_s=sent, size=size, endpoint=index, status=status, failure=failure)
        if failure and failure not in course.examples:
            course.examples[failure] = f"{endpoint.label}: {in_words(failure, status, error)}"
        self.environment.events.request.fire(
            request_type=endpoint.method,
            name=endpoint.label,
            response_time=(course.now() - sent) * 1e3,
            response_length=size,
            exception=failure.words if failure else None,
        )


def watch_for_strangers(endpoint: Endpoint, status: int, headers: Any, body: bytes) -> None:
    if stranger := interference(status, headers, body):
        course.stop(stranger[0], f"{endpoint.label} answered {stranger[1]}")


def in_words(failure: Failure, status: int, error: BaseException | None) -> str:
    if failure is Failure.TIMEOUT:
        return f"no answer within {plan.timeout_s:g} s"
    return f"answered {status}" if error is None else f"{type(error).__name__}: {error}"


def conduct(environment: Any) -> None:
    """Begin when all users are there, tell once a second how it goes, and end in bounded time."""
    course.begin()
    last_s = plan.end_s + OVERDUE_S + plan.timeout_s + 2 * TICK_S
    for tick in itertools.count(1):
        if course.stopped.wait(TICK_S) or course.now() > last_s:
            break
        course.tick()
        if tick % round(1 / TICK_S) == 0:
            print(to_line(course.pulse()), flush=True)  # noqa: T201 - the stage reads it
    print(to_line(course.close()), flush=True)  # noqa: T201
    environment.runner.quit()


def prepare(environment: Any, **_: Any) -> None:
    environment.events.spawning_complete.add_listener(lambda **_: gevent.spawn(conduct, environment))


events.init.add_listener(prepare)
