"""The command line: arguments, environment, printing, exit codes. The composition root.

Everything heavy is imported inside the commands, so that `gonogo --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from ci import __version__
from ci.cli import catalogue, checking, loading, monitoring, rehearsing, releasing, waiving, workflows
from ci.cli.session import Exit, say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gonogo")
def cli() -> None:
    """GO, NO-GO or HOLD for a web application about to go live on Vercel.

    Exit codes: 0 GO · 1 NO-GO · 2 usage or configuration · 3 HOLD · 20 rolled back · 21 rollback failed.
    """


for _command in (
    rehearsing.rehearse,
    checking.check,
    checking.gate,
    releasing.release,
    releasing.promote,
    releasing.rollback,
    releasing.reconcile,
    checking.report,
    loading.load,
    monitoring.monitor,
    waiving.waive,
    catalogue.checks,
    catalogue.explain,
    rehearsing.drill,
    catalogue.schema,
    workflows.workflow,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit. No traceback reaches a user for what a user, a network or a tool can cause."""
    try:
        cli.main(args=arguments, prog_name="gonogo", standalone_mode=False)
        code = Exit.GO
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        code = _told(Exit.INTERRUPTED, "interrupted; what was found so far is in the evidence folder")
    except click.ClickException as error:
        error.show(sys.stderr)
        code = Exit.USAGE
    except BrokenPipeError:
        # The reader of our output has gone; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.HOLD
    except Exception as error:
        code = _explain(error)
    sys.exit(code)


def _explain(error: Exception) -> Exit:
    from ci.errors import CannotRun, ConfigError

    match error:
        case ConfigError():
            return _told(Exit.USAGE, str(error))
        case CannotRun():
            return _told(Exit.HOLD, f"HOLD: {error}")
        case ModuleNotFoundError():
            message = f"HOLD: the library `{error.name}` is not installed: install it with `pip install 'gonogo[all]'`"
            return _told(Exit.HOLD, message)
        case _:
            raise error


def _told(code: Exit, message: str) -> Exit:
    """Say what ended the command, in GitHub Actions on the run's page, too."""
    say(message)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci.engine.actions import Step
        from ci.engine.gfm import inline
        from ci.engine.redaction import Redactor
        from ci.report.annotations import of_problem

        step = Step(os.environ, Redactor.of_environment(os.environ))
        step.annotate(of_problem(message), sys.stderr)
        step.summary("\n".join(f"🟡 {inline(line)}\n" for line in message.splitlines()))
    return code
