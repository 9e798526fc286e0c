"""The load stage: generate a load, judge its samples, draw its figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ci.config import Config
from ci.engine.http import login_wall, origin
from ci.engine.run import Run
from ci.engine.runner import judge
from ci.errors import CannotRun
from ci.load import checks, generator
from ci.load.plan import Limits, Plan
from ci.load.recording import Ending, Failure, Pulse
from ci.model import CheckSpec, ErrorKind, StageReport

STAGE = "load"


def specs(config: Config) -> tuple[CheckSpec, ...]:
    """Every check that the stage reports."""
    return checks.ALL


def time_limit_s(config: Config) -> float:
    """Seconds after which the stage has certainly hung."""
    return generator.time_limit_s(Plan.of(config.load, config.target.production)) + 10


async def run(run: Run) -> StageReport:
    """Load the target and judge it. Raises CannotRun when nothing can be known about it."""
    # numpy is the stage's extra, so it is imported only when the stage runs.
    from ci.load import figures
    from ci.load import judge as judgement
    from ci.load.samples import Samples

    started_at = datetime.now(UTC)
    load = run.config.load
    plan = Plan.of(load, run.url)

    def on_pulse(pulse: Pulse) -> None:
        run.progress.stage_at(STAGE, activity(pulse, plan))

    run.progress.stage_at(STAGE, f"starting {plan.users} users")
    recording = await generator.generate(
        plan,
        environ=without(run.environ, run.config.secret_variables()),
        bypass=run.http.bypass.get(origin(run.url)),
        redact=run.store.redact,
        on_pulse=on_pulse,
    )
    ending = recording.ending
    samples = Samples.read(recording.samples, expected=ending.requests, endpoints=len(plan.endpoints))
    demand_the_application(ending, plan, sent=len(samples) - samples.unsent, answered=samples.answered)
    measured = judgement.LoadRun(plan=plan, limits=Limits.of(load), samples=samples, ending=ending)
    results = []
    for check in (judgement.latency, judgement.error_rate, judgement.volume):
        results.append(judge(check, measured))
        run.progress.check_done(STAGE, results[-1])
    return StageReport(
        stage=STAGE,
        subject=run.subject,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        results=tuple(results),
        measures=figures.measures(measured),
        plots=figures.plots(measured),
    )


def activity(pulse: Pulse, plan: Plan) -> str:
    """What the load is doing, for a person who waits."""
    p95 = f"p95 {pulse.p95_ms:.0f} ms" if pulse.p95_ms is not None else "no answers"
    at = min(pulse.at_s, plan.end_s)
    warming = " · warming up" if at < plan.warm_up_s else ""
    return f"{at:.0f} s of {plan.end_s:g} s · {pulse.rate:.0f} requests/s · {p95}{warming}"


def demand_the_application(ending: Ending, plan: Plan, *, sent: int, answered: int) -> None:
    """Raises CannotRun unless it was the application that was loaded, and it answered at least once."""
    match ending.stopped:
        case ErrorKind.RATE_LIMITED:
            raise CannotRun(
                ErrorKind.RATE_LIMITED,
                f"the target limits our requests ({ending.detail}), so the load was stopped after {ending.at_s:.1f} s; "
                "exempt the checks' user agent and address from the limit, load other endpoints (load.scenarios), or "
                "lower load.rate",
            )
        case ErrorKind.CHALLENGED:
            raise CannotRun(
                ErrorKind.CHALLENGED,
                f"Vercel's firewall answered in the application's place ({ending.detail}), so the load was stopped "
                f"after {ending.at_s:.1f} s; let the checks pass by a firewall bypass rule for their user agent and "
                "address",
            )
        case ErrorKind.LOGIN_WALL:
            raise login_wall(plan.url)
    if not sent:
        raise CannotRun(ErrorKind.NO_DATA, "the load generator made no request at all: see load.users and load.rate")
    if not answered:
        raise nothing_answered(ending, plan, sent)


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
