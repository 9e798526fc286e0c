"""One round: all probes side by side, what failed looked at once more, and the monitor's own sight tested first."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx

from ci.config import Config
from ci.engine.http import BYPASS_VARIABLE, tls_context
from ci.errors import CannotRun
from ci.model import ErrorKind
from ci.monitor.facts import DETAIL_LIMIT, Condition, Kind, ProbeRecord, Round, Series
from ci.monitor.probing.plan import Known, plan, sites
from ci.monitor.probing.probe import Eyes, Probe, Seen
from ci.monitor.probing.witnesses import blindness
from ci.monitor.rollup import slot_of
from ci.monitor.rules import PRODUCTION

AT_ONCE = 50
"""Probes under way at the same time."""
ROUND = Series(environment="", target="round", kind=Kind.MONITOR)
_DRIFTS = {Kind.DNS, Kind.HEADERS}
_MEANINGS = {
    ErrorKind.LOGIN_WALL: Condition.DOWN,
    ErrorKind.CHALLENGED: Condition.UNKNOWN,
    ErrorKind.RATE_LIMITED: Condition.UNKNOWN,
    ErrorKind.MISCONFIGURED: Condition.UNKNOWN,
}
"""What an answer in the application's place means; who is turned away as a robot knows nothing about people."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one or two looks of a probe found out."""

    seen: Seen
    at: datetime
    tries: int = 1


async def make_round(
    config: Config,
    environ: Mapping[str, str],
    redact: Callable[[str], str],
    *,
    every_s: int,
    recent: Sequence[ProbeRecord] = (),
) -> Round:
    """Look at everything that the configuration names. `recent` are the records to compare with."""
    started = datetime.now(UTC)
    eyes, known = _eyes(config, environ), _known(config, recent, started)
    probes = plan(config, eyes, known)
    looks, blind = await _look_around(probes, eyes, config)
    told = blind or f"{len(probes)} probes in {(datetime.now(UTC) - started).total_seconds():.1f} s"
    looks.append(_Look(Seen(ROUND, Condition.UNKNOWN if blind else Condition.UP, told), started))
    slot = slot_of(started, every_s)
    round_id = f"{slot:%Y%m%dT%H%M%SZ}.{_run(environ)}"

    def record(look: _Look) -> ProbeRecord:
        seen = _drifted(look.seen, known)
        series = seen.series
        return ProbeRecord(
            round_id=round_id,
            slot=slot,
            every_s=every_s,
            at=look.at,
            environment=series.environment,
            target=series.target,
            kind=series.kind,
            outcome=seen.outcome,
            latency_ms=seen.latency_ms,
            detail=_cut(redact(seen.detail)),
            tries=look.tries,
            value=redact(seen.value),
            measure=seen.measure,
            maintenance=_maintenance(config, look.at, series),
        )

    return Round(
        id=round_id,
        slot=slot,
        every_s=every_s,
        started_at=started,
        finished_at=datetime.now(UTC),
        records=tuple(record(look) for look in looks),
    )


async def _look_around(probes: Sequence[Probe], eyes: Eyes, config: Config) -> tuple[list[_Look], str | None]:
    """All looks, and why the monitor was blind when it was: then nothing that was seen counts."""
    monitor, started = config.monitor, datetime.now(UTC)
    settle_s = monitor.recheck_after.total_seconds()
    blind = await blindness(eyes, monitor.witnesses)
    if blind:
        await asyncio.sleep(settle_s)
        blind = await blindness(eyes, monitor.witnesses)
    if not blind:
        limit = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(_settled(probe, eyes, settle_s, limit) for probe in probes))
        looks = [look for part in found for look in part]
        failing = any(look.seen.outcome.failing for look in looks)
        blind = await blindness(eyes, monitor.witnesses) if failing else None
        if not blind:
            return looks, None
    unseen = [Seen(probe.series, Condition.UNKNOWN, "the monitor was blind") for probe in probes]
    return [_Look(seen, started) for seen in unseen], blind


async def _settled(probe: Probe, eyes: Eyes, settle_s: float, limit: asyncio.Semaphore) -> list[_Look]:
    """A look; when something fails a second one, on fresh connections, which counts."""
    async with limit:
        first = await _once(probe, eyes)
        if not (probe.again and any(look.seen.outcome.failing for look in first)):
            return first
        await asyncio.sleep(settle_s)
        second = await _once(probe, eyes)
    before = {look.seen.series: look.seen for look in first}
    return [_second(look, before.get(look.seen.series)) for look in second]


