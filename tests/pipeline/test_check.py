import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from ci import pipeline
from ci.model import Decision, ErrorKind, Outcome, StageReport, Verdict
from tests.runs import passed, report, run_on
from tests.servers import Handler, answers, hang, serving

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'self'",
}
SMALL = {"smoke": {"browser": False}, "load": {"duration": "1s", "warm_up": "100ms", "users": 2, "min_requests": 1}}
Checked = tuple[dict[str, StageReport], Verdict]


async def checked(tmp_path: Path, routes: dict[str, Handler], *stages: str, **config: object) -> Checked:
    async with serving(routes) as url:
        run = run_on(url, tmp_path, **{**SMALL, **config})
        run.store.write_report(report(passed("stale/report"), stage="stale"))  # an earlier run has left it here
        reports, verdict = await pipeline.check(run, stages)
    assert run.store.verdict() == verdict, "what is returned is what is on disk"
    assert {report.stage for report in run.store.reports()} == {report.stage for report in reports}
    return {report.stage: report for report in reports}, verdict


async def test_the_chosen_stages_run_and_the_verdict_is_partial(tmp_path: Path) -> None:
    reports, verdict = await checked(tmp_path, {"*": answers(headers=HEADERS)}, "security")
    assert set(reports) == {"preflight", "security"}
    assert verdict.decision is Decision.NO_GO, "plain HTTP has no HSTS"
    assert {reason.check_id for reason in verdict.reasons} == {"security/hsts", "security/observatory-grade"}
    assert verdict.partial


async def test_when_smoke_is_no_go_the_target_is_spared_the_load(tmp_path: Path) -> None:
    # Every path answers 200, so an unknown one does as well: smoke/not-found fails.
    reports, verdict = await checked(tmp_path, {"*": answers("<title>t</title>hi", headers=HEADERS)})
    assert reports["smoke"].outcome is Outcome.FAIL
    assert reports["load"].not_run
    assert verdict.decision is Decision.NO_GO
    assert any(reason.stage == "load" and "spared" in reason.message for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [(answers("_vercel_sso_nonce", status=401), ErrorKind.LOGIN_WALL), (hang, ErrorKind.TIMEOUT)],
)
async def test_without_preflight_nothing_else_runs(tmp_path: Path, handler: Handler, kind: ErrorKind) -> None:
    reports, verdict = await checked(tmp_path, {"*": handler}, target={"timeout": "200ms"})
    assert verdict.decision is Decision.HOLD
    assert reports["preflight"].results[0].error
    assert reports["preflight"].results[0].error.kind is kind
    assert all(reports[stage].not_run for stage in ("smoke", "security", "load"))


async def test_a_certificate_that_is_not_trusted_is_no_go_by_its_own_check(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.test").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with serving({"*": answers("hi")}, tls=context) as url:
        run = run_on(url, tmp_path, environ={"SSL_CERT_FILE": str(tmp_path / "ca.pem")}, **SMALL)
        made, verdict = await pipeline.check(run)
    reports = {report.stage: report for report in made}
    assert reports["preflight"].results[0].error
    assert reports["preflight"].results[0].error.kind is ErrorKind.UNTRUSTED
    assert verdict.decision is Decision.NO_GO
    assert {r.check_id for r in verdict.reasons if r.decision is Decision.NO_GO} == {"security/certificate"}
    assert len(reports["security"].results) == 5
    assert reports["security"].left_out
    assert reports["smoke"].not_run and reports["load"].not_run
    assert verdict.partial


async def test_an_interruption_keeps_what_is_known(tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def stuck(request: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async with serving({"/": answers("<title>t</title>"), "*": stuck}) as url:
        run = run_on(url, tmp_path, **SMALL)
        task = asyncio.create_task(pipeline.check(run, ["security"]))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    verdict = run.store.verdict()
    assert verdict.decision is Decision.HOLD
    assert any("interrupted" in reason.message for reason in verdict.reasons)
    assert {report.stage for report in run.store.reports()} == {"preflight", "security"}


async def test_an_interruption_before_the_second_look_leaves_no_go(tmp_path: Path) -> None:
    looks, again = 0, asyncio.Event()

    async def health(request: web.Request) -> web.Response:
        nonlocal looks
        looks += 1
        if request.headers.get("cache-control") == "no-cache" and looks > 1:
            again.set()
            await asyncio.Event().wait()
        return web.json_response({"commit": "a" * 40})

    async with serving({"/api/health": health, "*": answers("hi", headers=HEADERS)}) as url:
        made = run_on(url, tmp_path, target={"identity": {"json": "commit"}}, **SMALL)
        task = asyncio.create_task(pipeline.check(replace(made, part="live"), ["security"]))
        await again.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    reasons = {reason.check_id: reason.message for reason in made.store.verdict().reasons}
    assert "not looked at again" in reasons["preflight/identity-held"]
    assert made.store.reports()[0].stage == "preflight"


async def test_every_check_has_a_place_in_the_catalogue() -> None:
    ids = [spec.id for spec in pipeline.catalogue()]
    assert len(ids) == len(set(ids))
    assert {check_id.partition("/")[0] for check_id in ids} == {"preflight", *pipeline.stage_names()}
