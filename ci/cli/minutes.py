"""`gonogo workflow minutes`: what the workflows cost a month, before anybody has to find out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ci.workflow.minutes import Bill

PLANS = ("free", "team", "enterprise")


@click.command()
@click.option("--main", default=30, show_default=True, type=click.IntRange(0), help="Pushes to main a month.")
@click.option("--develop", default=40, show_default=True, type=click.IntRange(0), help="Pushes to develop a month.")
@click.option("--pulls", default=80, show_default=True, type=click.IntRange(0), help="Pushes to pull requests a month.")
@click.option("--forks", default=0, show_default=True, type=click.IntRange(0), help="Of these from forks, in addition.")
@click.option("--by-vercel", is_flag=True, help="Vercel's Git integration builds; the pipeline judges.")
@click.option("--public", is_flag=True, help="The repository is public: standard runners cost nothing.")
@click.option("--plan", type=click.Choice(PLANS), default="free", show_default=True, help="GitHub's plan.")
@click.option(
    "--measured",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Durations of real jobs, as `gh api repos/OWNER/NAME/actions/runs/ID/jobs` prints them.",
)
@click.option(
    "--workflows",
    metavar="FOLDER",
    help="Where the workflow files are.",
    type=click.Path(path_type=Path, file_okay=False),
    default=".github/workflows",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout, and nothing else there.")
def minutes(
    main: int,
    develop: int,
    pulls: int,
    forks: int,
    by_vercel: bool,
    public: bool,
    plan: str,
    measured: Path | None,
    workflows: Path,
    as_json: bool,
) -> None:
    """Print what the workflows cost in minutes a month.

    Computed from the workflow files, each job rounded up to whole minutes as GitHub does.
    """
    from ci.workflow.minutes import bill, measured_durations
    from ci.workflow.routes import JOBS

    made = bill(
        workflows,
        routes={str(route): ("plan", *jobs, "enforce") for route, jobs in JOBS.items()},
        runs=_runs(main, develop, pulls, forks, by_vercel),
        pushes={"main": main, "develop": develop},
        measured=measured_durations(measured) if measured else None,
        private=not public,
        plan=plan,
    )
    click.echo(json.dumps(made.as_json()) if as_json else _table(made))


def _runs(main: int, develop: int, pulls: int, forks: int, by_vercel: bool) -> dict[str, int]:
    """How often each route is taken. With Vercel's integration every push is built there, and told of."""
    if by_vercel:
        pushes = main + develop + pulls
        return {"code": pushes, "ready": pushes, "verify": main, "fork": forks}
    return {"production": main, "staging": develop, "preview": pulls, "fork": forks}


def _table(made: Bill) -> str:
    """A table that reads well as it is and as Markdown."""
    head = ("workflow", "occasion", "runs a month", "jobs", "minutes a run", "minutes a month")
    rows = [
        (
            line.workflow,
            line.occasion,
            f"{line.runs:.0f}",
            str(len(line.jobs)),
            str(line.billed),
            f"{line.per_month:,.0f}",
        )
        for line in made.lines
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    ruler = tuple("-" * width if column < 2 else "-" * (width - 1) + ":" for column, width in enumerate(widths))
    lines = [
        "| "
        + " | ".join(c.ljust(w) if n < 2 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
        + " |"
        for row in (head, ruler, *rows)
    ]
    return "\n".join([*lines, "", _sum(made)])


def _sum(made: Bill) -> str:
    if not made.private:
        return f"{made.minutes:,.0f} minutes a month; standard runners of a public repository cost nothing."
    told = f"{made.minutes:,.0f} minutes a month; the plan `{made.plan}` includes {made.included:,}"
    if made.dollars:
        return f"{told}; the rest costs ${made.dollars:,.2f}."
    return f"{told}, so nothing is to be paid."
