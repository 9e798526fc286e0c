"""`gonogo check`, `gate` and `report`: from a target to reports, a verdict, and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ci.cli.session import Exit, Session, as_json, await_, common, fail

if TYPE_CHECKING:
    from ci.engine.run import Part
    from ci.model import StageReport, Subject


@click.command()
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option("--url", metavar="URL", help="The running URL under test; target.production when not given.")
@click.option("--baseline", metavar="URL", help="What serves production now, for comparison.")
@click.option("--commit", metavar="SHA", help="The commit that the target must serve.")
@click.option("--deployment", metavar="ID", help="Id of the deployment under test.")
@click.option(
    "--only",
    "part",
    type=click.Choice(["live", "code"]),
    help="One part of the security stage: the probes of the target, or the scan of the code, which needs no target.",
)
@click.option(
    "--since",
    metavar="REF",
    envvar="GONOGO_SINCE",
    help="Of the code, judge only what was added since this revision.",
)
@common
def check(
    session: Session,
    stages: tuple[str, ...],
    url: str | None,
    baseline: str | None,
    commit: str | None,
    deployment: str | None,
    part: Part | None,
    since: str | None,
) -> None:
    """Test a running target, and judge: GO, NO-GO or HOLD.

    STAGE is smoke, security or load; when none is named, all that gate.required demands are run. Each leaves its
    report in the evidence folder; then the gate judges them.
    """
    from ci import pipeline

    known_stages(stages, pipeline.stage_names())
    if part and tuple(stages) != ("security",):
        fail(Exit.USAGE, f"--only {part} is about the security stage: write `gonogo check security --only {part}`")
    if part == "code":
        config = session.config(pipeline.NO_TARGET)
        subject = await_(pipeline.subject_of_code())
    else:
        config = session.config(url)
        subject = pipeline.subject_of(site_of(url) if url else config.target.production, commit, deployment)
    with session.show(session.redactor(config)) as progress:
        run = session.run(config, subject, progress, site_of(baseline) if baseline else None)
        run = replace(run, part=part, since=since)
        reports, verdict = await_(pipeline.check(run, stages))
        pipeline.publish(run.store, reports, verdict)
    session.finish(reports, verdict)


@click.command()
@click.option("--url", metavar="URL", help="The subject's URL; that of the reports when not given.")
@click.option("--commit", metavar="SHA", help="The commit that the reports must be about.")
@click.option("--deployment", metavar="ID", help="The deployment that the reports must be about.")
@common
def gate(session: Session, url: str | None, commit: str | None, deployment: str | None) -> None:
    """Judge the reports in the evidence folder again."""
    from datetime import UTC, datetime

    from ci.gate.policy import decide
    from ci.pipeline import publish

    config = session.config()
    store = session.store(config)
    reports = store.reports()
    subject = _subject_of_reports(reports, url, commit, deployment)
    verdict = decide(config.gate, subject, reports, now=datetime.now(UTC))
    store.write_verdict(verdict)
    publish(store, reports, verdict)
    session.finish(reports, verdict)


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "md", "html", "junit", "sarif"]),
    default="text",
    show_default=True,
    help="What to make of it.",
)
@common
def report(session: Session, format_: str) -> None:
    """Print what is in the evidence folder."""
    from ci.report import html, junit, markdown, sarif, text

    store = session.store(None)
    reports = store.reports()
    if not reports:
        fail(Exit.HOLD, f"there are no reports in {session.evidence}: run `gonogo check` first")
    verdict = store.verdict() if (session.evidence / "verdict.json").exists() else None
    renderers = {
        "text": text.render,
        "md": markdown.render,
        "html": html.render,
        "junit": junit.render,
        "sarif": sarif.render,
    }
    render = as_json if session.as_json else renderers[format_]
    click.echo(render(reports, verdict, store.release()))


def known_stages(stages: Sequence[str], known: Sequence[str]) -> None:
    """Exit as for wrong usage when a stage is named that there is not."""
    from ci.errors import nearest

    for stage in stages:
        if stage not in known:
            fail(Exit.USAGE, f"there is no stage {stage}; {nearest(stage, known)}")


def site_of(url: str) -> str:
    """The address of a target, which paths are added to. Raises ConfigError when it is none."""
    from ci.config.shape.scalars import place
    from ci.errors import ConfigError

    try:
        return place(url)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _subject_of_reports(
    reports: Sequence[StageReport], url: str | None, commit: str | None, deployment: str | None
) -> Subject:
    """The one subject of the reports, narrowed by what the caller demands."""
    from ci.errors import CannotRun
    from ci.model import ErrorKind

    if not reports:
        raise CannotRun(ErrorKind.NO_DATA, "there are no reports in the evidence folder: run `gonogo check` first")
    subject = next((r.subject for r in reports if r.stage == "preflight"), reports[0].subject)
    demanded = {"url": url, "commit": commit, "deployment_id": deployment}
    return subject.model_copy(update={name: value for name, value in demanded.items() if value})
