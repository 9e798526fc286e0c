"""`gonogo load run`: one load from many machines."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ci.cli.checking import site_of
from ci.cli.session import Exit, Session, await_, common, fail

if TYPE_CHECKING:
    from ci.config import Config
    from ci.engine.run import Run
    from ci.load.plan import Shard


@click.command()
@click.option("--url", metavar="URL", help="The running URL under test; target.production when not given.")
@click.option("--baseline", metavar="URL", help="What serves production now, for comparison.")
@click.option("--commit", metavar="SHA", help="The commit that the target must serve.")
@click.option("--deployment", metavar="ID", help="Id of the deployment under test.")
@click.option("--master", metavar="[HOST:]PORT", help="Wait here for workers, conduct them, and judge the load.")
@click.option("--workers", type=click.IntRange(1), help="How many; load.workers when not given.")
@click.option("--worker", metavar="HOST[:PORT]", help="Be a worker of the master there.")
@click.option("--shard", metavar="K/N", help="Make the K-th of N parts, to be judged with the others by `load judge`.")
@common
def run(
    session: Session,
    url: str | None,
    baseline: str | None,
    commit: str | None,
    deployment: str | None,
    master: str | None,
    workers: int | None,
    worker: str | None,
    shard: str | None,
) -> None:
    """Make one load from many machines.

    On a single one, `gonogo check load` is what you want. Either one machine is the --master of as many --worker
    machines as it expects, or each machine makes its own --shard without knowing of the others, and `gonogo load
    judge` judges all of them together. Every machine is given the same gonogo.yaml, URLs and secrets.
    """
    from ci import pipeline

    if sum(option is not None for option in (master, worker, shard)) != 1:
        fail(Exit.USAGE, "give one of --master, --worker and --shard; on a single machine use `gonogo check load`")
    config = _told(session.config(url), master, workers)
    subject = pipeline.subject_of(site_of(url) if url else config.target.production, commit, deployment)
    with session.show(session.redactor(config)) as progress:
        job = session.run(config, subject, progress, site_of(baseline) if baseline else None)
        if worker:
            await_(_work(job, worker))
            session.tell("the master has ended the load", worker_of=worker, ended=True)
        elif shard:
            part = _shard(shard)
            await_(_one_shard(job, part))
            told = f"shard {shard} is in {session.evidence}: judge all of them with `gonogo load judge`"
            session.tell(told, shard=shard, evidence=session.evidence)
        else:
            reports, verdict = await_(pipeline.check(job, ("load",)))
            pipeline.publish(job.store, reports, verdict)
            session.finish(reports, verdict)
    sys.exit(Exit.GO)


async def _work(job: Run, master: str) -> None:
    from ci.load import access, generator, stage
    from ci.load.plan import Plan

    config = job.config
    plan = Plan.of(config.load, job.url, job.baseline_url)
    await generator.work(
        generator.Address.of(_address("--worker", master)),
        environ=stage.without(job.environ, config.secret_variables()),
        accesses=await access.gain(plan, job.http, config.smoke.login, job.environ),
        timeout_s=generator.time_limit_s(plan, generator.Address()),
    )


async def _one_shard(job: Run, part: Shard) -> None:
    from ci import preflight
    from ci.load import stage
    from ci.model import Outcome

    subject, seen = await preflight.before(job)
    for result in seen:
        if result.outcome is Outcome.ERROR:
            fail(Exit.HOLD, f"HOLD: {result.spec.id}: {result.error.message if result.error else ''}")
    stage.keep(await stage.record(replace(job, subject=subject), shard=part), job.store)


def _told(config: Config, master: str | None, workers: int | None) -> Config:
    """The configuration with what the command line says of machines."""
    changes: dict[str, Any] = {"master": None}
    if master:
        changes["master"] = f"0.0.0.0:{master}" if master.isdigit() else _address("--master", master)
    if workers:
        changes["workers"] = workers
    return config.model_copy(update={"load": config.load.model_copy(update=changes)})


def _address(option: str, text: str) -> str:
    from ci.config.shape.load import ADDRESS

    if not re.match(ADDRESS, text):
        fail(Exit.USAGE, f"{option} {text}: write host:port, as in load-master.internal:5557")
    return text


def _shard(text: str) -> Shard:
    from ci.load.plan import Shard

    match = re.fullmatch(r"(\d+)/(\d+)", text)
    index, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= index <= of:
        fail(Exit.USAGE, f"--shard {text}: write the number of the part and of all parts, as in 2/4")
    return Shard(index=index - 1, of=of)
