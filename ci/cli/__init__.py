"""The command line: arguments, environment, printing, exit codes. The composition root.

Everything heavy is imported inside the commands, so that `gonogo --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from ci import __version__
from ci.cli import catalogue, checking, loading, monitoring, rehearsing, releasing, waiving, workflows
from ci.cli.ending import run, stand_in_for_closed_streams

SECTIONS = {
    "Decide whether it may go live": (checking.check, checking.gate, checking.report, waiving.waive, loading.load),
    "Make it live, and take it back": (
        releasing.release,
        releasing.promote,
        releasing.rollback,
        releasing.reconcile,
    ),
    "Watch what is live": (monitoring.monitor,),
    "Try it, and see what there is": (
        rehearsing.rehearse,
        rehearsing.drill,
        catalogue.checks,
        catalogue.explain,
        catalogue.schema,
    ),
    "In GitHub Actions": (workflows.workflow,),
}
"""The commands by what somebody wants to do, in the order in which it is done."""


class _Sections(click.Group):
    """Lists its commands by section."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, self.commands))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                room = formatter.width - widest - 6
                formatter.write_dl([(str(one.name).ljust(widest), one.get_short_help_str(room)) for one in commands])


@click.group(cls=_Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gonogo")
def cli() -> None:
    """GO, NO-GO or HOLD for a web application about to go live on Vercel.

    \b
    A first look, without any configuration:
      gonogo check smoke security --url https://your.app

    \b
    Exit codes
      0  GO, or done             20  rolled back
      1  NO-GO, or failed        21  rollback failed
      2  usage or configuration  130  interrupted
      3  HOLD: not known
    """


for _command in (command for section in SECTIONS.values() for command in section):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    stand_in_for_closed_streams()
    sys.exit(run(cli, sys.argv[1:] if arguments is None else arguments))
