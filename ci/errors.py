"""The exceptions raised on purpose.

GonogoError
  ConfigError   the user can mend it     -> exit code 2
  CannotRun     there is no answer       -> Outcome.ERROR, HOLD
  NotApplicable there is no question     -> Outcome.SKIP
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ci.model import ErrorKind


class GonogoError(Exception):
    """Base of every exception that is raised on purpose here."""


class ConfigError(GonogoError):
    """The configuration file, the command line or the environment is wrong."""


class CannotRun(GonogoError):
    """A probe or a check could not reach an answer."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class NotApplicable(GonogoError):
    """A check has nothing to ask of this target; the message says what to write in gonogo.yaml to have it made."""


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """What to say of a word that is not known: the nearest one that is, or `otherwise`, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else otherwise or f"known here: {', '.join(names) or 'nothing'}"
