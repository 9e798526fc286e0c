"""What a run tells about itself while it goes on; who shows it, and how, is the terminal's business."""

from __future__ import annotations

from typing import Protocol

from ci.model import CheckResult, StageReport


class Progress(Protocol):
    """Told of each event as it happens; an implementation must not raise or block."""

    def say(self, message: str) -> None:
        """Something happened outside any stage."""

    def stage_started(self, stage: str) -> None: ...

    def stage_at(self, stage: str, activity: str) -> None:
        """The stage is busy with `activity`: a check's id, or a few words."""

    def check_done(self, stage: str, result: CheckResult) -> None: ...

    def stage_done(self, report: StageReport) -> None: ...


class Silence:
    """Shows nothing."""

    def say(self, message: str) -> None: ...
    def stage_started(self, stage: str) -> None: ...
    def stage_at(self, stage: str, activity: str) -> None: ...
    def check_done(self, stage: str, result: CheckResult) -> None: ...
    def stage_done(self, report: StageReport) -> None: ...
