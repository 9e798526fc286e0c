"""What Locust's process tells the stage: lines about how the load goes and how it ended."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ci.load.recording import Arm
from ci.model import ErrorKind, Model

LINE_MARK: Final = "@gonogo "
"""Begins every line of Locust's standard output that is meant for the stage."""


class Listening(Model):
    """The master waits for its workers."""

    line: Literal["listening"] = "listening"
    port: int


class Batch(Model):
    """Samples have been written to the file."""

    line: Literal["batch"] = "batch"
    samples: int
    """How many the file holds by now."""
    until_s: float
    """Every pair with an earlier start is complete in the file."""


class Pulse(Model):
    """How it goes, once a second."""

    line: Literal["pulse"] = "pulse"
    at_s: float
    rate: float
    """Requests to the candidate that ended in the last second."""
    p95_ms: float | None
    """Of the last second; none when nothing was answered."""


class Ending(Model):
    """How it ended. Without this line the generator has crashed."""

    line: Literal["ending"] = "ending"
    stopped: ErrorKind | None = None
    """Why it was stopped early, when that was not by a decision."""
    detail: str = ""
    arm: Arm | None = None
    """Whose doing that was."""
    decided: str = ""
    """Why nothing more needed to be known."""
    requests: int
    """Samples in the file."""
    at_s: float
    until_s: float = 0.0
    """Every pair with an earlier start is complete in the file."""
    examples: dict[int, str] = Field(default_factory=dict)
    """For each kind of the candidate's failures that was seen, the words of the first."""
    baseline_examples: dict[int, str] = Field(default_factory=dict)
    workers: int = 1
    """Processes that made the load."""
    lost: int = 0
    """How many of them were lost on the way."""
    memory: tuple[tuple[float, float], ...] | None = None
    """Seconds and the memory that the candidate told; none when it was not asked."""
    memory_problem: str = ""
    """Why it told nothing, the last time that it did not."""


Message = Listening | Batch | Pulse | Ending
_MESSAGE: Final[TypeAdapter[Message]] = TypeAdapter(Message)


def to_line(message: Message) -> str:
    return LINE_MARK + message.model_dump_json()


def from_line(line: str) -> Message | None:
    """The message in a line of output, or None when the line is Locust's own."""
    if not line.startswith(LINE_MARK):
        return None
    try:
        return _MESSAGE.validate_json(line.removeprefix(LINE_MARK))
    except ValidationError:
        return None
