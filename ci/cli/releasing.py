"""`gonogo release`, `promote`, `rollback` and `reconcile`: the transaction against Vercel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from ci.cli.session import Exit, Session, await_, common

if TYPE_CHECKING:
    from ci.engine.run import Run
    from ci.model import Release


@click.command()
@click.option("--deployment", required=True, help="Id of the staged production deployment to take to production.")
@click.option("--commit", help="The commit that it must have been built from.")
@click.option("--override-pin", is_flag=True, help="Promote although production was rolled back and pinned.")
@common
def release(session: Session, deployment: str, commit: str | None, override_pin: bool) -> None:
    """Test a staged deployment, promote it, verify production, and roll back when it is not right."""
    from ci import pipeline

    _transact(session, commit, lambda run: pipeline.release(run, deployment, override_pin=override_pin))


@click.command()
@click.option("--deployment", required=True, help="Id of the staged production deployment.")
@click.option("--commit", help="The commit that it must have been built from.")
@click.option("--override-pin", is_flag=True, help="Promote although production was rolled back and pinned.")
@common
def promote(session: Session, deployment: str, commit: str | None, override_pin: bool) -> None:
    """Promote a deployment for which the evidence folder holds a fresh GO, and verify production."""
    from ci import pipeline

    _transact(session, commit, lambda run: pipeline.promote(run, deployment, override_pin=override_pin))


@click.command()
@click.option("--to", help="Id of the deployment to go back to; the one before, when not given.")
@common
def rollback(session: Session, to: str | None) -> None:
    """Point production back, and verify it."""
    from ci import pipeline

    _transact(session, None, lambda run: pipeline.rollback(run, to))


@click.command()
@common
def reconcile(session: Session) -> None:
    """Finish, or explain, the release that the journal in the evidence folder tells of."""
    from ci import pipeline

    _transact(session, None, pipeline.reconcile)


def _transact(session: Session, commit: str | None, work: Callable[[Run], Coroutine[Any, Any, Release]]) -> None:
    """Do the work with live progress, print what came of it, and exit with its code."""
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
    sys.exit(EXIT_CODES[done.end] if done.end else Exit.HOLD)
