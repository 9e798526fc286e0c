"""`gonogo release`, `promote`, `rollback` and `reconcile`: the transaction against Vercel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from ci.cli.session import Exit, Session, await_, common

if TYPE_CHECKING:
    from ci.engine.run import Run
    from ci.model import Release, ReleaseEnd


@click.command()
@click.option(
    "--deployment", metavar="ID", help="Id of a staged production deployment; without it, `vercel deploy` stages one."
)
@click.option("--commit", metavar="SHA", envvar="GITHUB_SHA", help="The commit that it must have been built from.")
@click.option("--override-pin", is_flag=True, help="Promote although production was rolled back and pinned.")
@common
def release(session: Session, deployment: str | None, commit: str | None, override_pin: bool) -> None:
    """Test a staged deployment, promote it, verify production.

    Stages the output that `vercel build` has left, or takes the deployment that is named; promotes on GO alone; takes
    production back when it is not right. Needs VERCEL_TOKEN, VERCEL_PROJECT_ID and, for a team, VERCEL_ORG_ID.
    """
    from ci.pipeline import releasing

    transact(session, commit, lambda run: releasing.release(run, deployment, override_pin=override_pin))


@click.command()
@click.option("--deployment", metavar="ID", required=True, help="Id of the staged production deployment.")
@click.option("--commit", metavar="SHA", help="The commit that it must have been built from.")
@click.option("--override-pin", is_flag=True, help="Promote although production was rolled back and pinned.")
@common
def promote(session: Session, deployment: str, commit: str | None, override_pin: bool) -> None:
    """Promote a deployment that has its GO, verify production.

    The evidence folder must hold a fresh GO for it. Production is taken back when it is not right.
    """
    from ci.pipeline import releasing

    transact(session, commit, lambda run: releasing.promote(run, deployment, override_pin=override_pin))


@click.command()
@click.option(
    "--to",
    metavar="ID",
    envvar="GONOGO_DEPLOYMENT",
    help="Id of the deployment to go back to; the one before, when not given.",
)
@common
def rollback(session: Session, to: str | None) -> None:
    """Point production back, and verify it."""
    from ci.model import ReleaseEnd
    from ci.pipeline import releasing

    transact(session, None, lambda run: releasing.rollback(run, to), wanted=ReleaseEnd.ROLLED_BACK)


@click.command()
@common
def reconcile(session: Session) -> None:
    """Finish or explain a release that was cut short.

    The journal in the evidence folder tells how far it had come.
    """
    from ci.pipeline import releasing

    transact(session, None, releasing.reconcile)


def transact(
    session: Session,
    commit: str | None,
    work: Callable[[Run], Coroutine[Any, Any, Release]],
    *,
    wanted: ReleaseEnd | None = None,
) -> None:
    """Do the work with live progress, print what came of it, and exit with its code: 0 for the end that was wanted."""
    from ci import pipeline
    from ci.deploy.transitions import EXIT_CODES

    config = session.config()
    subject = pipeline.subject_of(config.target.production, commit)
    with session.show(session.redactor(config)) as progress:
        run = session.run(config, subject, progress, None)
        done = run.store.redact.model(await_(work(run)))
    reports, verdict = run.store.reports(), run.store.verdict() if run.store.has_verdict() else None
    pipeline.publish(run.store, reports, verdict, done)
    session.print(reports, verdict, done)
    code = EXIT_CODES[done.end] if done.end else Exit.HOLD
    sys.exit(Exit.GO if wanted and done.end is wanted else code)
