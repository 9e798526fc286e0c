"""`gonogo monitor`: rounds of probes, the figures of their history, and what a schedule costs."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci.cli.paging import history_option, page
from ci.cli.session import Exit, Session, await_, common, fail, say

if TYPE_CHECKING:
    from ci.config import Config
    from ci.monitor.facts import Round
    from ci.monitor.overview import Overview
    from ci.monitor.watching import Done


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases of click alone
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from pydantic import TypeAdapter, ValidationError

        from ci.config.shape.scalars import Duration

        try:
            return TypeAdapter(Duration).validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"].removeprefix("Value error, "), param, ctx)


@click.group()
def monitor() -> None:
    """Watch what is live: rounds of probes and their history.

    Exit codes of a round: 0 all up · 1 something is down · 2 configuration · 3 it could not be known.
    """


@monitor.command()
@history_option
@click.option(
    "--for", "lasts", type=_Duration(), envvar="GONOGO_MONITOR_FOR", help="Go on making rounds for so long, as in 14m."
)
@click.option(
    "--every", type=_Duration(), envvar="GONOGO_MONITOR_EVERY", help="Between two rounds with --for, as in 60s."
)
@click.option(
    "--page",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the status page there.",
)
@common
def run(
    session: Session, place: str | None, lasts: timedelta | None, every: timedelta | None, folder: Path | None
) -> None:
    """Probe everything, write it down, tell people.

    One round; with --for, one after another. The first round needs no preparation.
    """
    if every and not lasts:
        fail(Exit.USAGE, "--every says how often within --for: write both, as in --for 14m --every 60s")
    if every and (every < timedelta(seconds=1) or timedelta(days=1) % every):
        fail(Exit.USAGE, "--every must fill a day exactly, as 30s, 60s, 5m or 15m do")
    done = await_(_watch(session, place, lasts, every, folder))
    _summarise(done)
    _print(session, done.round, done.overview)
    sys.exit(_exit_code(done.round))


@monitor.command()
@history_option
@common
def figures(session: Session, place: str | None) -> None:
    """Print uptime with its coverage, latency and incidents.

    Uptime comes with the share of time that was observed and with bounds; further the error budget and missed rounds.
    """
    import json

    from ci.monitor.wording import figures_in_words

    told = await_(_tell(session, place))
    click.echo(json.dumps(_as_data(told)) if session.as_json else figures_in_words(told))
    sys.exit(Exit.GO if told.days else Exit.HOLD)


@monitor.command()
@common
def cost(session: Session) -> None:
    """Print what each schedule costs in minutes a month."""
    import json
    from dataclasses import asdict

    from ci.config.shape.monitor import Monitor
    from ci.monitor.cost import choices, table

    settings = session.config().monitor if session.config_path.exists() else Monitor()
    every = choices(settings.interval, settings.open_after)
    if session.as_json:
        rows = [{**asdict(one), "name": one.name, "minutes_a_month": one.minutes_a_month} for one in every]
        click.echo(json.dumps(rows, default=lambda value: value.total_seconds()))
    else:
        click.echo(table(every))


monitor.add_command(page)


async def _watch(
    session: Session, place: str | None, lasts: timedelta | None, every: timedelta | None, folder: Path | None
) -> Done:
    from ci.monitor.history import open_history
    from ci.monitor.watching import Watcher

    config = session.config()
    redact = session.redactor(config)

    def publish(told: Overview) -> None:
        from ci.monitor.page.files import write
        from ci.monitor.page.view import build

        if folder:
            write(build(told, config), folder)

    async with open_history(place, config.monitor.history, os.environ, Path.cwd()) as history:
        watcher = Watcher(config, history, os.environ, redact, lambda text: say(redact(text)), publish)
        every = every or config.monitor.interval
        return await (watcher.for_a_while(lasts, every) if lasts else watcher.once(every))


async def _tell(session: Session, place: str | None) -> Overview:
    from datetime import UTC, datetime

    from ci.monitor.history import open_history
    from ci.monitor.overview import overview

    config: Config = session.config()
    async with open_history(place, config.monitor.history, os.environ, Path.cwd(), to_read=True) as history:
        return await overview(history, config.monitor, datetime.now(UTC))


def _summarise(done: Done) -> None:
    """In GitHub Actions: on the page of the run."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        from ci.monitor.summary import summary

        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(done.round, done.overview))


def _print(session: Session, made: Round, told: Overview) -> None:
    import json

    from ci.monitor.wording import incident_in_words, round_in_words

    if session.as_json:
        click.echo(json.dumps({"round": made.model_dump(mode="json"), **_as_data(told)}))
        return
    click.echo(round_in_words(made, verbose=session.verbose))
    for incident in told.open:
        click.echo(incident_in_words(incident))
    for one in told.figures["24h"].values():
        if one.series.kind == "all":
            click.echo(f"{one.series.environment}, last 24 h: {one}")
    if told.corrupt:
        say(f"{told.corrupt} lines of the history cannot be read; they were skipped")


def _as_data(told: Overview) -> dict[str, object]:
    return {
        "now": told.now.isoformat(),
        "figures": {
            window: [
                {
                    **one.model_dump(mode="json"),
                    **{name: getattr(one, name) for name in ("uptime", "coverage", "low", "high", "error_rate")},
                }
                for one in figures.values()
            ]
            for window, figures in told.figures.items()
        },
        "budget": told.budget.model_dump(mode="json") if told.budget else None,
        "responses": [response.model_dump(mode="json") for response in told.responses],
        "incidents": [{"id": one.id, **one.model_dump(mode="json")} for one in told.incidents],
        "gaps": [gap.model_dump(mode="json") for gap in told.gaps],
        "corrupt": told.corrupt,
    }


def _exit_code(made: Round) -> Exit:
    """Vendors' trouble and announced maintenance are told, but are no outage of ours."""
    from ci.monitor.facts import Condition, Kind

    ours = [one for one in made.records if one.kind is not Kind.VENDOR and not one.maintenance]
    if any(one.outcome is Condition.DOWN for one in ours):
        return Exit.NO_GO
    seen = [one for one in ours if one.kind.serves]
    if made.blind or not seen or any(one.outcome is Condition.UNKNOWN for one in seen):
        return Exit.HOLD
    return Exit.GO
