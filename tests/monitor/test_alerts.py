"""Alerts through real servers: GitHub's stand-in, a webhook, an SMTP server, Sentry's check-in."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from trustme import CA

from ci.engine.redaction import Redactor
from ci.errors import ConfigError
from ci.monitor import alerts
from ci.monitor.alerts import check_in, tell
from ci.monitor.facts import Kind, Priority, Series
from ci.monitor.folder import folder_history
from tests.github_standin import GitHubStandIn, github_standin
from tests.monitor.told import BEGAN, NOW, ToldHistory, config, incident, over
from tests.servers import answers, hang, serving

CANARY = "canary-5521"
PASSWORD_VARIABLE = "SMTP_PASSWORD"
RIGHT = "right"


@pytest.fixture
def history(tmp_path) -> ToldHistory:
    return ToldHistory(tmp_path / "told.jsonl")


@pytest.fixture
async def standin() -> AsyncIterator[GitHubStandIn]:
    async with github_standin() as made:
        yield made


@pytest.fixture
def run(history):
    """One round's alerts; returns the problems and what the console was told."""

    async def once(*incidents, environ=None, now=NOW, **settings):
        said: list[str] = []
        wanted = config({"github": None, **settings})
        told = await tell(incidents, history, wanted, environ or {}, Redactor([CANARY]), say=said.append, now=now)
        return told, said

    return once


async def test_an_incident_is_one_issue_from_its_begin_to_its_end(standin, run):
    for seen in (incident(), incident(failures=3), over(failures=3), over(failures=3)):
        problems, _ = await run(seen, environ=standin.environ, github={})
        assert problems == ()
    (issue,) = standin.issues
    assert (issue["state"], issue["labels"]) == ("closed", [{"name": "incident"}])
    assert issue["title"] == "[P0] page home (production) is down: over after 30 min 00 s"
    assert "between 15 min 00 s and 45 min 00 s" in issue["body"]
    assert "10:07 GET / answered 502, wanted 200" in issue["body"]
    (comment,) = standin.comments[1]
    assert "It is over: it lasted 30 min 00 s (between 15 min 00 s and 45 min 00 s)" in comment["body"]
    # The label, the issue, its update in place; then at the end text, comment and state. Nothing in the last round.
    assert [method for method, _ in standin.writes] == ["POST", "POST", "PATCH", "PATCH", "POST", "PATCH"]


async def test_twenty_targets_that_fail_together_are_one_issue_and_one_message(standin, run):
    names = [Series(environment="production", target=f"/page/{number:02}", kind=Kind.PAGE) for number in range(20)]
    began = incident(series=names[0]).id
    failing = [incident(series=series, episode=began) for series in names]
    ended = [over(series=series, episode=began) for series in names]
    got: list[dict[str, Any]] = []
    async with receiving(got) as url:
        environ = {**standin.environ, "ALERT_WEBHOOK_URL": url}
        for seen in (failing[:1], failing, [*ended[:19], failing[19]], ended, ended):
            assert (await run(*seen, environ=environ, github={}, webhook={}))[0] == ()
    (issue,) = standin.issues
    assert (issue["state"], len(standin.comments[1])) == ("closed", 1)
    assert issue["title"].startswith(
        "[P0] 20 targets (production) are down: /page/00, /page/01, /page/02, /page/03 and"
    )
    assert "| `production/page//page/19` | over: good again at" in issue["body"]
    titles = [one["text"] for one in got]
    assert [title.partition(":")[0] for title in titles] == [
        "[P0] page /page/00 (production) is down",
        "[P0] 20 targets (production) are down",
        "[P0] 20 targets (production) are down",
    ]
    assert "over after" in titles[-1]


async def test_two_monitors_of_one_folder_tell_once(standin, tmp_path):
    got: list[dict[str, Any]] = []
    async with receiving(got) as url, folder_history(tmp_path) as one, folder_history(tmp_path) as other:
        environ = {**standin.environ, "ALERT_WEBHOOK_URL": url}
        settings = config({"webhook": {}})
        for seen in (incident(), over()):
            told = (
                tell([seen], history, settings, environ, Redactor(), say=print, now=NOW) for history in (one, other)
            )
            assert await asyncio.gather(*told) == [(), ()]
    assert (len(got), len(standin.issues), len(standin.comments[1])) == (2, 1, 1)


async def test_what_was_not_delivered_is_tried_again(standin, run, history):
    standin.refuse = 503, {}
    problems, said = await run(incident(), environ=standin.environ, github={})
    assert "503" in problems[0]
    assert "the next round tries again" in problems[0]
    assert [delivery.channel for delivery in await history.deliveries()] == ["console"]
    standin.refuse = None
    problems, said = await run(incident(), environ=standin.environ, github={})
    assert (problems, said) == ((), [])  # the console had been told
    assert len(standin.open_issues()) == 1


