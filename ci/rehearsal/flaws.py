"""The demo application's flaws, as it tells them itself."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Sequence

from ci.errors import CannotRun, ConfigError, nearest
from ci.model import ErrorKind, Model

TIMEOUT_S = 30


class Flaw(Model):
    """A fault that can be switched on, and the check that must notice it."""

    name: str
    breaks: str
    check: str

    @property
    def stage(self) -> str:
        return self.check.partition("/")[0]


@functools.cache
def all_flaws() -> tuple[Flaw, ...]:
    """Every flaw there is. Raises CannotRun when the demo application is not there or does not tell."""
    try:
        told = subprocess.run(
            [sys.executable, "-m", "demo", "flaws"], capture_output=True, check=True, timeout=TIMEOUT_S
        ).stdout
        return tuple(Flaw.model_validate(item) for item in json.loads(told))
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        words = getattr(error, "stderr", b"") or str(error).encode()
        last = words.decode(errors="replace").strip().splitlines()[-1:]
        raise CannotRun(
            ErrorKind.TOOL_FAILED, f"the demo application does not tell its flaws: {''.join(last)}"
        ) from error


def by_check() -> dict[str, tuple[str, ...]]:
    """Names of the flaws that prove each check."""
    proofs: dict[str, list[str]] = {}
    for flaw in all_flaws():
        proofs.setdefault(flaw.check, []).append(flaw.name)
    return {check: tuple(names) for check, names in proofs.items()}


def named(names: Sequence[str]) -> tuple[Flaw, ...]:
    """The flaws of these names. Raises ConfigError with the nearest name for an unknown one."""
    known = {flaw.name: flaw for flaw in all_flaws()} if names else {}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no flaw {name}; {nearest(name, known)}")
    return tuple(known[name] for name in dict.fromkeys(names))
