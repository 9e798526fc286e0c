"""Commands: ``serve`` the application, ``vendors`` for its stand-in services, ``flaws``, ``expired-token``."""

import argparse
import json
import sys
import time
from uuid import uuid4

from . import flaws, settings

_TWO_HOURS = 2 * 60 * 60


def main() -> int:
    """Run the command of the command line; the result is the exit code."""
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "serve":
                _serve(arguments)
            case "vendors":
                _vendors(arguments)
            case "flaws":
                print(json.dumps(flaws.as_dicts(), indent=2))
            case "expired-token":
                print(_expired_token())
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Harbour, the reference application.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (("serve", "serve the application"), ("vendors", "serve stand-ins for the outside services")):
        command = commands.add_parser(name, help=summary)
        command.add_argument("--port", type=int, default=0, help="0 lets the system choose (default)")
        command.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    commands.add_parser("flaws", help="list the flaws that can be switched on, as JSON")
    commands.add_parser("expired-token", help="print a properly signed access token that has expired")
    return parser


def _serve(arguments: argparse.Namespace) -> None:
    # structlog would load rich for a colourful console that nobody sees here: a tenth of a second of every start.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from . import logs, serving
    from .application import create_app

    loaded = settings.load()
    logs.configure(loaded.log_level)
    serving.serve(create_app(loaded), port=arguments.port, until_eof=arguments.until_eof)


def _vendors(arguments: argparse.Namespace) -> None:
    from . import serving, vendors

    serving.serve(vendors.app, port=arguments.port, until_eof=arguments.until_eof)


def _expired_token() -> str:
    from . import accounts, tokens

    loaded = settings.load()
    if loaded.secret_key is None:
        raise settings.SettingsError("expired-token signs with SECRET_KEY: set the one that the application runs with.")
    user = accounts.user_id(loaded.demo_user_email or "nobody@example.com")
    signer = tokens.Tokens(loaded.secret_key.get_secret_value())
    return signer.issue(user, uuid4(), issued_at=time.time() - _TWO_HOURS)


if __name__ == "__main__":
    sys.exit(main())
