"""How a command ends when it has no result: a sentence for a person, JSON for a program, and the exit code.

No traceback reaches anybody for what a user, a network or a tool can cause.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ci.cli.session import Ended, Exit, say


def run(command: click.Command, words: Sequence[str]) -> int:
    """Run the command line; the exit code."""
    as_json = "--json" in words
    try:
        code = command.main(args=list(words), prog_name="gonogo", standalone_mode=False)
        sys.stdout.flush()
        return code or Exit.GO  # 0 for --help; a command's own code comes as SystemExit
    except Ended as ended:
        _as_json(ended.exit, ended.message, wanted=as_json)
        raise
    except (click.Abort, KeyboardInterrupt):
        told = (
            "interrupted; what was written down until then stays: reports in the evidence folder, rounds in the history"
        )
        return _told(Exit.INTERRUPTED, told, as_json=as_json)
    except click.ClickException as error:
        error.show(sys.stderr)
        _as_json(Exit.USAGE, error.format_message(), wanted=as_json)
        return Exit.USAGE
    except BrokenPipeError:
        # The reader of our output has gone; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.HOLD
    except Exception as error:
        code, message, ours = _explained(error)
        if ours and {"-v", "--verbose"} & set(words):
            import traceback

            say(traceback.format_exc())
        return _told(code, message, as_json=as_json)


def stand_in_for_closed_streams() -> None:
    """Let nothing fail for a closed stream, nor for a character that a stream cannot show.

    The number of a closed stream would be given to the next file, and what is printed would go there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _explained(error: Exception) -> tuple[Exit, str, bool]:
    """The exit code, what to say, and whether it is a defect of Gonogo."""
    from ci.errors import CannotRun, ConfigError

    match error:
        case ConfigError():
            return Exit.USAGE, str(error), False
        case CannotRun():
            return Exit.HOLD, f"HOLD: {error}", False
        case ModuleNotFoundError():
            message = f"HOLD: the library `{error.name}` is not installed: install it with `pip install 'gonogo[all]'`"
            return Exit.HOLD, message, False
        case OSError():
            what = f"{error.filename}: " if error.filename else ""
            told = error.strerror or str(error) or type(error).__name__
            return Exit.HOLD, f"HOLD: {what}{told}; mend that, or give another place, and run it again", False
        case _:
            told = f"{type(error).__name__} at {_place(error)}: {error}"
            return Exit.HOLD, f"HOLD: Gonogo itself has a defect here ({told}); `-v` shows more: please report it", True


def _place(error: Exception) -> str:
    """File and line where it came from, as far as that is ours."""
    trace, found = error.__traceback__, "an unknown place"
    while trace:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "ci" in path.parts:
            found = f"{'/'.join(path.parts[path.parts.index('ci') :])}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _told(code: Exit, message: str, *, as_json: bool) -> Exit:
    """Say what ended the command, in GitHub Actions on the run's page, too."""
    from ci.engine.redaction import Redactor

    redact = Redactor.of_environment(os.environ)
    message = redact(message)
    say(message)
    _as_json(code, message, wanted=as_json)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci.engine.actions import Step
        from ci.engine.gfm import inline
        from ci.report.annotations import of_problem

        step = Step(os.environ, redact)
        step.annotate(of_problem(message), sys.stderr)
        with contextlib.suppress(OSError):  # it has been said already
            step.summary("\n".join(f"🟡 {inline(line)}\n" for line in message.splitlines()))
    return code


def _as_json(code: Exit, message: str, *, wanted: bool) -> None:
    if wanted:
        try:
            click.echo(json.dumps({"error": message, "exit_code": int(code)}))
        except OSError as error:
            say(f"the result cannot be written to standard output: {error.strerror}")