async def test_without_a_token_it_is_said_and_the_others_are_told(run):
    problems, said = await run(incident(), github={})
    (problem,) = problems
    assert problem.startswith("github was not told of '[P0] page home (production) is down': GITHUB_TOKEN is not set")
    assert said == ["[P0] page home (production) is down"]


@pytest.mark.parametrize("fatal", ["/issues", "/issues/1"], ids=["opened", "updated"])
async def test_killed_between_the_issue_and_the_history(standin, history, fatal):
    """GitHub has it, the history does not: the next round finds it by its marker."""
    if fatal == "/issues/1":
        await tell(
            [incident()], history, config(), standin.environ, Redactor(), say=print, now=NOW - timedelta(hours=1)
        )
        history.path.unlink()
    process: asyncio.subprocess.Process | None = None

    async def kill(method: str, path: str) -> None:
        if path == fatal and process:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()

    standin.after_write = kill
    command = [sys.executable, "-m", "tests.monitor.told", str(history.path), BEGAN.isoformat()]
    environ = {**os.environ, **standin.environ}
    process = await asyncio.create_subprocess_exec(*command, env=environ)
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    assert len(standin.open_issues()) == 1
    assert "github" not in {delivery.channel for delivery in await history.deliveries()}

    standin.after_write = None
    for _ in range(2):
        assert await tell([incident()], history, config(), standin.environ, Redactor(), say=print, now=NOW) == ()
    assert len(standin.issues) == 1
    assert "github" in {delivery.channel for delivery in await history.deliveries()}


async def test_what_a_hostile_target_says_acts_on_nothing(standin, run):
    hostile = "<!channel> @all [x](javascript:1) <img src=x onerror=alert(1)> `@team` #1 \x1b[2J ::error::gotcha"
    got: list[dict[str, Any]] = []
    async with receiving(got) as url:
        environ = {**standin.environ, "ALERT_WEBHOOK_URL": url, "GITHUB_ACTIONS": "true"}
        _, said = await run(incident(evidence=(hostile,)), environ=environ, github={}, webhook={})
    body = standin.issues[0]["body"]
    assert "\x1b" not in body
    assert "``<!channel>" in body  # a code span that its own text cannot end
    assert "<!channel>" not in str(got)
    assert "@all" not in str(got)
    assert said == ["::error::[P0] page home (production) is down"]


async def test_the_webhook_speaks_as_slack_does_and_only_2xx_is_a_delivery(run, history):
    got: list[dict[str, Any]] = []
    links = {"runbook": "https://docs.example/runbook.md", "page": "https://status.example"}
    async with receiving(got) as url:
        for seen in (incident(priority=Priority.P2), incident(), over(), over()):
            assert (await run(seen, environ={"ALERT_WEBHOOK_URL": url}, webhook={}, **links))[0] == ()
    assert [one["text"].partition("]")[0] for one in got] == ["[P2", "[P0", "[P0"]
    opened, _, closed = (one["attachments"][0] for one in got)
    assert "<https://docs.example/runbook.md#p2|What to do> · <https://status.example|Status page>" in opened["text"]
    assert {field["title"]: field["value"] for field in closed["fields"]}["Lasted"].startswith("30 min 00 s (between")
    assert opened["color"] != closed["color"] == "#0e8a16"


@pytest.mark.parametrize("status", [302, 400, 404, 500])
async def test_a_webhook_that_does_not_take_it_was_not_told(run, status):
    async with serving({"*": answers(status=status)}) as url:
        problems, _ = await run(incident(), environ={"ALERT_WEBHOOK_URL": f"{url}/{CANARY}"}, webhook={})
    assert f"the URL in ALERT_WEBHOOK_URL answered {status}" in problems[0]
    problems, _ = await run(incident(), environ={"ALERT_WEBHOOK_URL": f"{url}/{CANARY}"}, webhook={})
    assert "ConnectError" in problems[0]
    assert CANARY not in str(problems)


async def test_a_channel_that_hangs_holds_up_no_other(run, monkeypatch):
    monkeypatch.setattr(alerts, "CHANNEL_S", 0.2)
    async with serving({"*": hang}) as url:
        problems, said = await run(incident(), environ={"ALERT_WEBHOOK_URL": url}, webhook={})
    assert problems == ("webhook took longer than 0.2 s: 1 notices wait for the next round",)
    assert said


async def test_mail_is_one_conversation(run):
    mails: list[Any] = []
    async with smtp(mails) as server:
        settings = {**server.settings, "at_least": "P1"}
        for seen in (incident(), over(), over()):
            assert (await run(seen, environ=server.environ, mail=settings))[0] == ()
        assert (await run(incident(priority=Priority.P2), environ=server.environ, mail=settings))[0] == ()
    assert sorted(mail["To"] for mail in mails) == ["a@example.com"] * 2 + ["b@example.com"] * 2
    opened, closed = (mail for mail in mails if mail["To"] == "a@example.com")
    assert opened["Subject"] == "[P0] page home (production) is down"
    assert closed["Subject"] == "[P0] page home (production) is down: over after 30 min 00 s"
    assert closed["In-Reply-To"] == opened["Message-ID"]
    assert opened["Auto-Submitted"] == "auto-generated"
    assert "GET / answered 502" in opened.get_content()


