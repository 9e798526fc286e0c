"""`python -m ci` and `gonogo`: the command line, from its first moment on."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line. Ctrl-C while its parts are still being loaded ends it as later on: with 130, in silence."""
    try:
        from ci.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