def _second(look: _Look, before: Seen | None) -> _Look:
    """The second look, with what the first one saw when that was worse."""
    if before is None or not before.outcome.failing:
        return look
    seen = look.seen
    if not seen.outcome.failing:
        # The visitor of the first try had to wait so long; a quicker second answer does not undo that.
        latency = before.latency_ms if before.latency_ms is not None else seen.latency_ms
        seen = replace(seen, detail=f"{seen.detail} at the second try; first: {before.detail}", latency_ms=latency)
    return replace(look, seen=seen, tries=2)


async def _once(probe: Probe, eyes: Eyes) -> list[_Look]:
    at, begin = datetime.now(UTC), time.perf_counter()
    try:
        async with asyncio.timeout(eyes.timeout_s):
            return [_Look(seen, at) for seen in await probe.look()]
    except CannotRun as error:
        meaning = _MEANINGS.get(error.kind, probe.silence)
        # Who could only have told something of the application tells nothing of it from behind a wall.
        seen = Seen(probe.series, Condition.UNKNOWN if probe.silence is Condition.UNKNOWN else meaning, str(error))
    except (TimeoutError, httpx.TimeoutException):
        seen = Seen(probe.series, probe.silence, f"no answer within {time.perf_counter() - begin:.1f} s")
    except (httpx.HTTPError, OSError) as error:
        seen = Seen(probe.series, probe.silence, f"no answer: {_reason(error)}")
    except Exception as error:  # a mistake in one probe must not make the others blind, nor anybody down
        seen = Seen(probe.series, Condition.UNKNOWN, f"this probe has a defect: {type(error).__name__}: {error}")
    return [_Look(seen, at)]


def _reason(error: BaseException) -> str:
    """What the system said, where a library's own words hide it."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ConnectionRefusedError):
            return "the connection is refused"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _eyes(config: Config, environ: Mapping[str, str]) -> Eyes:
    variables = {name: environment.bypass for name, environment in config.monitor.environments.items()}
    variables[PRODUCTION] = BYPASS_VARIABLE
    own = {site: environ.get(variables[name] or "", "") for name, site in sites(config).items()}
    return Eyes(
        environ=environ,
        tls=tls_context(environ),
        timeout_s=config.monitor.timeout.total_seconds(),
        token=secrets.token_hex(6),
        secrets={site: secret for site, secret in own.items() if secret},
    )


def _known(config: Config, recent: Sequence[ProbeRecord], now: datetime) -> Known:
    """Of every series the oldest record with a value that is young enough to compare with."""
    known: dict[Series, ProbeRecord] = {}
    for record in recent:
        settled = record.at < now - config.monitor.drift_settles
        if record.value and (record.series not in known or settled or record.kind is Kind.DOMAIN):
            known[record.series] = record
    return known


def _drifted(seen: Seen, earlier: Known) -> Seen:
    """What is well, but not what it was: told until it has been so for long enough."""
    before = earlier.get(seen.series)
    same = before is None or before.value == seen.value
    if same or seen.outcome is not Condition.UP or seen.series.kind not in _DRIFTS:
        return seen
    assert before
    changed = f"was `{before.value[:100]}` on {before.at:%Y-%m-%d %H:%M} UTC, is `{seen.value[:100] or 'nothing'}`"
    return replace(seen, outcome=Condition.DEGRADED, detail=f"{changed}; if that was not meant, put it back")


def _maintenance(config: Config, at: datetime, series: Series) -> str:
    windows = (w for w in config.monitor.maintenance if w.covers(at, series.environment, series.target))
    return next((window.reason for window in windows), "") if series.kind is not Kind.MONITOR else ""


def _run(environ: Mapping[str, str]) -> str:
    """Tells two rounds in one slot apart."""
    run, attempt = environ.get("GITHUB_RUN_ID"), environ.get("GITHUB_RUN_ATTEMPT", "1")
    return f"{run}-{attempt}" if run else secrets.token_hex(4)


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= DETAIL_LIMIT else flat[: DETAIL_LIMIT - 1] + "…"
