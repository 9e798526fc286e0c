"""The load itself. Locust runs this file in processes of its own; Gonogo never imports it.

Every user keeps a schedule: its requests have intended starts, spread among all users along the profile's course, and
a user that is kept waiting sends the overdue ones late and has their latency counted from the intended start. Those
that it cannot send any more are recorded too: leaving them out would make a slow target look fast.

With a baseline every request becomes a pair: the same to both arms, one after the other in the order of a coin's flip.
"""

from __future__ import annotations

import itertools
import os
import random
import ssl
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import gevent
import locust
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.url import URL
from locust.contrib.fasthttp import LocustUserAgent
from locust.exception import StopUser
from locust.runners import WorkerRunner

from ci.engine.http import USER_AGENT, tls_context
from ci.load import access
from ci.load.answers import failure_of_answer, failure_of_error, in_words, interference
from ci.load.conductor import BEGIN, OVERDUE_S, REPORT, STOP, STRANGER, Conductor
from ci.load.crew import TICK_S, Crew, Task
from ci.load.plan import PLAN_VARIABLE, Plan
from ci.load.recording import Arm, Failure
from ci.model import ErrorKind

IDLE_S = 4.0
"""A connection that was idle for longer is not used again: Node.js and uvicorn close theirs after 5 s by default, and a
request that crosses such a close would count as an error of the target's."""
HEADERS = {"user-agent": USER_AGENT, "accept-encoding": "gzip, deflate, br"}

crew = Crew()
tls = tls_context(os.environ)
accesses = access.of_variable(os.environ)


class OneTry(HTTPClientPool):
    """Connections that never send a request a second time by themselves: a hidden retry would hide an error."""

    def get_client(self, url: Any) -> HTTPClient:
        client = super().get_client(url)
        client._connection_pool.size = -1  # the client tries as often as this says, and once more
        return client


def trusted(cafile: str | None = None) -> ssl.SSLContext:
    """The one context of all users: the public authorities and those in SSL_CERT_FILE."""
    return tls


def agent() -> LocustUserAgent:
    """The client beneath FastHttpUser's, which reports before anybody can judge an answer."""
    # No time-outs for single reads: `send` sets one for the whole request.
    pool = OneTry(ssl_context_factory=trusted, network_timeout=None, connection_timeout=None, concurrency=10)
    made = LocustUserAgent(
        client_pool=pool, cookiejar=CookieJar(), headers=HEADERS, insecure=False, max_redirects=0, max_retries=0
    )
    # Judging a status is this file's business; the client's own way would copy the body of every error.
    made.valid_response_codes = range(100, 600)
    return made


class Way:
    """The way to one arm: for each endpoint its URL and the headers that go there."""

    def __init__(self, plan: Plan, arm: Arm) -> None:
        url = plan.url_of(arm)
        known = access.to(url, accesses)
        self.urls = [URL(url + endpoint.path) for endpoint in plan.endpoints]
        self.headers = [endpoint.headers | known.headers(endpoint) for endpoint in plan.endpoints]


