"""`gonogo rehearse` and `drill`: a whole release offline, and the proof that each check sees its flaw."""

from __future__ import annotations

import sys

import click

from ci.cli.session import Exit, Session, await_, common, say


@click.command()
@click.option("--flaw", "flaws", multiple=True, metavar="NAME", help="A flaw in the candidate.")
@click.option(
    "--flaw-after-promotion", "late", multiple=True, metavar="NAME", help="A flaw that production alone shows."
)
@common
def rehearse(session: Session, flaws: tuple[str, ...], late: tuple[str, ...]) -> None:
    """Make a whole release offline, with a demo application.

    Baseline and candidate are started here, beside a stand-in for Vercel; all stages, the gate, promotion, verification
    and rollback are the real ones. `gonogo explain` names the flaws of a check.
    """
    from ci import pipeline
    from ci.deploy.transitions import EXIT_CODES
    from ci.rehearsal.rehearse import rehearse as whole

    done = await_(whole(session.evidence, flaws=flaws, flaws_after_promotion=late, show=session.show, say=say))
    pipeline.publish(session.store(None), done.reports, done.verdict, done.release)
    session.print(done.reports, done.verdict, done.release)
    sys.exit(EXIT_CODES[done.release.end] if done.release.end else Exit.HOLD)


@click.command()
@click.argument("flaws", nargs=-1, metavar="[FLAW]...")
@common
def drill(session: Session, flaws: tuple[str, ...]) -> None:
    """Inject every flaw, and demand that the right check fails.

    Every FLAW, when none is named; no other check may fail. Prints the matrix of flaws and checks.
    """
    import json

    from ci.rehearsal.drill import drill as every
    from ci.rehearsal.drill import matrix

    drilled = await_(every(session.evidence, flaws, say=say))
    if session.as_json:
        click.echo(json.dumps([item.as_dict() for item in drilled]))
    else:
        click.echo(matrix(drilled))
    sys.exit(Exit.GO if all(item.proved for item in drilled) else Exit.NO_GO)