async def test_mail_that_was_not_taken_was_not_sent(run):
    mails: list[Any] = []
    async with smtp(mails) as server:
        problems, _ = await run(incident(), environ={**server.environ, PASSWORD_VARIABLE: CANARY}, mail=server.settings)
        assert "Authentication" in problems[0]
        assert CANARY not in problems[0]
        problems, _ = await run(incident(), mail=server.settings)
        assert "SMTP_PASSWORD is not set" in problems[0]
    environ = {key: value for key, value in server.environ.items() if key != "SSL_CERT_FILE"}
    problems, _ = await run(incident(), environ=environ, mail=server.settings)
    assert "localhost" in problems[0]
    assert mails == []


async def test_a_refused_mailbox_makes_nobody_else_hear_of_it_again(run):
    mails: list[Any] = []
    async with smtp(mails) as server:
        settings = {**server.settings, "to": ["a@example.com", "nobody@example.com"]}
        for _ in range(2):
            (problem,), _ = await run(incident(), environ=server.environ, mail=settings)
            assert "no such mailbox" in problem
    assert [mail["To"] for mail in mails] == ["a@example.com"]


async def test_mail_goes_to_no_server_that_cannot_show_its_certificate(run):
    mails: list[Any] = []
    async with smtp(mails) as server:
        environ = {key: value for key, value in server.environ.items() if key != "SSL_CERT_FILE"}
        problems, _ = await run(incident(), environ=environ, mail=server.settings)
    assert "certificate" in problems[0].lower()
    assert mails == []


@pytest.mark.parametrize("wrong", [{"security": "none"}, {"user": None}])
def test_a_password_never_travels_in_the_clear(wrong):
    mail = {"server": "s", "user": "u", "password": "P", "sender": "a@b.example", "to": ["a@b.example"]}
    with pytest.raises((ConfigError, ValueError), match=r"clear|belong together"):
        config({"mail": {**mail, **wrong}})


@pytest.mark.parametrize(("ok", "status"), [(True, "ok"), (False, "error")])
async def test_sentry_gets_a_sign_of_life(ok, status):
    got: list[dict[str, Any]] = []
    async with receiving(got) as url:
        dsn = url.replace("//", "//publickey@") + "/42"
        assert await check_in(config({"check_in": {}}), {"SENTRY_DSN": dsn}, ok=ok, duration_s=2) is None
    (body,) = got
    assert body.pop("path") == "/api/42/cron/gonogo-monitor/publickey/"
    assert (body["status"], body["duration"]) == (status, 2)
    assert body["monitor_config"]["schedule"] == {"type": "interval", "value": 15, "unit": "minute"}
    told = await check_in(config({"check_in": {}}), {"SENTRY_DSN": dsn}, ok=ok, duration_s=2)
    assert "ConnectError" in str(told)
    assert "publickey" not in str(told)
    assert "SENTRY_DSN is not set" in str(await check_in(config({"check_in": {}}), {}, ok=ok, duration_s=2))
    assert await check_in(config(), {}, ok=ok, duration_s=2) is None


@asynccontextmanager
async def receiving(got: list[dict[str, Any]]) -> AsyncIterator[str]:
    async def take(request: web.Request) -> web.Response:
        path = {"path": request.path} if request.path != "/" else {}
        got.append({**(await request.json()), **path})
        return web.Response(text="ok")

    async with serving({"*": take}) as url:
        yield url


class Server:
    settings: dict[str, Any]
    environ: dict[str, str]


@asynccontextmanager
async def smtp(mails: list[Any]) -> AsyncIterator[Server]:
    """A server that wants STARTTLS and a password."""

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("nobody@"):
                return "550 no such mailbox"
            envelope.rcpt_tos.append(address)
            return "250 ok"

        async def handle_DATA(self, server, session, envelope):
            mails.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 taken"

    def authenticate(server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and data.password == RIGHT.encode()
        return AuthResult(success=right, handled=False)

    authority = CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def factory() -> SMTP:
        return SMTP(
            Handler(), tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True
        )

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(factory, "127.0.0.1", 0)
    made = Server()
    with authority.cert_pem.tempfile() as pem:
        port = listening.sockets[0].getsockname()[1]
        sender = {"sender": "gonogo@example.com", "to": ["a@example.com", "b@example.com"]}
        made.settings = {"server": "localhost", "port": port, "user": "me", "password": PASSWORD_VARIABLE, **sender}
        made.environ = {PASSWORD_VARIABLE: RIGHT, "SSL_CERT_FILE": pem}
        try:
            yield made
        finally:
            listening.close()
            await listening.wait_closed()
