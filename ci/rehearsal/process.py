"""The stand-in as a process of its own.

Prints one line of JSON with its coordinates when ready. Ends, with all its backends, at end of file on stdin, and on
SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from ci.rehearsal.authority import VALID_DAYS
from ci.rehearsal.builder import ProcessBuilder
from ci.rehearsal.control import control_application
from ci.rehearsal.protection import Protected
from ci.rehearsal.standin import Options, StandIn


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end. Returns 0."""
    given = _parser().parse_args(arguments)
    given.log_folder.mkdir(parents=True, exist_ok=True)
    builder = ProcessBuilder(given.command, given.log_folder, given.cwd)
    options = Options(
        project_name=given.project,
        personal=given.personal,
        plan=given.plan,
        domains=given.domains,
        redirecting=given.redirecting,
        staging=given.staging,
        certificate_days=given.certificate_days,
        protected=given.protected,
        propagation_delay=given.propagation_delay,
    )
    asyncio.run(_run(StandIn(builder, options)))
    return 0


async def _run(standin: StandIn) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    async with standin:
        control_url = await standin.serve(control_application(standin))
        print(json.dumps({**standin.coordinates(), "control_url": control_url}), flush=True)  # noqa: T201 - the contract with the embedding process
        _end_with_stdin(loop, end)
        await end.wait()


def _end_with_stdin(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            end.set()

    try:
        loop.add_reader(sys.stdin.fileno(), read)
    except OSError:  # a file or /dev/null cannot be waited for, and is at its end in no time
        end.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ci.rehearsal.process", description=__doc__)
    parser.add_argument("command", nargs="+", help="starts one deployment; write it after `--`")
    parser.add_argument("--cwd", type=Path, help="folder in which the command starts")
    parser.add_argument("--log-folder", type=Path, required=True, help="where each deployment's log goes")
    parser.add_argument("--project", default="demo", help="name of the project")
    parser.add_argument("--personal", action="store_true", help="a user's project, not a team's")
    parser.add_argument("--plan", choices=("hobby", "pro", "enterprise"), default="pro")
    parser.add_argument("--domains", type=int, default=1, help="how many production domains there are")
    parser.add_argument("--redirecting", help="a further domain that redirects to the first")
    parser.add_argument("--staging", action="store_true", help="a further domain that is not of production")
    parser.add_argument("--certificate-days", type=float, default=VALID_DAYS, help="validity of the edge's certificate")
    parser.add_argument("--protected", type=Protected, choices=list(Protected), default=Protected.NONE)
    parser.add_argument("--propagation-delay", type=float, default=0.0, help="seconds until a switch reaches the edge")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
