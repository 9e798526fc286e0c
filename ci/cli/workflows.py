"""`gonogo workflow …`: what the jobs of GitHub Actions run, one command each. They work elsewhere, too.

What a job is told comes by the environment, as `GONOGO_…`, and is validated before it is used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci.cli.minutes import minutes
from ci.cli.releasing import transact
from ci.cli.session import Exit, Session, await_, common, fail, say

if TYPE_CHECKING:
    from ci.config import Config
    from ci.engine.progress import Progress
    from ci.engine.run import Run


@click.group()
def workflow() -> None:
    """The jobs of the workflows, one command each."""


@workflow.command()
@common
def plan(session: Session) -> None:
    """Decide which jobs this run needs.

    By the event of GitHub Actions that began it.
    """
    import json

    from ci.workflow import planning

    config = session.config()
    made = await_(planning.plan(config, os.environ))
    step = session.step(config)
    outputs = planning.outputs(made)
    step.output(**outputs)
    step.summary(planning.summary(made))
    for sentence in (f"{made.route}: {made.why}", *made.left_out):
        step.notice(sentence, sys.stderr)
    click.echo(json.dumps(outputs) if session.as_json else step.redact(planning.summary(made)).rstrip())


@workflow.command()
@common
def stage(session: Session) -> None:
    """Deploy GONOGO_COMMIT, without giving it a domain.

    For GONOGO_TARGET, which is production or preview.
    """
    from ci.engine.gfm import prose
    from ci.workflow.deploying import deploy
    from ci.workflow.inputs import StageInputs

    told = StageInputs.of(os.environ)
    config = session.config()
    with session.show(session.redactor(config)) as progress:
        run = _run(session, config, progress, told.commit)
        made = await_(deploy(run, told.target, told.commit))
    step = session.step(config)
    if made.failure:
        step.summary(f"## 🔴 Not deployed\n\n{prose(made.failure)}")
        fail(Exit.NO_GO, f"NO-GO: {step.redact(made.failure)}")
    subject = made.subject
    step.output(
        url=subject.url,
        deployment=str(subject.deployment_id),
        commit=str(subject.commit),
        baseline=made.baseline_url or "",
    )
    sentence = f"deployed for {told.target}, without a domain: {subject}"
    step.summary(f"## Deployed\n\n{prose(sentence)}")
    session.tell(step.redact(sentence), **subject.model_dump(mode="json"), baseline=made.baseline_url)


@workflow.command()
@common
def gate(session: Session) -> None:
    """Run the stages against GONOGO_URL, and the gate.

    Ends with 0 for every verdict: `enforce` judges it.
    """
    from ci import pipeline
    from ci.cli.checking import known_stages
    from ci.workflow.inputs import GateInputs

    told = GateInputs.of(os.environ)
    known_stages(told.stages, pipeline.stage_names())
    config = session.config(told.url)
    subject = pipeline.subject_of(told.url, told.commit, told.deployment)
    with session.show(session.redactor(config)) as progress:
        run = session.run(config, subject, progress, told.baseline)
        reports, verdict = await_(pipeline.check(run, told.stages))
        pipeline.publish(run.store, reports, verdict)
    session.print(reports, verdict)


@workflow.command()
@common
def tell(session: Session) -> None:
    """Publish the verdict on GitHub.

    As the commit's status, and as the one comment on the pull request.
    """
    from ci.workflow import telling
    from ci.workflow.enforcing import results
    from ci.workflow.inputs import TellInputs

    told = TellInputs.of(os.environ)
    config = session.config()
    store = session.store(config)
    with session.show(session.redactor(config)) as progress:
        others = results(os.environ.get("GONOGO_NEEDS") or "{}")
        work = telling.tell(told, others, store, os.environ, progress, max_age=config.gate.max_age)
        verdict = await_(work)
    sentence = f"told: {verdict.decision} as gonogo/{told.environment} on {told.commit}"
    session.tell(sentence, verdict=verdict.decision, environment=told.environment, commit=told.commit)


@workflow.command()
@common
def staging(session: Session) -> None:
    """Point the staging alias at GONOGO_DEPLOYMENT.

    The evidence folder must hold a GO for it.
    """
    from ci.engine.gfm import prose
    from ci.workflow.deploying import point_staging
    from ci.workflow.inputs import CandidateInputs

    told = CandidateInputs.of(os.environ)
    config = session.config()
    with session.show(session.redactor(config)) as progress:
        sentence = await_(point_staging(_run(session, config, progress, told.commit), told.deployment))
    session.step(config).summary(f"## Staging\n\n{prose(sentence)}")
    session.tell(sentence, deployment=told.deployment, done=sentence)


@workflow.command()
@common
def promote(session: Session) -> None:
    """Promote GONOGO_DEPLOYMENT, and verify production.

    Or finish what an earlier attempt has begun. Production is taken back when it is not right.
    """
    from ci.workflow.inputs import CandidateInputs
    from ci.workflow.promoting import promote_or_resume

    told = CandidateInputs.of(os.environ)
    transact(session, told.commit, lambda run: promote_or_resume(run, told.deployment))


@workflow.command()
@common
def verify(session: Session) -> None:
    """Verify what Vercel has promoted by itself.

    That is GONOGO_DEPLOYMENT. Production is taken back when it is not right.
    """
    from ci.pipeline import releasing
    from ci.workflow.inputs import CandidateInputs

    told = CandidateInputs.of(os.environ)
    transact(session, told.commit, lambda run: releasing.adopt(run, told.deployment))


@workflow.command()
@common
def fork(session: Session) -> None:
    """Judge a pull request that gets no secrets.

    The application is started here, and what can be known of it that way is judged.
    """
    from ci.workflow.events import PullRequest, read_event
    from ci.workflow.offline import judge_offline
    from ci.workflow.routes import without_secrets

    reason = "no secrets were given"
    if os.environ.get("GITHUB_EVENT_NAME"):
        event = read_event(os.environ)
        reason = (event.no_secrets if isinstance(event, PullRequest) else None) or reason
    work = judge_offline(session.evidence, left_out=without_secrets(reason), show=session.show, say=say)
    reports, verdict = await_(work)
    session.finish(reports, verdict)


@workflow.command()
@common
def load(session: Session) -> None:
    """Run the load stage alone, by GONOGO_PROFILE.

    Against GONOGO_URL, else deploy.staging, else the application started here.
    """
    from ci import pipeline
    from ci.workflow.heavy_load import NOT_LINKED, with_profile
    from ci.workflow.inputs import LoadInputs
    from ci.workflow.offline import judge_offline

    told = LoadInputs.of(os.environ)
    config = session.config(told.url)
    url = told.url or config.deploy.staging
    if url is None:
        work = judge_offline(
            session.evidence,
            left_out=(NOT_LINKED,),
            show=session.show,
            say=say,
            stages=("load",),
            adapt=lambda demo: with_profile(demo, told.profile),
        )
        session.finish(*await_(work))
    config = with_profile(config, told.profile)
    with session.show(session.redactor(config)) as progress:
        run = session.run(config, pipeline.subject_of(url), progress, None)
        reports, verdict = await_(pipeline.check(run, ("load",)))
        pipeline.publish(run.store, reports, verdict)
    session.finish(reports, verdict)


@workflow.command()
@common
def freshness(session: Session) -> None:
    """Compare every pinned dependency with the newest.

    With the newest that fits; fails when one has been behind for too long.
    """
    from ci.workflow import freshness as fresh

    found = await_(fresh.freshness(Path()))
    text = fresh.page(found)
    session.store(None).write_text("freshness.md", text)
    session.step().summary(text)
    overdue = [lag.name for lag in found.overdue]
    session.tell(text.rstrip(), overdue=overdue)
    if overdue:
        say(f"behind for too long: {', '.join(overdue)}; run `make lock`, or merge what Dependabot proposes")
        sys.exit(Exit.NO_GO)


@workflow.command()
@common
def enforce(session: Session) -> None:
    """Demand that every planned job has succeeded.

    And that the verdict is GO. GONOGO_NEEDS is `toJSON(needs)`.
    """
    from ci.engine.gfm import prose
    from ci.report.annotations import Annotation
    from ci.workflow.enforcing import enforce as ruling_of

    ruling = ruling_of(os.environ.get("GONOGO_NEEDS", ""))
    step = session.step()
    title = f"{'🟢' if not ruling.problems else '🔴'} Route {ruling.route}"
    told = [prose(problem) for problem in ruling.problems] or ["every planned job has succeeded"]
    step.summary("\n".join([f"## {title}", "", *(f"- {line}" for line in told)]))
    for problem in ruling.problems:
        step.annotate(str(Annotation("error", "Gonogo", problem)), sys.stderr)
        say(problem)
    if session.as_json or not ruling.problems:
        sentence = f"route {ruling.route}: every planned job has succeeded"
        session.tell(sentence, route=ruling.route, problems=ruling.problems, exit_code=int(ruling.code))
    sys.exit(ruling.code)


workflow.add_command(minutes)


def _run(session: Session, config: Config, progress: Progress, commit: str | None) -> Run:
    from ci import pipeline

    return session.run(config, pipeline.subject_of(config.target.production, commit), progress, None)
