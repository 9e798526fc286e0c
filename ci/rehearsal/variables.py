"""Environment variables of the project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

VariableType = Literal["plain", "encrypted", "sensitive"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable; a sensitive one is given to builds, but never shown again by the API."""

    id: str
    key: str
    value: str = field(repr=False)
    targets: tuple[str, ...] = ("production", "preview", "development")
    type: VariableType = "encrypted"
