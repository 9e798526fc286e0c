"""`gonogo load`: judge recorded loads again, and calibrate the comparison."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci.cli import generating
from ci.cli.session import Exit, Session, await_, common, fail

if TYPE_CHECKING:
    from ci.load.archive import Recorded
    from ci.load.calibration import Bias, Calibration, Trial
    from ci.model import StageReport


@click.group()
def load() -> None:
    """Loads from many machines, judged again, or to calibrate."""


load.add_command(generating.run)


@load.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@common
def judge(session: Session, files: tuple[Path, ...]) -> None:
    """Judge recorded samples again.

    They are those of one load, or of all the shards of one. FILE is a load-samples.zip of an evidence folder. The
    report goes to the evidence folder as load.json, as if the load had just been made there.
    """
    from ci.gate.policy import decide
    from ci.load import archive, histograms
    from ci.model import Decision
    from ci.pipeline import publish

    recorded = archive.unpack_all(files)
    config = session.config(recorded.subject.url)
    store = session.store(config)
    report = await_(_report(recorded))
    store.write_report(report)
    for name, log in histograms.logs(recorded.run).items():
        store.write_text(name, log)
    # As of then, and without a look at the target: the gate that decides about a release asks for both.
    verdict = decide(config.gate, report.subject, [report], now=report.finished_at, only=("load",), target=False)
    publish(store, [report], verdict)
    session.print([report], verdict)
    sys.exit({Decision.GO: Exit.GO, Decision.NO_GO: Exit.NO_GO, Decision.HOLD: Exit.HOLD}[verdict.decision])


async def _report(recorded: Recorded) -> StageReport:
    from ci.engine.progress import Silence
    from ci.engine.runner import run_stage
    from ci.load import checks, stage

    async def judged() -> StageReport:
        return stage.report_of(recorded, Silence())

    report = await run_stage(
        stage.STAGE, recorded.subject, judged, specs=checks.ALL, timeout_s=3600, progress=Silence()
    )
    return report.model_copy(update={"started_at": recorded.started_at, "finished_at": recorded.finished_at})


@load.command()
@click.option("--url", metavar="URL", required=True, help="A deployment.")
@click.option("--baseline", metavar="URL", required=True, help="Another deployment of the same code.")
@click.option("--runs", type=click.IntRange(2, 1000), default=10, show_default=True, help="How often to compare them.")
@common
def calibrate(session: Session, url: str, baseline: str, runs: int) -> None:
    """Learn how large a tolerance must be.

    Compares two deployments of the same code as often as --runs says. Tells how often the comparison raised a false
    alarm, how unlike the two places are, and which load.regression.delta covers that.
    """
    import json

    from ci.load.calibration import Calibration

    config = session.config(url)
    trials: list[Trial] = []
    for number in range(1, runs + 1):
        trial = await_(_trial(session, config, url, baseline))
        if trial is None:
            fail(Exit.HOLD, f"run {number} measured nothing that can be compared: look at both deployments first")
        trials.append(trial)
        click.echo(f"run {number} of {runs}: {trial_in_words(trial)}", err=True)
    found = Calibration.of(trials)
    click.echo(json.dumps(as_dict(found)) if session.as_json else in_words(found, config.load.regression.delta))


async def _trial(session: Session, config: Any, url: str, baseline: str) -> Trial | None:
    from ci.cli.checking import site_of
    from ci.engine.progress import Silence
    from ci.load import stage
    from ci.load.calibration import Trial
    from ci.pipeline import subject_of

    run = session.run(config, subject_of(site_of(url)), Silence(), site_of(baseline))
    recorded = await stage.record(run)
    stage.demand_the_application(recorded.run)
    return Trial.of(recorded.run) if len(recorded.run.standing.blocks.pairs) else None


def trial_in_words(trial: Trial) -> str:
    what = trial.ruling.name.lower().replace("_", " ")
    return f"{what}, typically {_percent(trial.typical)}, p95 {_percent(trial.p95)}"


def in_words(found: Calibration, delta: float) -> str:
    low, high = found.alarm_rate
    proposed = found.proposed_delta
    advice = (
        f"load.regression.delta is {delta:g}, which covers that"
        if delta >= proposed
        else f"set load.regression.delta to {proposed:g} (it is {delta:g})"
    )
    return "\n".join(
        (
            f"false alarms: {found.alarms} of {len(found.trials)} runs; the true rate is from {low:.1%} to {high:.1%}",
            f"placement bias of the typical request: {_bias(found.typical)}",
            f"placement bias of the p95: {_bias(found.p95)}",
            f"proposed delta: {proposed:g}; {advice}",
        )
    )


def as_dict(found: Calibration) -> dict[str, Any]:
    low, high = found.alarm_rate
    return {
        "runs": len(found.trials),
        "alarms": found.alarms,
        "alarm_rate": {"low": low, "high": high},
        "typical": {"mean": found.typical.mean, "spread": found.typical.spread},
        "p95": {"mean": found.p95.mean, "spread": found.p95.spread},
        "proposed_delta": found.proposed_delta,
    }


def _bias(bias: Bias) -> str:
    return f"{bias.mean:+.1%} on average, {bias.spread:.1%} from run to run, below {bias.bound:.1%} in 99 of 100 runs"


def _percent(log_ratio: float) -> str:
    import math

    return f"{math.expm1(log_ratio):+.1%}"