class Order:
    """The plan as this process needs it for every request."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.weights = list(itertools.accumulate(endpoint.weight for endpoint in plan.endpoints))
        self.ways = {arm: Way(plan, arm) for arm in plan.arms}
        self.turns = (plan.arms, plan.arms[::-1])


class User(locust.User):  # type: ignore[misc]
    """One user with one connection to each arm."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.number = crew.join()
        self.agents = {arm: agent() for arm in Arm}
        self.free_s = dict.fromkeys(Arm, 0.0)
        """When this user would be free again, had it sent to this arm alone."""
        self.used_s = dict.fromkeys(Arm, 0.0)

    @locust.task  # type: ignore[untyped-decorator]
    def keep_schedule(self) -> None:
        """Send this user's requests, each at its time or as soon after it as the user is free."""
        crew.begun.wait()
        plan, end_s = order.plan, order.plan.end_s
        number = plan.number_of(self.number, crew.worker)
        chance = random.Random(number)  # noqa: S311 - a repeatable mixture, not a secret
        choices = range(len(plan.endpoints))
        woke = 0.0
        for step in itertools.count():
            intended = plan.due_s(number, step)
            crew.awaits(self.number, intended)
            if intended >= end_s:
                break
            if (early := intended - crew.now()) > 0:
                crew.stopped.wait(early)
                woke = crew.now()
            if crew.stopped.is_set():
                break
            endpoint = chance.choices(choices, cum_weights=order.weights)[0]
            task = Task(max(intended, woke), max(0.0, woke - intended), endpoint, crew.next_pair())
            for arm in order.turns[chance.random() < 0.5]:
                if crew.now() < end_s + OVERDUE_S:
                    self.send(task, arm)
                else:
                    self.give_up(task, arm)
        crew.leave(self.number)
        raise StopUser

    def send(self, task: Task, arm: Arm) -> None:
        """One request of a task."""
        endpoint, way = order.plan.endpoints[task.endpoint], order.ways[arm]
        queued_s = max(0.0, self.free_s[arm] - task.start_s)
        sent = crew.now()
        if sent - self.used_s[arm] > IDLE_S:
            self.agents[arm].close()
        status = size = 0
        stranger: tuple[ErrorKind, str] | None = None
        try:
            with gevent.Timeout(order.plan.timeout_s):
                response = self.agents[arm].urlopen(
                    way.urls[task.endpoint],
                    method=endpoint.method,
                    headers=way.headers[task.endpoint],
                    payload=endpoint.body,
                )
                status, body = response.status_code, response.content
            service_s = crew.now() - sent
            size = len(body)
            failure = failure_of_answer(status, body, endpoint)
            seen = in_words(failure, status, response.headers.get("location")) if failure else ""
            stranger = interference(status, response.headers, body)
        except (Exception, gevent.Timeout) as problem:
            service_s = crew.now() - sent
            status, size = 0, 0
            failure = failure_of_error(problem) if service_s < order.plan.timeout_s else Failure.TIMEOUT
            seen = f"{type(problem).__name__}: {problem}"
            if failure is Failure.TIMEOUT:
                seen = f"no answer within {order.plan.timeout_s:g} s"
        self.used_s[arm] = sent + service_s
        self.free_s[arm] = task.start_s + queued_s + service_s
        crew.record(
            task,
            arm,
            sent_s=sent,
            service_s=service_s,
            queued_s=queued_s,
            failure=failure,
            status=status,
            size=size,
        )
        if failure:
            crew.example(arm, failure, f"{endpoint.label}: {seen}")
        if stranger:
            kind, words = stranger
            message = {"kind": str(kind), "words": f"{endpoint.label} answered {words}", "arm": int(arm)}
            self.environment.runner.send_message(STRANGER, message)
            crew.stopped.set()

    def give_up(self, task: Task, arm: Arm) -> None:
        """A request is overdue and will not be sent any more: had it been, its latency would be longer still.

        Only an arm that has kept this user waiting by itself answers for it.
        """
        queued_s = self.free_s[arm] - task.start_s
        if queued_s > 0:
            sent_s = task.start_s + queued_s
            crew.record(task, arm, sent_s=sent_s, service_s=0.0, queued_s=queued_s, failure=Failure.UNSENT)


def begin(environment: Any, msg: Any, **_: Any) -> None:
    """The conductor says that all are there."""
    global order
    plan = Plan.model_validate_json(msg.data["plan"])
    order = Order(plan)
    crew.begin(plan, msg.data["worker"])
    gevent.spawn(report, environment.runner)


def report(runner: Any) -> None:
    while not crew.stopped.wait(TICK_S):
        runner.send_message(REPORT, crew.report())
    runner.send_message(REPORT, crew.report())


def prepare(environment: Any, **_: Any) -> None:
    runner = environment.runner
    if not isinstance(runner, WorkerRunner):
        Conductor(environment, Plan.model_validate_json(Path(os.environ[PLAN_VARIABLE]).read_text(encoding="utf-8")))
    runner.register_message(BEGIN, begin)
    runner.register_message(STOP, lambda **_: crew.stopped.set())


order: Order
locust.events.init.add_listener(prepare)
