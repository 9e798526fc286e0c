"""A round against real servers: what is up, what only seems to be, and when the monitor must not say anything."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from ci.config import Config
from ci.engine.http import BYPASS_HEADER, BYPASS_VARIABLE
from ci.engine.redaction import Redactor
from ci.monitor.facts import Condition, Kind, ProbeRecord, Round
from ci.monitor.round import make_round
from tests.servers import Handler, answers, hang, serving

UP, DEGRADED, DOWN, UNKNOWN = Condition.UP, Condition.DEGRADED, Condition.DOWN, Condition.UNKNOWN
REFUSED = "http://127.0.0.1:1"
"""Nobody listens there."""


async def a_round(
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    recent: list[ProbeRecord] | None = None,
    smoke: Mapping[str, Any] | None = None,
    **monitor: Any,
) -> Round:
    settings = {"witnesses": [f"{url}/witness"], "vendors": [], "rdap": None, "timeout": "2s", "recheck_after": "20ms"}
    config = Config.model_validate(
        {
            "target": {"production": url},
            "smoke": smoke or {"pages": []},
            "monitor": {**settings, **monitor},
        }
    )
    redact = Redactor.of_environment(environ or {}, config.secret_variables())
    return await make_round(config, environ or {}, redact, every_s=900, recent=recent or [])


def of(made: Round, kind: Kind, target: str | None = None) -> ProbeRecord:
    [record] = [r for r in made.records if r.kind is kind and target in (None, r.target)]
    return record


async def looked_at(handler: Handler, **watched: Any) -> ProbeRecord:
    """What a probe of one page makes of an answer."""
    kind = watched.setdefault("kind", "page")
    async with serving({"/witness": answers(), "/it": handler}) as url:
        made = await a_round(url, targets=[{"path": "/it", **watched}])
    return of(made, Kind(kind))


PAGE = "<html><title>Harbour</title><p>Welcome</p></html>"
VERCEL_404 = {"x-vercel-error": "DEPLOYMENT_NOT_FOUND"}
JSON = "application/json"


@pytest.mark.parametrize(
    ("handler", "watched", "wanted", "words"),
    [
        (answers(PAGE), {}, UP, "200 after"),
        (answers(PAGE), {"contains": "Welcome"}, UP, "200 after"),
        (answers(PAGE), {"contains": "Goodbye"}, DOWN, "without the text `Goodbye`"),
        (answers("no"), {"status": 404}, DOWN, "answered 200, wanted 404"),
        (answers("no", status=404), {"status": 404}, UP, "404 after"),
        (answers("", status=302, headers={"location": "/login?x=1"}), {}, DOWN, "answered 302 to /login, wanted 200"),
        (answers(PAGE, status=502, headers={"age": "60"}), {}, DOWN, "502 out of a cache (`Age: 60`)"),
        (answers(PAGE, headers={"x-vercel-cache": "HIT"}), {}, UP, "200 after"),
        (
            answers("<title>502 Bad Gateway</title>", headers={"age": "9"}),
            {},
            DOWN,
            "error page with status 200 out of a",
        ),
        (answers("<title>Application error: a client-side…</title>"), {}, DOWN, "an error page with status 200"),
        (answers("<h2>Application error: a server-side exception has occurred</h2>"), {}, DOWN, "an error page with"),
        (answers("Application error: a server-side exception has occurred".ljust(20_001)), {}, UP, "200 after"),
        (answers("<title>Welcome to nginx!</title>"), {}, DOWN, "an error page with status 200"),
        (answers("<title>harbour.example is for sale</title>"), {}, DOWN, "an error page with status 200"),
        (answers(PAGE, type_="application/octet-stream"), {}, DOWN, "saves to a file"),
        (answers(PAGE, headers=VERCEL_404), {}, DOWN, "the platform's error DEPLOYMENT_NOT_FOUND"),
        (answers("<title>Log in to Vercel</title>"), {}, DOWN, "login wall"),
        (answers("<b>_vercel_sso_nonce=1</b>", status=401), {}, DOWN, "deployment protection answered"),
        (answers("", headers={"x-vercel-mitigated": "challenge"}, status=403), {}, UNKNOWN, "firewall answered"),
        (answers("", status=429), {}, UNKNOWN, "limits our requests"),
        (answers("  "), {}, DOWN, "empty body"),
        (answers(PAGE), {"limit": "1ms"}, DEGRADED, "wanted within 1 ms"),
        (answers('{"a":{"b":1}}', type_=JSON), {"kind": "api", "has": {"a.b": 1}}, UP, "200 after"),
        (answers('{"a":{"b":1}}', type_=JSON), {"kind": "api", "has": {"a.c": None}}, DOWN, "`a.c` is `None`"),
        (answers('{"a":{"b":1}}', type_=JSON), {"kind": "api", "has": {"a.b": 2}}, DOWN, "`a.b` is `1`, wanted `2`"),
        (answers("{"), {"kind": "api", "has": {"a": None}}, DOWN, "without JSON"),
        (answers("{}", headers={"age": "9"}), {"kind": "api"}, DEGRADED, "a cache answered"),
    ],
)
async def test_what_an_answer_means(handler: Handler, watched: dict[str, Any], wanted: Condition, words: str) -> None:
    record = await looked_at(handler, **watched)
    assert (record.outcome, words in record.detail) == (wanted, True), record.detail
    assert record.tries == (2 if wanted.failing else 1)


async def test_no_answer_in_time_is_down() -> None:
    async with serving({"/witness": answers(), "/it": hang}) as url:
        made = await a_round(url, targets=[{"path": "/it"}, {"path": "/witness"}], timeout="500ms")
    assert (of(made, Kind.PAGE, "/it").outcome, of(made, Kind.PAGE, "/it").tries) == (DOWN, 2)
    assert "no answer within" in of(made, Kind.PAGE, "/it").detail


async def test_a_failure_is_confirmed_on_a_fresh_connection_past_every_cache() -> None:
    seen: list[tuple[object, str, str]] = []

    async def flaky(request: web.Request) -> web.Response:
        assert request.transport
        peer = request.transport.get_extra_info("peername")
        seen.append((peer, request.query["_gonogo"], request.headers["cache-control"]))
        return web.Response(text=PAGE, status=500 if len(seen) == 1 else 200, content_type="text/html")

    record = await looked_at(flaky)
    assert (record.outcome, record.tries) == (UP, 2)
    assert "at the second try; first: answered 500, wanted 200" in record.detail
    page = [one for one in seen if one]
    assert len({peer for peer, _, _ in page}) == len(page)
    assert {control for _, _, control in page} == {"no-cache"}
    other = len(seen)
    await looked_at(flaky)
    assert seen[0][1] != seen[other][1]


async def test_its_own_blindness_is_nobodys_downtime() -> None:
    asked: list[str] = []

    async def page(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=PAGE, content_type="text/html")

    async with serving({"/": page}) as url:
        made = await a_round(url, smoke={"pages": ["/"]}, witnesses=[f"{REFUSED}/", f"{url}/witness-gone"])
        assert made.blind is None  # an answer is an answer, whatever it says
        made = await a_round(url, smoke={"pages": ["/"]}, witnesses=[f"{REFUSED}/", f"{REFUSED}/other"])
    assert made.blind and "none of 2 witnesses answers" in made.blind
    assert {record.outcome for record in made.records} == {UNKNOWN}
    assert of(made, Kind.PAGE).detail == "the monitor was blind"
    assert len(asked) == 2  # by the first round: its page, and its headers


async def test_who_goes_blind_meanwhile_says_nothing_either() -> None:
    asked = iter([200])

    async def witness(request: web.Request) -> web.Response:
        return web.Response(status=next(asked, 503))

    async with serving({"/witness": witness, "/": answers("", status=500)}) as url:
        made = await a_round(url, smoke={"pages": ["/"]})
    assert made.blind and of(made, Kind.PAGE).outcome is UNKNOWN


async def test_nobody_there_is_down() -> None:
    async with serving({"/witness": answers()}) as url:
        made = await a_round(REFUSED, smoke={"pages": ["/"]}, witnesses=[f"{url}/witness"])
    assert of(made, Kind.PAGE).outcome is DOWN
    assert of(made, Kind.HEADERS).outcome is UNKNOWN


HEALTH = {"path": "/health", "detailed": "/detailed"}


@pytest.mark.parametrize(
    ("status", "services", "wanted", "words", "each"),
    [
        (200, {"database": "up", "redis": {"status": "disabled"}}, UP, "2 services in order", {UP}),
        (503, {"database": "down", "redis": True}, DEGRADED, "503: database is down", {UP, DOWN}),
        (200, {"database": "degraded"}, DEGRADED, "database is degraded", {DEGRADED}),
        (503, {"database": "up"}, DEGRADED, "503, although no service", {UP}),
        (200, {}, DEGRADED, "names no service", set()),
    ],
)
async def test_the_applications_word_on_each_service(
    status: int, services: Any, wanted: Condition, words: str, each: set[Condition]
) -> None:
    detailed = answers(json.dumps({"services": services}), status=status, type_=JSON)
    routes = {"/witness": answers(), "/health": answers('{"status":"ok"}', type_=JSON), "/detailed": detailed}
    async with serving(routes) as url:
        made = await a_round(url, smoke={"pages": [], "health": HEALTH})
    record = of(made, Kind.HEALTH, "/detailed")
    assert (record.outcome, words in record.detail) == (wanted, True), record.detail
    assert {r.outcome for r in made.records if r.kind is Kind.SERVICE} == each
    assert of(made, Kind.HEALTH, "/health").outcome is UP


@pytest.mark.parametrize(
    ("body", "status", "wanted"),
    [
        ('{"status":"healthy"}', 200, UP),
        ('{"status":"degraded"}', 503, DEGRADED),
        ('{"status":"healthy"}', 500, DOWN),
        ('{"status":"unhealthy"}', 200, DOWN),
        ('{"other":1}', 200, DOWN),
        ("<html>", 200, DOWN),
    ],
)
async def test_the_applications_word_on_itself(body: str, status: int, wanted: Condition) -> None:
    async with serving({"/witness": answers(), "/health": answers(body, status=status, type_=JSON)}) as url:
        made = await a_round(url, smoke={"pages": [], "health": {"path": "/health"}})
    assert of(made, Kind.HEALTH).outcome is wanted


@pytest.mark.parametrize(
    ("word", "database", "wanted"),
    [("ok", "up", UP), ("ok", "down", DEGRADED), ("error", "up", DOWN)],
)
async def test_one_endpoint_may_speak_for_the_whole_and_for_each_service(
    word: str, database: str, wanted: Condition
) -> None:
    told = answers(json.dumps({"status": word, "services": {"database": database}}), type_=JSON)
    async with serving({"/witness": answers(), "/health": told}) as url:
        made = await a_round(url, smoke={"pages": [], "health": {"path": "/health", "detailed": "/health"}})
    assert of(made, Kind.HEALTH).outcome is wanted
    assert len({record.key for record in made.records}) == len(made.records)


async def test_behind_a_wall_nothing_is_known_of_the_headers() -> None:
    async with serving({"/witness": answers(), "/": answers("_vercel_sso_nonce", status=401)}) as url:
        made = await a_round(url, smoke={"pages": ["/"]})
    assert (of(made, Kind.PAGE).outcome, of(made, Kind.HEADERS).outcome) == (DOWN, UNKNOWN)


async def test_a_redirect_must_lead_where_it_is_meant_to() -> None:
    moved = answers("", status=308, headers={"location": "/new"})
    async with serving({"/witness": answers(), "/old": moved}) as url:
        redirects = [
            {"start": f"{url}/old", "to": f"{url}/new"},
            {"start": f"{url}/old?", "to": f"{url}/new", "status": 301},
            {"start": f"{url}/witness", "to": f"{url}/new"},
        ]
        made = await a_round(url, redirects=redirects)
    told = [record for record in made.records if record.kind is Kind.REDIRECT]
    assert [record.outcome for record in told] == [UP, DOWN, DOWN]
    assert "308 to" in told[1].detail and "wanted 301 to" in told[1].detail


async def test_headers_that_are_wanted_and_headers_that_drift() -> None:
    headers = {"x-frame-options": "DENY", "content-security-policy": "script-src 'nonce-abc'; report-uri /r?id=1"}
    other_nonce = {**headers, "content-security-policy": "script-src 'nonce-xyz'; report-uri /r?id=2"}
    sent = [headers]

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html", headers=sent[0])

    async with serving({"/witness": answers(), "/": page}) as url:
        first = await a_round(url, smoke={"pages": ["/"]})
        sent[0] = other_nonce
        same = await a_round(url, smoke={"pages": ["/"]}, recent=list(first.records))
        sent[0] = {"x-frame-options": "SAMEORIGIN"}
        changed = await a_round(url, smoke={"pages": ["/"]}, recent=[*first.records, *same.records])
        old = [r.model_copy(update={"at": r.at - timedelta(days=n)}) for r, n in ((of(first, Kind.HEADERS), 3),)]
        settled = [*old, of(changed, Kind.HEADERS).model_copy(update={"at": datetime.now(UTC) - timedelta(days=2)})]
        accepted = await a_round(url, smoke={"pages": ["/"]}, recent=settled)
        wanted = await a_round(
            url, smoke={"pages": ["/"]}, headers={"x-frame-options": "^DENY$", "referrer-policy": "."}
        )
    assert [of(made, Kind.HEADERS).outcome for made in (first, same, changed, accepted)] == [UP, UP, DEGRADED, UP]
    assert "put it back" in of(changed, Kind.HEADERS).detail
    assert of(wanted, Kind.HEADERS).outcome is DEGRADED
    assert "referrer-policy: is missing" in of(wanted, Kind.HEADERS).detail


async def test_names_that_lead_there_and_names_that_do_not() -> None:
    async with serving({"/witness": answers()}) as url:
        names = [
            {"host": "localhost", "leads_to": ["127.0.0.*", "::1"]},
            {"host": "localhost.localdomain", "leads_to": ["cname.vercel-dns.com"]},
            {"host": "no-such-name.invalid"},
        ]
        made = await a_round(url, names=names)
    told = {record.target: record for record in made.records if record.kind is Kind.DNS}
    assert told["localhost"].outcome is UP
    assert told["localhost.localdomain"].outcome in {DOWN, UNKNOWN}
    assert told["no-such-name.invalid"].outcome in {DOWN, UNKNOWN}  # unknown where the resolver itself is away


Certified = Callable[[datetime | None], ssl.SSLContext]


@pytest.mark.parametrize(
    ("days", "trusted", "wanted", "words"),
    [
        (60, True, UP, "60 days more"),
        (5, True, DEGRADED, "5 days more, wanted 14"),
        (-1, True, DOWN, "certificate has expired"),
        (60, False, DOWN, "certificate is refused"),
    ],
)
async def test_certificates(tmp_path: Path, days: int, trusted: bool, wanted: Condition, words: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    expires = datetime.now(UTC) + timedelta(days=days, hours=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (authority if trusted else trustme.CA()).issue_cert("localhost", not_after=expires).configure_cert(context)
    environ = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    async with serving({"/witness": answers()}) as witness, serving({"/": answers(PAGE)}, tls=context) as url:
        made = await a_round(url, environ=environ, witnesses=[f"{witness}/witness"])
    record = of(made, Kind.CERTIFICATE)
    assert (record.outcome, words in record.detail) == (wanted, True), record.detail
    if trusted and days > 0:
        assert record.measure == pytest.approx(days, abs=0.1)


async def test_domains_by_rdap_are_asked_seldom() -> None:
    asked: list[str] = []

    async def rdap(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.endswith("/co.example-registry"):
            return web.Response(status=404)
        until = (datetime.now(UTC) + timedelta(days=20)).isoformat()
        return web.json_response({"events": [{"eventAction": "expiration", "eventDate": until}]})

    async with serving({"/witness": answers(), "/domain/{name}": rdap}) as url:
        settings = {"witnesses": [f"{url}/witness"], "rdap": url}
        first = await a_round("http://app.harbour.co.example-registry", **settings)
        second = await a_round("http://app.harbour.co.example-registry", recent=list(first.records), **settings)
        none = await a_round("http://app.vercel.app", **settings)
    for made in (first, second):
        record = of(made, Kind.DOMAIN)
        assert (record.outcome, record.measure) == (DEGRADED, pytest.approx(20, abs=0.1))
        assert "harbour.co.example-registry is valid until" in record.detail
    assert asked == ["/domain/co.example-registry", "/domain/harbour.co.example-registry"]
    assert not [record for record in none.records if record.kind is Kind.DOMAIN]


STATUSPAGE = {
    "status": {"indicator": "major", "description": "Partial System Outage"},
    "components": [{"name": "Edge Network", "status": "major_outage"}, {"name": "Docs", "status": "operational"}],
    "incidents": [{"name": "Elevated errors in Europe"}],
}


@pytest.mark.parametrize(
    ("vendor", "body", "wanted", "words"),
    [
        ({}, STATUSPAGE, DOWN, "Partial System Outage (Elevated errors in Europe)"),
        ({"components": ["Edge*"]}, STATUSPAGE, DOWN, "Edge Network: major_outage"),
        ({"components": ["Docs"]}, STATUSPAGE, UP, "1 components operational"),
        ({"components": ["Gone"]}, STATUSPAGE, UNKNOWN, "has no component Gone"),
        ({}, {"status": {"indicator": "none", "description": "All Systems Operational"}}, UP, "All Systems"),
        ({}, {"status": {"indicator": "surprise", "description": "?"}}, UNKNOWN, "?"),
        ({"format": "stripe"}, {"largestatus": "up", "message": "All services are online."}, UP, "online"),
        ({"format": "stripe"}, {"largestatus": "degraded", "message": "Slow API"}, DEGRADED, "Slow API"),
        ({}, [], UNKNOWN, "without a status that can be read"),
    ],
)
async def test_vendors_words_on_themselves(vendor: dict[str, Any], body: Any, wanted: Condition, words: str) -> None:
    async with serving({"/witness": answers(), "/status": answers(json.dumps(body), type_=JSON)}) as url:
        made = await a_round(url, vendors=[{"name": "Them", "url": f"{url}/status", **vendor}])
    record = of(made, Kind.VENDOR)
    assert (record.outcome, words in record.detail) == (wanted, True), record.detail
    assert record.tries == 1


async def test_quotas_are_told_before_they_are_reached(postgres_url: str) -> None:
    seen: dict[str, str] = {}

    async def sentry(request: web.Request) -> web.Response:
        seen["sentry"] = request.headers["authorization"]
        return web.json_response({"groups": [{"totals": {"sum(quantity)": 4500}}]})

    async def usage(request: web.Request) -> web.Response:
        seen["month"] = request.query["month"]
        minutes = {"product": "Actions", "unitType": "Minutes", "quantity": 2100}
        return web.json_response({"usageItems": [minutes, {**minutes, "product": "Packages"}]})

    routes = {
        "/witness": answers(),
        "/api/0/organizations/acme/stats_v2/": sentry,
        "/organizations/acme/settings/billing/usage": usage,
    }
    environ = {"DATABASE_URL": postgres_url, "SENTRY_AUTH_TOKEN": "sentry-secret", "GITHUB_BILLING_TOKEN": "billing"}
    async with serving(routes) as url:
        quotas = {"database": {}, "sentry": {"organization": "acme", "url": url}, "actions": {"owner": "acme"}}
        made = await a_round(url, quotas=quotas, environ={**environ, "GITHUB_API_URL": url}, timeout="10s")
        without = await a_round(url, quotas=quotas, environ={"GITHUB_API_URL": url})
    told = {record.target: record for record in made.records if record.kind is Kind.QUOTA}
    assert told["database size"].outcome is UP and 0 < (told["database size"].measure or 0) < 0.8
    assert (told["Sentry errors this month"].outcome, told["Sentry errors this month"].measure) == (DEGRADED, 0.9)
    assert told["Actions minutes this month"].outcome is DOWN
    assert "2,100 of 2,000 min used (105%)" in told["Actions minutes this month"].detail
    assert seen == {"sentry": "Bearer sentry-secret", "month": str(datetime.now(UTC).month)}
    assert {r.outcome for r in without.records if r.kind is Kind.QUOTA} == {UNKNOWN}


async def test_every_environment_with_its_own_secret_and_for_nobody_else() -> None:
    sent: dict[str, str | None] = {}

    def page(name: str) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            sent[name] = request.headers.get(BYPASS_HEADER)
            return web.Response(text=PAGE, content_type="text/html")

        return handler

    environ = {BYPASS_VARIABLE: "production-secret", "STAGING_BYPASS": "staging-secret"}
    async with (
        serving({"/": page("production"), "/witness": page("witness")}) as url,
        serving({"/": page("staging")}) as staging,
        serving({"/": page("other")}) as other,
    ):
        environments = {"staging": {"url": staging, "bypass": "STAGING_BYPASS"}, "other": {"url": other}}
        vendors = [{"name": "Them", "url": f"{other}/"}]
        made = await a_round(
            url,
            smoke={"pages": ["/"]},
            environ=environ,
            environments=environments,
            vendors=vendors,
            witnesses=[f"{other}/"],
            targets=[{"path": "/"}, {"path": "/", "name": "only", "environments": ["staging"]}],
        )
    assert sent == {"production": "production-secret", "staging": "staging-secret", "other": None}
    pages = [(r.environment, r.target) for r in made.records if r.kind is Kind.PAGE]
    assert sorted(pages) == [("other", "/"), ("production", "/"), ("staging", "/"), ("staging", "only")]


async def test_no_secret_gets_into_a_record() -> None:
    environ = {BYPASS_VARIABLE: "production-secret"}
    redirect = answers("", status=302, headers={"location": "/login/production-secret"})
    async with serving({"/witness": answers(), "/": redirect}) as url:
        made = await a_round(url, smoke={"pages": ["/"]}, environ=environ)
    assert "[redacted]" in of(made, Kind.PAGE).detail
    assert "production-secret" not in made.model_dump_json()


async def test_maintenance_is_written_down_with_its_reason() -> None:
    now = datetime.now(UTC)
    window = {"starts": (now - timedelta(days=7, minutes=5)).isoformat(), "lasts": "1h", "repeats": "weekly"}
    async with serving({"/witness": answers(), "/": answers("", status=503)}) as url:
        inside = await a_round(url, smoke={"pages": ["/"]}, maintenance=[{**window, "reason": "migration"}])
        elsewhere = await a_round(url, smoke={"pages": ["/"]}, maintenance=[{**window, "targets": ["/other*"]}])
        over = await a_round(url, smoke={"pages": ["/"]}, maintenance=[{**window, "repeats": "never"}])
    assert [of(made, Kind.PAGE).maintenance for made in (inside, elsewhere, over)] == ["migration", "", ""]


async def test_a_defect_of_one_probe_makes_only_itself_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("ci.monitor.probing.web.judge", broken)
    async with serving(
        {"/witness": answers(), "/health": answers('{"status":"ok"}', type_=JSON), "/": answers(PAGE)}
    ) as url:
        made = await a_round(url, smoke={"pages": ["/"], "health": {"path": "/health"}})
    assert (of(made, Kind.PAGE).outcome, of(made, Kind.HEALTH).outcome) == (UNKNOWN, UP)
    assert "has a defect: ZeroDivisionError" in of(made, Kind.PAGE).detail


async def test_probes_are_made_side_by_side() -> None:
    """Each answers only when all of them have been asked."""
    waiting = asyncio.Barrier(20)

    async def together(request: web.Request) -> web.Response:
        await waiting.wait()
        return web.Response(text="{}", content_type=JSON)

    async with serving({"/witness": answers(), "*": together}) as url:
        made = await a_round(url, targets=[{"path": f"/{number}", "kind": "api"} for number in range(20)])
    assert [record.outcome for record in made.records if record.kind is Kind.API] == 20 * [UP]
