"""Waivers: which findings somebody has accepted, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from ci.config.shape.gate import Waiver
from ci.model import Finding


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers of a policy on one day."""

    all: tuple[Waiver, ...]
    today: date

    def accept(self, finding: Finding) -> bool:
        """Whether a waiver that has not expired meets this finding."""
        return any(meets(waiver, finding) and not self.expired(waiver) for waiver in self.all)

    def expired(self, waiver: Waiver) -> bool:
        """A waiver holds until the end of its last day (UTC)."""
        return waiver.expires < self.today

    def met(self, findings: Sequence[Finding]) -> Iterator[tuple[Waiver, tuple[Finding, ...]]]:
        """Each waiver with the findings that it meets."""
        return ((waiver, tuple(f for f in findings if meets(waiver, f))) for waiver in self.all)


def meets(waiver: Waiver, finding: Finding) -> bool:
    """By fingerprint; or by the check's id and the finding's place, in which `*` stands for anything, slashes too."""
    if waiver.fingerprint:
        return waiver.fingerprint == finding.fingerprint
    return waiver.check == finding.check_id and fnmatchcase(finding.place, waiver.path or "")


def called(waiver: Waiver) -> str:
    """A waiver for people."""
    what = waiver.fingerprint or f"{waiver.check} at {waiver.path}"
    return f"the waiver of {waiver.owner} for {what}"
