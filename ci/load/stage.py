"""The load stage: generate a load, judge its samples, draw its figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ci.config import Config
from ci.engine import runner
from ci.engine.evidence import EvidenceStore
from ci.engine.http import login_wall
from ci.engine.progress import Progress
from ci.engine.run import Run
from ci.errors import CannotRun
from ci.load import access, checks, generator, memory
from ci.load.messages import Ending, Pulse
from ci.load.plan import WHOLE, Limits, Plan, Shard
from ci.load.recording import Arm, Failure
from ci.model import CheckSpec, ErrorKind, StageReport

if TYPE_CHECKING:
    from ci.load.archive import Recorded
    from ci.load.demands import Demands
    from ci.load.load_run import LoadRun

STAGE = "load"


def specs(config: Config) -> tuple[CheckSpec, ...]:
    """Every check that the stage reports."""
    return checks.ALL


def time_limit_s(config: Config) -> float:
    """Seconds after which the stage has certainly hung."""
    return generator.time_limit_s(Plan.of(config.load, config.target.production), master_of(config)) + 10


def master_of(config: Config) -> generator.Address | None:
    """Where the workers of other machines join, when they make the load."""
    return generator.Address.of(config.load.master) if config.load.master else None


async def run(run: Run) -> StageReport:
    """Load the target and judge it. Raises CannotRun when nothing can be known about it."""
    recorded = await record(run)
    keep(recorded, run.store)
    return report_of(recorded, run.progress)


async def record(run: Run, *, shard: Shard = WHOLE) -> Recorded:
    """Load the target, or make one shard of its load."""
    # numpy is the stage's extra, so it is imported only when the stage runs.
    from ci.load.archive import Recorded
    from ci.load.demands import Demands
    from ci.load.load_run import LoadRun
    from ci.load.samples import Samples

    started_at = datetime.now(UTC)
    load = run.config.load
    plan = Plan.of(load, run.url, run.baseline_url).model_copy(update={"shard": shard})
    demands = Demands.of(load, duration_s=plan.duration_s, relative=plan.baseline_url is not None)

    def on_pulse(pulse: Pulse) -> None:
        run.progress.stage_at(STAGE, activity(pulse, plan))

    run.progress.stage_at(STAGE, f"starting {plan.users_here} users")
    accesses = await access.gain(plan, run.http, run.config.smoke.login, run.environ)
    async with memory.watching(load, run.http) as readings:
        recording = await generator.generate(
            plan,
            environ=without(run.environ, run.config.secret_variables()),
            accesses=accesses,
            redact=run.store.redact,
            on_pulse=on_pulse,
            on_batch=umpire(plan, Limits.of(load), demands),
            master=master_of(run.config),
        )
    ending = recording.ending.model_copy(update=readings.as_fields())
    return Recorded(
        subject=run.subject,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        run=LoadRun(
            plan=plan,
            limits=Limits.of(load),
            demands=demands,
            samples=Samples.read(recording.samples, expected=ending.requests, endpoints=len(plan.endpoints)),
            ending=run.store.redact.model(ending),
            inconclusive=load.inconclusive,
        ),
    )


def umpire(plan: Plan, limits: Limits, demands: Demands) -> generator.OnBatch:
    """Who watches the load, and ends it as soon as the answer is certain."""
    from ci.load.capacity import Ladder
    from ci.load.referee import Referee

    return Ladder(plan, limits).feed if plan.profile == "capacity" else Referee(plan, demands).hear


def keep(recorded: Recorded, store: EvidenceStore) -> None:
    """Leave the samples in the evidence folder, to be judged again, and the histograms for other tools."""
    from ci.load import archive, histograms

    store.write_bytes(archive.FILE, archive.pack(recorded, store.redact))
    for name, log in histograms.logs(recorded.run).items():
        store.write_text(name, log)


def report_of(recorded: Recorded, progress: Progress) -> StageReport:
    """Judge a load that has ended. Raises CannotRun when nothing can be known about the target."""
    from ci.load import drift, figures, judge, regression

    run = recorded.run
    demand_the_application(run)
    results = []
    for check in (judge.latency, judge.error_rate, judge.volume, regression.regression, drift.drift):
        results.append(runner.judge(check, run))
        progress.check_done(STAGE, results[-1])
    return StageReport(
        stage=STAGE,
        subject=recorded.subject,
        started_at=recorded.started_at,
        finished_at=recorded.finished_at,
        results=tuple(results),
        measures=figures.measures(run),
        plots=figures.plots(run),
    )


def activity(pulse: Pulse, plan: Plan) -> str:
    """What the load is doing, for a person who waits."""
    p95 = f"p95 {pulse.p95_ms:.0f} ms" if pulse.p95_ms is not None else "no answers"
    at = min(pulse.at_s, plan.end_s)
    warming = " · warming up" if at < plan.warm_up_s else ""
    return f"{at:.0f} s of {plan.end_s:g} s · {pulse.rate:.0f} requests/s · {p95}{warming}"


def demand_the_application(run: LoadRun) -> None:
    """Raises CannotRun unless it was the application that was loaded, and it answered at least once."""
    ending, plan = run.ending, run.plan
    who = "the baseline" if ending.arm is Arm.BASELINE else "the target"
    match ending.stopped:
        case ErrorKind.RATE_LIMITED:
            raise CannotRun(
                ErrorKind.RATE_LIMITED,
                f"{who} limits our requests ({ending.detail}), so the load was stopped after {ending.at_s:.1f} s; "
                "exempt the checks' user agent and address from the limit, load other endpoints (load.scenarios), or "
                "lower load.rate",
            )
        case ErrorKind.CHALLENGED:
            raise CannotRun(
                ErrorKind.CHALLENGED,
                f"Vercel's firewall answered in the place of {who} ({ending.detail}), so the load was stopped "
                f"after {ending.at_s:.1f} s; let the checks pass by a firewall bypass rule for their user agent and "
                "address",
            )
        case ErrorKind.LOGIN_WALL:
            raise login_wall(plan.url_of(ending.arm or Arm.CANDIDATE))
        case ErrorKind.UNREACHABLE if ending.arm is Arm.BASELINE:
            raise CannotRun(
                ErrorKind.UNHEALTHY,
                f"the baseline is not there to compare with: {ending.detail}; what serves production must hold this "
                "load itself, so look after it first, or give another --baseline",
            )
    samples = run.samples.arm(Arm.CANDIDATE)
    if not len(samples) - samples.unsent:
        raise CannotRun(ErrorKind.NO_DATA, "the load generator made no request at all: see load.users and load.rate")
    if not samples.answered:
        raise nothing_answered(ending, plan, len(samples) - samples.unsent)


def nothing_answered(ending: Ending, plan: Plan, sent: int) -> CannotRun:
    """That the target was not there for the load from its first request on."""
    seen = "; ".join(ending.examples.values()) or "no reason is known"
    only_timeouts = set(ending.examples) == {Failure.TIMEOUT}
    return CannotRun(
        ErrorKind.TIMEOUT if only_timeouts else ErrorKind.UNREACHABLE,
        f"none of {sent} requests to {plan.url} was answered: {seen}; "
        "look whether the target is up and can be reached from here",
    )


def without(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key not in set(names)}
