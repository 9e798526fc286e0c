"""Every flaw there is: the demo application's, as it tells them itself, those of the edge, and those of code."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum

from ci.errors import CannotRun, ConfigError, nearest
from ci.model import ErrorKind, Model
from ci.rehearsal.authority import TransportFault
from ci.rehearsal.checkout import CodeFault

TIMEOUT_S = 30


class Place(StrEnum):
    """Where a flaw is."""

    APPLICATION = "application"
    EDGE = "edge"
    CODE = "code"
    """A repository beside the application."""


class Flaw(Model):
    """A fault that can be switched on, and the check that must notice it."""

    name: str
    breaks: str
    check: str
    also: tuple[str, ...] = ()
    """Checks that may fail with it."""
    place: Place = Place.APPLICATION

    @property
    def stage(self) -> str:
        return self.check.partition("/")[0]


def _flaw(fault: TransportFault | CodeFault, breaks: str, check: str, *also: str) -> Flaw:
    place = Place.EDGE if isinstance(fault, TransportFault) else Place.CODE
    return Flaw(name=fault, breaks=breaks, check=check, also=also, place=place)


AROUND = (
    _flaw(TransportFault.OTHER_HOST, "the certificate is another host's", "security/certificate"),
    _flaw(TransportFault.EXPIRING, "the certificate expires in five days", "security/certificate-expiry"),
    _flaw(
        TransportFault.WEAK_KEY,
        "the certificate has an RSA key of 1024 bits",
        "security/certificate-key",
        "security/certificate",  # no authority signs such a key
    ),
    _flaw(TransportFault.OLD_TLS, "TLS 1.0 is spoken, too", "security/tls-versions"),
    _flaw(TransportFault.PLAIN_HTTP, "pages are served over plain HTTP", "security/https-redirect"),
    _flaw(CodeFault.LEAK, "a file that git does not track holds a token", "security/secrets-tree"),
    _flaw(CodeFault.OLD_LEAK, "an old commit holds a token", "security/secrets-history"),
    _flaw(CodeFault.UNSAFE_CODE, "a module unpickles what it is sent", "security/python-code"),
    _flaw(CodeFault.UNSAFE_WORKFLOW, "a workflow runs what strangers write", "security/workflows"),
    _flaw(CodeFault.PYTHON_PACKAGE, "requests 2.19.0 is installed", "security/python-dependencies"),
    _flaw(CodeFault.NODE_PACKAGE, "lodash 4.17.4 is installed", "security/node-dependencies"),
)
"""The flaws of what is around the application."""


@functools.cache
def all_flaws() -> tuple[Flaw, ...]:
    """Every flaw there is. Raises CannotRun when the demo application is not there or does not tell."""
    try:
        told = subprocess.run(
            [sys.executable, "-m", "demo", "flaws"], capture_output=True, check=True, timeout=TIMEOUT_S
        ).stdout
        return (*(Flaw.model_validate(item) for item in json.loads(told)), *AROUND)
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


def names(flaws: Iterable[Flaw], place: Place) -> tuple[str, ...]:
    """The names of those that are at this place."""
    return tuple(flaw.name for flaw in flaws if flaw.place is place)


def named(wanted: Sequence[str]) -> tuple[Flaw, ...]:
    """The flaws of these names. Raises ConfigError with the nearest name for an unknown one."""
    known = {flaw.name: flaw for flaw in all_flaws()} if wanted else {}
    for name in wanted:
        if name not in known:
            raise ConfigError(f"there is no flaw {name}; {nearest(name, known)}")
    return tuple(known[name] for name in dict.fromkeys(wanted))
